-- Who did what through which door: the append-only table of actions (docs/explanation/actions.md);
-- and errors by their cause.
-- The two functions stand here and not under objects/, because columns are made with them.

-- The door sets barton.actor for its transaction; a session without it acts under its database user.
CREATE OR REPLACE FUNCTION marketing.actor() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('barton.actor', true), ''), session_user::text)
$$;
COMMENT ON FUNCTION marketing.actor() IS
'Who acts in this transaction: the setting barton.actor, or else the database user of the session';
REVOKE EXECUTE ON FUNCTION marketing.actor() FROM public;

CREATE TABLE IF NOT EXISTS marketing.actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL DEFAULT marketing.actor(),
    role text NOT NULL,
    door text NOT NULL CHECK (door IN ('cli', 'web', 'assistant', 'sensor')),
    database_user text NOT NULL DEFAULT session_user,
    action text NOT NULL,
    parameters jsonb NOT NULL DEFAULT '{}',
    reason text,
    shown_count bigint,
    done_count bigint,
    outcome text NOT NULL CHECK (outcome IN ('started', 'done', 'failed', 'refused')),
    error text,
    request_id text,
    started_id bigint REFERENCES marketing.actions,
    CONSTRAINT actions_error CHECK ((outcome IN ('failed', 'refused')) = (error IS NOT NULL)),
    CONSTRAINT actions_start CHECK (outcome <> 'started' OR started_id IS NULL)
);
CREATE INDEX IF NOT EXISTS actions_at ON marketing.actions (at);
CREATE INDEX IF NOT EXISTS actions_action ON marketing.actions (action, at);
CREATE UNIQUE INDEX IF NOT EXISTS actions_request ON marketing.actions (request_id) WHERE started_id IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS actions_end ON marketing.actions (started_id) WHERE started_id IS NOT NULL;
COMMENT ON TABLE marketing.actions IS
'Append-only: what people and sensors did through the command line, the web or the assistant, and what came of it';
COMMENT ON COLUMN marketing.actions.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.actions.at IS
'When the row was written, which is the end of the action, or its beginning when the outcome is started';
COMMENT ON COLUMN marketing.actions.actor IS 'Who: login or name, as the door knows it';
COMMENT ON COLUMN marketing.actions.role IS 'With what rights, as the door knows them: viewer, operator, admin, system';
COMMENT ON COLUMN marketing.actions.door IS 'Where the wish came in: cli, web, assistant or sensor';
COMMENT ON COLUMN marketing.actions.database_user IS 'Login role of the session, which the actor cannot choose';
COMMENT ON COLUMN marketing.actions.action IS 'Name of the function in barton_pipeline.actions';
COMMENT ON COLUMN marketing.actions.parameters IS
'What it was asked to do; no secrets, and for forget only hashes or the ID';
COMMENT ON COLUMN marketing.actions.reason IS 'Why, in the words of the actor';
COMMENT ON COLUMN marketing.actions.shown_count IS 'How many things the preview had shown; NULL when nobody looked';
COMMENT ON COLUMN marketing.actions.done_count IS 'How many things were changed; NULL unless the outcome is done';
COMMENT ON COLUMN marketing.actions.outcome IS
'done; failed; refused (the preview had shown another number); started: it has several transactions and is at work or '
'was killed, '
'unless another row has its id as started_id';
COMMENT ON COLUMN marketing.actions.error IS 'First line of the error; NULL unless failed or refused';
COMMENT ON COLUMN marketing.actions.request_id IS 'Given by the door; the same request is carried out once';
COMMENT ON COLUMN marketing.actions.started_id IS
'The row with outcome started that this row ends; NULL for an action of one transaction';

-- The columns that say who.
ALTER TABLE marketing.vendor_switches ALTER COLUMN changed_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.suppressed_people ALTER COLUMN created_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.operations ALTER COLUMN started_by SET DEFAULT marketing.actor();
ALTER TABLE marketing.barton_id_history ALTER COLUMN changed_by SET DEFAULT marketing.actor();
ALTER TABLE intake.separate_names ALTER COLUMN created_by SET DEFAULT marketing.actor();
COMMENT ON COLUMN marketing.operations.started_by IS 'Who (marketing.actor)';
COMMENT ON COLUMN marketing.operations.ended_by IS 'Who (marketing.actor)';
COMMENT ON COLUMN marketing.barton_id_history.changed_by IS
'Who, as marketing.actor has it; the database user for what runs do by themselves';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_by IS
'Who closed it (marketing.actor), or what resolve_pipeline_error was told; NULL while open';

-- Errors by their cause. What varies from one occurrence to the next becomes '#'.
CREATE OR REPLACE FUNCTION marketing.error_fingerprint(message text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cause text COLLATE "C" := message;  -- the same characters count as letters and blanks in every database
BEGIN
    -- quoted text; an apostrophe inside a word opens and closes nothing. Values as Postgres tells them: Key (domain)=(acme.com)
    cause := regexp_replace(cause, $re$"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`|(?<![[:alnum:]])'([^']|'(?=[[:alnum:]]))*'(?![[:alnum:]])|=\((\([^()]*\)|[^)])*\)$re$, '#', 'g');
    -- addresses, URLs and paths
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;:"'=|]+@[^[:space:]<>(){},;:"'=|]+$re$, '#', 'g');
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;"'=|]*[/\\][^[:space:]<>(){},;"'=|]*$re$, '#', 'g');
    -- a batch key may be a plain word: known by what stands before it
    cause := regexp_replace(cause, '(\m[Bb]atch(?:es)?|\mbarton (?:retry|run|status|undo|plan|backfill)|--batch) +[A-Za-z0-9][A-Za-z0-9._-]*', '\1 #', 'g');
    -- everything with a digit in it: numbers, moments, Barton IDs, UUIDs, batch keys; punctuation other than . _ - ends it
    cause := regexp_replace(cause, '[^[:space:]!-,/:-@[-^`{-~]*[0-9][^[:space:]!-,/:-@[-^`{-~]*', '#', 'g');
    -- a list of such things is one of them
    cause := regexp_replace(cause, '#([[:space:],:;+/-]*#)+', '#', 'g');
    cause := btrim(regexp_replace(cause, '[[:space:]]+', ' ', 'g'));
    RETURN left(encode(sha256(convert_to(cause, 'UTF8')), 'hex'), 12);
END
$$;
COMMENT ON FUNCTION marketing.error_fingerprint(text) IS
'The cause of an error as 12 hexadecimal digits: the same for messages that differ only in numbers, IDs, batch keys, '
'quoted text, addresses and paths';
REVOKE EXECUTE ON FUNCTION marketing.error_fingerprint(text) FROM public;

ALTER TABLE marketing.pipeline_errors ADD COLUMN IF NOT EXISTS fingerprint text
GENERATED ALWAYS AS (marketing.error_fingerprint(error_message)) STORED;
COMMENT ON COLUMN marketing.pipeline_errors.fingerprint IS
'The cause, marketing.error_fingerprint of the message; what errors are grouped by';
-- open errors are grouped from the index alone
CREATE INDEX IF NOT EXISTS pipeline_errors_open_cause ON marketing.pipeline_errors (fingerprint, created_at) INCLUDE (
    severity, import_batch_id
)
WHERE NOT resolved;
CREATE INDEX IF NOT EXISTS pipeline_errors_open_batch ON marketing.pipeline_errors (
    import_batch_id, created_at
) WHERE NOT resolved;
