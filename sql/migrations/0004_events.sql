-- The event queue, the error log and the stage statistics. Protocol: docs/event-protocol.md.
CREATE TABLE IF NOT EXISTS marketing.pipeline_stages (
    stage    text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    phase    text NOT NULL CHECK (phase IN ('enrichment', 'intelligence', 'messaging', 'delivery'))
);
COMMENT ON TABLE marketing.pipeline_stages IS 'The stages in run order and the phase each belongs to';
INSERT INTO marketing.pipeline_stages (stage, position, phase) VALUES
    ('raw_intake', 1, 'enrichment'),
    ('validated_companies', 2, 'enrichment'),
    ('company_master', 3, 'enrichment'),
    ('company_slots', 4, 'enrichment'),
    ('enriched_contacts', 5, 'enrichment'),
    ('verified_emails', 6, 'enrichment'),
    ('bit_scores', 7, 'intelligence'),
    ('ple_scores', 8, 'intelligence'),
    ('sniper_targets', 9, 'intelligence')
ON CONFLICT (stage) DO UPDATE SET position = excluded.position, phase = excluded.phase;

CREATE TABLE IF NOT EXISTS marketing.event_routes (
    event_type  text PRIMARY KEY,
    entry_stage text REFERENCES marketing.pipeline_stages
);
COMMENT ON TABLE marketing.event_routes IS
    'First stage an event makes stale; that stage and all after it must run. NULL: informational, no run';
INSERT INTO marketing.event_routes (event_type, entry_stage) VALUES
    ('company_created', 'raw_intake'),
    ('company_updated', 'raw_intake'),
    ('company_promoted', 'company_slots'),
    ('company_master_updated', 'company_slots'),
    ('slot_created', 'enriched_contacts'),
    ('contact_created', 'enriched_contacts'),
    ('contact_updated', 'enriched_contacts'),
    ('slot_updated', 'verified_emails'),
    ('signal_received', 'bit_scores'),
    ('signal_recorded', 'bit_scores'),
    ('email_verified', 'ple_scores'),
    ('email_failed', 'ple_scores'),
    ('message_sent', NULL),
    ('message_delivered', NULL)
ON CONFLICT (event_type) DO UPDATE SET entry_stage = excluded.entry_stage;
-- A partial run by hand hands the rest over with 'continue_at_<stage>'.
INSERT INTO marketing.event_routes (event_type, entry_stage)
SELECT 'continue_at_' || stage, stage FROM marketing.pipeline_stages
ON CONFLICT (event_type) DO UPDATE SET entry_stage = excluded.entry_stage;

CREATE TABLE IF NOT EXISTS marketing.pipeline_events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type      text NOT NULL,
    payload         jsonb NOT NULL DEFAULT '{}',
    import_batch_id text,
    status          text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'processed', 'failed')),
    attempts        smallint NOT NULL DEFAULT 0,
    crashes         smallint NOT NULL DEFAULT 0,
    available_at    timestamptz NOT NULL DEFAULT now(),
    lease_token     uuid,
    lease_until     timestamptz,
    claimed_by      text,
    n_rows          bigint NOT NULL DEFAULT 1,
    first_record_id text,
    last_record_id  text,
    raised_by       uuid,
    error_message   text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    processed_at    timestamptz,
    CONSTRAINT pipeline_events_lease CHECK
        ((status = 'processing') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)),
    CONSTRAINT pipeline_events_end CHECK ((status IN ('processed', 'failed')) = (processed_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS pipeline_events_pending
    ON marketing.pipeline_events (import_batch_id, available_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS pipeline_events_processing
    ON marketing.pipeline_events (lease_token) WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS pipeline_events_busy
    ON marketing.pipeline_events (import_batch_id) WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS pipeline_events_failed
    ON marketing.pipeline_events (import_batch_id) WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS pipeline_events_created ON marketing.pipeline_events (created_at);
COMMENT ON TABLE marketing.pipeline_events IS 'Transactional outbox: each row is a hint that a batch has work';
COMMENT ON COLUMN marketing.pipeline_events.attempts IS 'Runs started for this event';
COMMENT ON COLUMN marketing.pipeline_events.crashes IS 'Of those, the ones whose worker vanished';
COMMENT ON COLUMN marketing.pipeline_events.lease_token IS 'Fence: only the holder may finish or fail the event';
COMMENT ON COLUMN marketing.pipeline_events.claimed_by IS 'Dagster run that works on it';
COMMENT ON COLUMN marketing.pipeline_events.n_rows IS 'Rows this event stands for (coalesced above 100 a statement)';
COMMENT ON COLUMN marketing.pipeline_events.raised_by IS 'Lease token of the run whose own writes raised it';

CREATE TABLE IF NOT EXISTS marketing.pipeline_errors (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type       text NOT NULL,
    record_id        text,
    import_batch_id  text,
    error_message    text NOT NULL,
    error_details    jsonb NOT NULL DEFAULT '{}',
    severity         text NOT NULL DEFAULT 'error' CHECK (severity IN ('warning', 'error', 'critical')),
    resolved         boolean NOT NULL DEFAULT false,
    resolved_at      timestamptz,
    resolved_by      text,
    resolution_notes text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pipeline_errors_resolution CHECK (resolved = (resolved_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS pipeline_errors_open ON marketing.pipeline_errors (created_at) WHERE NOT resolved;
CREATE INDEX IF NOT EXISTS pipeline_errors_created ON marketing.pipeline_errors (created_at);
COMMENT ON TABLE marketing.pipeline_errors IS 'Every failure, with enough to act on';

CREATE TABLE IF NOT EXISTS marketing.workflow_stats (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_name    text NOT NULL,
    status           text NOT NULL CHECK (status IN ('ok', 'error', 'timeout', 'cancelled')),
    duration_seconds numeric(12, 3),
    error_message    text,
    triggered_by     text NOT NULL CHECK (triggered_by IN ('event', 'schedule', 'manual', 'backfill')),
    batch_id         text,
    record_id        text,
    metadata         jsonb NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS workflow_stats_name_created ON marketing.workflow_stats (workflow_name, created_at DESC);
CREATE INDEX IF NOT EXISTS workflow_stats_status ON marketing.workflow_stats (status);
CREATE INDEX IF NOT EXISTS workflow_stats_created ON marketing.workflow_stats (created_at DESC);
CREATE INDEX IF NOT EXISTS workflow_stats_batch ON marketing.workflow_stats (batch_id);
CREATE INDEX IF NOT EXISTS workflow_stats_triggered_by ON marketing.workflow_stats (triggered_by);
COMMENT ON TABLE marketing.workflow_stats IS 'One row per stage execution';

CREATE TABLE IF NOT EXISTS marketing.batch_stages (
    import_batch_id text NOT NULL,
    stage           text NOT NULL REFERENCES marketing.pipeline_stages,
    run_id          text NOT NULL,
    rows_in         bigint NOT NULL,
    rows_out        bigint NOT NULL,
    rows_rejected   bigint NOT NULL,
    completed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_batch_id, stage)
);
COMMENT ON TABLE marketing.batch_stages IS 'When each stage last completed for a batch, and what it counted';

-- Wakes listeners. A transaction that notifies holds a cluster-wide lock until its commit is flushed, so only one
-- open transaction notifies at a time; listeners drain the table and poll, so a skipped wake-up loses nothing.
CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('barton.wake_listeners', 0)) THEN
        PERFORM pg_notify('pipeline_event', jsonb_build_object(
            'event_type', left(event_type, 100), 'import_batch_id', left(import_batch_id, 100), 'rows', n_rows)::text);
    END IF;
END
$$;
COMMENT ON FUNCTION marketing.wake_listeners(text, text, bigint) IS 'Gated pg_notify(pipeline_event): ids and counts only';

CREATE OR REPLACE FUNCTION marketing.notify_pipeline_event(
    event_type text, payload jsonb DEFAULT '{}', import_batch_id text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch text := coalesce(import_batch_id, payload->>'import_batch_id');
    event_id bigint;
BEGIN
    INSERT INTO marketing.pipeline_events (event_type, payload, import_batch_id, first_record_id, last_record_id, raised_by)
    VALUES (event_type, coalesce(payload, '{}'), batch, payload->>'record_id', payload->>'record_id',
            nullif(current_setting('barton.lease_token', true), '')::uuid)
    RETURNING id INTO event_id;
    PERFORM marketing.wake_listeners(event_type, batch, 1);
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION marketing.notify_pipeline_event(text, jsonb, text) IS 'Queues one event by hand; returns its id';

CREATE OR REPLACE FUNCTION marketing.mark_event_processed(event_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'processed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = NULL
    WHERE id = event_id AND status IN ('pending', 'processing');
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_processed(bigint) IS 'Ends an open event as processed; false when it was not open';

CREATE OR REPLACE FUNCTION marketing.log_pipeline_error(
    event_type text, record_id text, error_message text, error_details jsonb DEFAULT '{}',
    severity text DEFAULT 'error', import_batch_id text DEFAULT NULL) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO marketing.pipeline_errors (event_type, record_id, error_message, error_details, severity, import_batch_id)
    VALUES ($1, $2, $3, coalesce($4, '{}'), $5, coalesce($6, $4->>'import_batch_id'))
    RETURNING id
$$;
COMMENT ON FUNCTION marketing.log_pipeline_error(text, text, text, jsonb, text, text) IS 'Adds to the error log; returns the id';

CREATE OR REPLACE FUNCTION marketing.mark_event_failed(event_id bigint, message text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    event marketing.pipeline_events;
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'failed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = message
    WHERE id = event_id AND status IN ('pending', 'processing')
    RETURNING * INTO event;
    IF event.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM marketing.log_pipeline_error(event.event_type, event.first_record_id, message,
        jsonb_build_object('event_id', event.id, 'attempts', event.attempts), 'error', event.import_batch_id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_failed(bigint, text) IS 'Dead-letters an open event and logs the error';

CREATE OR REPLACE FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = by_whom, resolution_notes = notes
    WHERE id = error_id AND NOT resolved;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.resolve_pipeline_error(bigint, text, text) IS 'Closes an open error; false when it was not open';
