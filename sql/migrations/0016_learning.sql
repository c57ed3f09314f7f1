-- What PLE learns from (outcomes), what it has learned (models), and which companies a new signal makes stale.
ALTER TABLE intake.signals_raw_intake ADD COLUMN IF NOT EXISTS observed_at text;
COMMENT ON COLUMN intake.signals_raw_intake.observed_at IS 'When it was learned, where that was not at loading; not before occurred_at';

ALTER TABLE intake.loaded_files DROP CONSTRAINT IF EXISTS loaded_files_kind_check;
ALTER TABLE intake.loaded_files ADD CONSTRAINT loaded_files_kind_check CHECK (kind IN ('companies', 'people', 'signals', 'outcomes'));

CREATE TABLE IF NOT EXISTS intake.outcomes_raw_intake (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company           text,
    website           text,
    company_unique_id text,
    outcome_type      text,
    lead_reference    text,
    occurred_at       text,
    source_system     text,
    external_id       text,
    domain            text,
    company_name_key  text,
    import_batch_id   text NOT NULL
        CONSTRAINT outcomes_raw_intake_batch_key CHECK (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    judged_at         timestamptz,
    outcome           text CHECK (outcome IN ('recorded', 'duplicate', 'company_unknown', 'company_ambiguous', 'invalid')),
    outcome_reasons   text[] NOT NULL DEFAULT '{}',
    source_file       text,
    source_row        bigint,
    raw               jsonb,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_batch ON intake.outcomes_raw_intake (import_batch_id, id);
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_unjudged ON intake.outcomes_raw_intake (import_batch_id) WHERE outcome IS NULL;
-- Rows without a company wait here until a batch brings it.
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_waiting_domain ON intake.outcomes_raw_intake (domain)
    WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS outcomes_raw_intake_waiting_name ON intake.outcomes_raw_intake (company_name_key)
    WHERE outcome IN ('company_unknown', 'company_ambiguous');
COMMENT ON TABLE intake.outcomes_raw_intake IS 'Raw sales outcomes, judged and recorded by ple_scores';

CREATE TABLE IF NOT EXISTS marketing.outcomes (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    outcome_type   text NOT NULL CHECK (outcome_type IN ('attempt', 'positive_reply', 'meeting', 'opportunity', 'won', 'declined', 'lost')),
    lead_reference text,
    occurred_at    timestamptz NOT NULL,
    observed_at    timestamptz NOT NULL DEFAULT now(),
    source         text NOT NULL DEFAULT 'manual',
    external_id    text,
    metadata       jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT outcomes_once UNIQUE (source, external_id)
);
CREATE INDEX IF NOT EXISTS outcomes_company ON marketing.outcomes (company_id, occurred_at);
CREATE INDEX IF NOT EXISTS outcomes_attempts ON marketing.outcomes (occurred_at) WHERE outcome_type = 'attempt';
COMMENT ON TABLE marketing.outcomes IS 'What became of working on a company: attempts, and what followed. PLE learns from it';

CREATE TABLE IF NOT EXISTS marketing.ple_training_examples (
    id         bigint PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    as_of      timestamptz NOT NULL,
    converted  boolean NOT NULL,
    features   jsonb NOT NULL,
    built_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.ple_training_examples IS 'The training set as last built: one row per attempt that is old enough to judge';

CREATE TABLE IF NOT EXISTS marketing.ple_models (
    version          text PRIMARY KEY,
    method           text NOT NULL CHECK (method IN ('logistic', 'boosting')),
    status           text NOT NULL CHECK (status IN ('champion', 'rejected', 'retired')),
    reason           text NOT NULL,
    scorecard        jsonb NOT NULL,
    report           jsonb NOT NULL,
    card             text NOT NULL,
    trained_at       timestamptz NOT NULL DEFAULT now(),
    trained_until    timestamptz NOT NULL,
    retired_at       timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS ple_models_one_champion ON marketing.ple_models ((true)) WHERE status = 'champion';
COMMENT ON TABLE marketing.ple_models IS 'Every PLE model that was trained, with its report; the champion scores. None: the rubric';

CREATE TABLE IF NOT EXISTS marketing.companies_to_score (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_batch_id text NOT NULL,
    company_id      text NOT NULL,
    taken           boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS companies_to_score_batch ON marketing.companies_to_score (import_batch_id, taken);
COMMENT ON TABLE marketing.companies_to_score IS
    'Companies with a signal that is not in their scores yet; a run takes them at bit_scores and removes them at sniper_targets';

-- Rows are only added here, never compared: a unique key would make signals wait for a running stage.
CREATE OR REPLACE FUNCTION marketing.note_companies_to_score() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('barton.replay', true) IS DISTINCT FROM 'on' THEN
        INSERT INTO marketing.companies_to_score (import_batch_id, company_id)
        SELECT DISTINCT coalesce(nullif(current_setting('barton.import_batch_id', true), ''), c.import_batch_id), n.company_id
        FROM new_rows n JOIN marketing.company_master c ON c.company_unique_id = n.company_id;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION marketing.note_companies_to_score() FROM PUBLIC;
COMMENT ON FUNCTION marketing.note_companies_to_score() IS 'Trigger: a new signal makes its company''s scores stale';
CREATE OR REPLACE TRIGGER bit_signals_companies_to_score
    AFTER INSERT ON marketing.bit_signals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.note_companies_to_score();

-- Linear between the points (xs rising), constant beyond them; as numpy.interp.
CREATE OR REPLACE FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[])
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN k = 0 THEN ys[1] WHEN k >= cardinality(xs) THEN ys[cardinality(ys)]
                ELSE ys[k] + (ys[k + 1] - ys[k]) * (x - xs[k]) / (xs[k + 1] - xs[k]) END
    FROM (SELECT width_bucket(x, xs) AS k) AS found
$$;
COMMENT ON FUNCTION marketing.interpolate(double precision, double precision[], double precision[]) IS
    'y at x on the line through the points (xs, ys)';

INSERT INTO marketing.event_routes (event_type, entry_stage) VALUES
    ('outcome_received', 'ple_scores'), ('target_entered', NULL), ('target_left', NULL)
ON CONFLICT (event_type) DO UPDATE SET entry_stage = excluded.entry_stage;
CREATE OR REPLACE TRIGGER outcomes_raw_intake_insert_events
    AFTER INSERT ON intake.outcomes_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION marketing.raise_events($$'outcome_received'$$, 'n.id', 'n.import_batch_id',
        $$jsonb_build_object('company', n.company, 'website', n.website, 'outcome_type', n.outcome_type)$$);

-- Reasons used to name the holders of slots; a name must go where its person goes.
UPDATE marketing.ple_results SET metadata = jsonb_set(metadata, '{reasons}', (
    SELECT jsonb_agg(CASE WHEN r ->> 'feature' LIKE 'slot%' THEN r || jsonb_build_object('label', split_part(r ->> 'label', ':', 1)) ELSE r END)
    FROM jsonb_array_elements(metadata -> 'reasons') AS r))
WHERE EXISTS (SELECT FROM jsonb_array_elements(metadata -> 'reasons') AS r WHERE r ->> 'label' ~ '^[A-Za-z ]+ known: ');
UPDATE marketing.sniper_targets SET reasons = (
    SELECT jsonb_agg(CASE WHEN r #>> '{}' ~ '^[A-Za-z ]+ known: ' THEN to_jsonb(split_part(r #>> '{}', ':', 1)) ELSE r END)
    FROM jsonb_array_elements(reasons) AS r)
WHERE EXISTS (SELECT FROM jsonb_array_elements_text(reasons) AS r WHERE r ~ '^[A-Za-z ]+ known: ');

ALTER TABLE marketing.sniper_targets ADD COLUMN IF NOT EXISTS p_convert double precision CHECK (p_convert BETWEEN 0 AND 1);
ALTER TABLE marketing.sniper_targets ADD COLUMN IF NOT EXISTS previous_ple_score double precision;
ALTER TABLE marketing.sniper_targets ADD COLUMN IF NOT EXISTS previous_bit_intent_score double precision;
ALTER TABLE marketing.sniper_targets ADD COLUMN IF NOT EXISTS scores_changed_at timestamptz;

-- A view of its own: v_sniper_targets keeps the columns other programs read (VIEWS.md of the requirements, 0006).
CREATE OR REPLACE VIEW marketing.v_sniper_target_details AS
SELECT v.*, t.p_convert, t.previous_ple_score, t.previous_bit_intent_score, t.scores_changed_at,
       t.ple_score - t.previous_ple_score AS ple_change, t.bit_intent_score - t.previous_bit_intent_score AS bit_change,
       round(extract(epoch FROM now() - t.last_signal_at) / 86400, 1) AS days_since_signal,
       CASE WHEN t.contacts_ready > 0 THEN 'ready' WHEN t.contacts_held > 0 THEN 'unverified' ELSE 'none' END AS contact_readiness
FROM marketing.v_sniper_targets v JOIN marketing.sniper_targets t USING (company_id)
ORDER BY greatest(t.ple_score, t.bit_intent_score) DESC, least(t.ple_score, t.bit_intent_score) DESC, company_id;
COMMENT ON VIEW marketing.v_sniper_target_details IS 'The target list with probability, change since before, freshness and readiness';

CREATE OR REPLACE VIEW marketing.v_bit_surge AS
SELECT s.company_id, c.company_name, s.signals_21_days, s.signals_84_days_before, s.usual_21_days,
       round(s.signals_21_days / greatest(s.usual_21_days, 1), 2) AS surge, s.signal_types, s.last_signal_at
FROM (SELECT company_id, count(*) FILTER (WHERE recent) AS signals_21_days, count(*) FILTER (WHERE NOT recent) AS signals_84_days_before,
             round(count(*) FILTER (WHERE NOT recent) / 4.0, 2) AS usual_21_days,
             array_agg(DISTINCT signal_type) FILTER (WHERE recent) AS signal_types, max(signal_timestamp) AS last_signal_at
      FROM (SELECT company_id, signal_type, signal_timestamp, signal_timestamp > now() - interval '21 days' AS recent
            FROM marketing.bit_signals
            WHERE signal_timestamp > now() - interval '105 days' AND signal_timestamp <= now() AND observed_at <= now()
              AND signal_type <> 'email_open') AS counted
      GROUP BY company_id) AS s
JOIN marketing.company_master c ON c.company_unique_id = s.company_id
WHERE s.signals_21_days > greatest(s.usual_21_days, 1)
ORDER BY surge DESC, s.signals_21_days DESC, s.company_id;
COMMENT ON VIEW marketing.v_bit_surge IS
    'Companies with more signals in the last 21 days than usual: the mean of the four 21-day periods before; e-mail opens left out';
-- What the surge view reads of ten million signals: the last fifteen weeks.
CREATE INDEX IF NOT EXISTS bit_signals_recent ON marketing.bit_signals (signal_timestamp) INCLUDE (company_id, signal_type, observed_at);

DO $$
DECLARE
    described record;
BEGIN
    FOR described IN
        SELECT 'marketing.v_sniper_target_details' AS place, attname AS name, col_description(attrelid, attnum) AS text
        FROM pg_attribute WHERE attrelid = 'marketing.v_sniper_targets'::regclass AND attnum > 0
        UNION ALL SELECT texts.place, texts.name, texts.text FROM (VALUES
        ('intake.outcomes_raw_intake', 'id', 'Row number, given by the database'),
        ('intake.outcomes_raw_intake', 'company', 'Name as given'),
        ('intake.outcomes_raw_intake', 'website', 'As given'),
        ('intake.outcomes_raw_intake', 'company_unique_id', 'Barton ID, when the source knows it'),
        ('intake.outcomes_raw_intake', 'outcome_type', 'attempt, positive_reply, meeting, opportunity, won, declined or lost'),
        ('intake.outcomes_raw_intake', 'lead_reference', 'The source''s name for the lead, deal or thread; joins an attempt and what followed'),
        ('intake.outcomes_raw_intake', 'occurred_at', 'When it happened, ISO 8601'),
        ('intake.outcomes_raw_intake', 'source_system', 'Who says so'),
        ('intake.outcomes_raw_intake', 'external_id', 'The source''s own number of the row'),
        ('intake.outcomes_raw_intake', 'domain', 'Registrable domain of website, set by ple_scores'),
        ('intake.outcomes_raw_intake', 'company_name_key', 'Normalised name, set by ple_scores'),
        ('intake.outcomes_raw_intake', 'import_batch_id', 'Batch the row came with'),
        ('intake.outcomes_raw_intake', 'judged_at', 'When ple_scores judged it'),
        ('intake.outcomes_raw_intake', 'outcome', 'What ple_scores made of the row; NULL not yet judged'),
        ('intake.outcomes_raw_intake', 'outcome_reasons', 'Reason codes'),
        ('intake.outcomes_raw_intake', 'source_file', 'File it was loaded from'),
        ('intake.outcomes_raw_intake', 'source_row', 'Line of that file'),
        ('intake.outcomes_raw_intake', 'raw', 'The row exactly as the file had it'),
        ('intake.outcomes_raw_intake', 'created_at', 'When it was loaded'),
        ('marketing.outcomes', 'id', 'Row number, given by the database'),
        ('marketing.outcomes', 'company_id', 'company_master.company_unique_id'),
        ('marketing.outcomes', 'outcome_type', 'attempt: work on the company began. The others followed'),
        ('marketing.outcomes', 'lead_reference', 'Joins an attempt and what followed; NULL: all of the company''s'),
        ('marketing.outcomes', 'occurred_at', 'When it happened'),
        ('marketing.outcomes', 'observed_at', 'When we learned of it'),
        ('marketing.outcomes', 'source', 'Who says so'),
        ('marketing.outcomes', 'external_id', 'The source''s own number; the same one counts once'),
        ('marketing.outcomes', 'metadata', 'Whatever else is known'),
        ('marketing.ple_training_examples', 'id', 'The attempt in marketing.outcomes'),
        ('marketing.ple_training_examples', 'company_id', 'company_master.company_unique_id'),
        ('marketing.ple_training_examples', 'as_of', 'Moment of the attempt; features are what was known then'),
        ('marketing.ple_training_examples', 'converted', 'Whether a positive outcome followed within the horizon'),
        ('marketing.ple_training_examples', 'features', '{feature: number, word or null}; @feature: its share of the rubric'),
        ('marketing.ple_training_examples', 'built_at', 'When the set was built'),
        ('marketing.ple_models', 'version', 'Method, date and hash of the scorecard'),
        ('marketing.ple_models', 'method', 'How the points were learned'),
        ('marketing.ple_models', 'status', 'champion: scores now; retired: did once; rejected: never'),
        ('marketing.ple_models', 'reason', 'Why it was published or rejected'),
        ('marketing.ple_models', 'scorecard', 'Points by feature and bin, calibration and ranks (docs/learning.md)'),
        ('marketing.ple_models', 'report', 'Numbers of the model card'),
        ('marketing.ple_models', 'card', 'Model card in Markdown'),
        ('marketing.ple_models', 'trained_at', 'When'),
        ('marketing.ple_models', 'trained_until', 'Newest attempt it has seen'),
        ('marketing.ple_models', 'retired_at', 'When another model took its place'),
        ('marketing.companies_to_score', 'id', 'Row number, given by the database'),
        ('marketing.companies_to_score', 'import_batch_id', 'Batch whose run will score it'),
        ('marketing.companies_to_score', 'company_id', 'company_master.company_unique_id'),
        ('marketing.companies_to_score', 'taken', 'Whether a run of the batch has come to it'),
        ('marketing.sniper_targets', 'p_convert', 'Calibrated probability; NULL until a model has earned one'),
        ('marketing.sniper_targets', 'previous_ple_score', 'PLE before the last change'),
        ('marketing.sniper_targets', 'previous_bit_intent_score', 'BIT before the last change'),
        ('marketing.sniper_targets', 'scores_changed_at', 'When PLE or BIT last changed'),
        ('marketing.v_sniper_target_details', 'p_convert', 'Calibrated probability; NULL until a model has earned one'),
        ('marketing.v_sniper_target_details', 'previous_ple_score', 'PLE before the last change'),
        ('marketing.v_sniper_target_details', 'previous_bit_intent_score', 'BIT before the last change'),
        ('marketing.v_sniper_target_details', 'scores_changed_at', 'When PLE or BIT last changed'),
        ('marketing.v_sniper_target_details', 'ple_change', 'PLE now less before'),
        ('marketing.v_sniper_target_details', 'bit_change', 'BIT now less before'),
        ('marketing.v_sniper_target_details', 'days_since_signal', 'Days since the newest signal'),
        ('marketing.v_sniper_target_details', 'contact_readiness', 'ready: a holder has a verified address; unverified: one that nothing speaks against; none'),
        ('marketing.v_bit_surge', 'company_id', 'company_master.company_unique_id'),
        ('marketing.v_bit_surge', 'company_name', 'company_master.company_name, as the export wrote it'),
        ('marketing.v_bit_surge', 'signals_21_days', 'How many signals in the last 21 days, now included'),
        ('marketing.v_bit_surge', 'signals_84_days_before', 'How many in the 84 days before those'),
        ('marketing.v_bit_surge', 'usual_21_days', 'A quarter of those'),
        ('marketing.v_bit_surge', 'surge', 'Recent signals over the usual number, of which at least 1 is assumed'),
        ('marketing.v_bit_surge', 'signal_types', 'Types of the recent ones'),
        ('marketing.v_bit_surge', 'last_signal_at', 'Newest signal')) AS texts (place, name, text)
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', described.place, described.name, described.text);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON intake.outcomes_raw_intake, marketing.outcomes, marketing.ple_training_examples,
            marketing.companies_to_score TO barton_app;
        GRANT SELECT, INSERT, UPDATE ON marketing.ple_models TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA intake, marketing TO barton_app;
        GRANT SELECT ON marketing.v_bit_surge, marketing.v_sniper_target_details TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.interpolate(double precision, double precision[], double precision[]) TO barton_app;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.interpolate(double precision, double precision[], double precision[]) FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT SELECT ON marketing.v_bit_surge, marketing.v_sniper_target_details TO barton_readonly;
    END IF;
END
$$;
