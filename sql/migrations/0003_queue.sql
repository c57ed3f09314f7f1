-- The event queue, the error log and the statistics of stages (docs/explanation/event-protocol.md).

CREATE TABLE IF NOT EXISTS marketing.pipeline_stages (
    stage text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    phase text NOT NULL CHECK (phase IN ('enrichment', 'intelligence', 'messaging', 'delivery'))
);
COMMENT ON TABLE marketing.pipeline_stages IS 'The stages in run order and the phase each belongs to';
COMMENT ON COLUMN marketing.pipeline_stages.stage IS 'Dagster asset name, and the name of its file in sql/stages';
COMMENT ON COLUMN marketing.pipeline_stages.position IS
'Place in the run, from 1; an event makes its entry stage and all later ones stale';
COMMENT ON COLUMN marketing.pipeline_stages.phase IS
'Card of the dashboard: enrichment, intelligence, messaging or delivery';

CREATE TABLE IF NOT EXISTS marketing.event_routes (
    event_type text PRIMARY KEY,
    entry_stage text REFERENCES marketing.pipeline_stages
);
COMMENT ON TABLE marketing.event_routes IS
'First stage an event makes stale; that stage and all after it must run. NULL: informational, no run';
COMMENT ON COLUMN marketing.event_routes.event_type IS
'Value of pipeline_events.event_type; a type without a row here starts no run';
COMMENT ON COLUMN marketing.event_routes.entry_stage IS 'First stage the event makes stale; NULL: no run';

CREATE TABLE IF NOT EXISTS marketing.pipeline_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    import_batch_id text,
    status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'processing', 'processed', 'failed')),
    attempts smallint NOT NULL DEFAULT 0,
    crashes smallint NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT now(),
    lease_token uuid,
    lease_until timestamptz,
    claimed_by text,
    n_rows bigint NOT NULL DEFAULT 1,
    first_record_id text,
    last_record_id text,
    raised_by uuid,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    CONSTRAINT pipeline_events_lease CHECK (
        (status = 'processing') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)
    ),
    CONSTRAINT pipeline_events_end CHECK ((status IN ('processed', 'failed')) = (processed_at IS NOT NULL))
);
COMMENT ON TABLE marketing.pipeline_events IS 'Transactional outbox: each row is a hint that a batch has work';
COMMENT ON COLUMN marketing.pipeline_events.id IS 'Order of writing, not of commit: never consume by it';
COMMENT ON COLUMN marketing.pipeline_events.event_type IS 'What changed; event_routes says where the work begins';
COMMENT ON COLUMN marketing.pipeline_events.payload IS
'record_id and import_batch_id; for single rows business columns such as company and website, else count and range';
COMMENT ON COLUMN marketing.pipeline_events.import_batch_id IS
'Batch that has work; an event that needs a run and names none ends as failed';
COMMENT ON COLUMN marketing.pipeline_events.status IS
'pending, processing, processed or failed (dead letter); docs/explanation/event-protocol.md';
COMMENT ON COLUMN marketing.pipeline_events.attempts IS 'Runs started for this event';
COMMENT ON COLUMN marketing.pipeline_events.crashes IS 'Of those, the ones whose worker vanished';
COMMENT ON COLUMN marketing.pipeline_events.available_at IS 'Not before this moment; retries move it';
COMMENT ON COLUMN marketing.pipeline_events.lease_token IS 'Fence: only the holder may finish or fail the event';
COMMENT ON COLUMN marketing.pipeline_events.lease_until IS
'Until when the run may be silent, server time; NULL unless processing';
COMMENT ON COLUMN marketing.pipeline_events.claimed_by IS 'Dagster run that works on it';
COMMENT ON COLUMN marketing.pipeline_events.n_rows IS 'Rows this event stands for (coalesced above 100 a statement)';
COMMENT ON COLUMN marketing.pipeline_events.first_record_id IS
'Lowest record the event stands for; a range is a superset';
COMMENT ON COLUMN marketing.pipeline_events.last_record_id IS
'Highest record the event stands for; the same as first_record_id for a single row';
COMMENT ON COLUMN marketing.pipeline_events.raised_by IS 'Lease token of the run whose own writes raised it';
COMMENT ON COLUMN marketing.pipeline_events.error_message IS
'Why the last attempt failed; NULL when none did, and again once processed';
COMMENT ON COLUMN marketing.pipeline_events.created_at IS 'Start of the transaction that raised it';
COMMENT ON COLUMN marketing.pipeline_events.processed_at IS 'When it ended; NULL while pending or processing';

CREATE INDEX IF NOT EXISTS pipeline_events_busy
ON marketing.pipeline_events (import_batch_id)
WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS pipeline_events_created ON marketing.pipeline_events (created_at);
CREATE INDEX IF NOT EXISTS pipeline_events_failed
ON marketing.pipeline_events (import_batch_id)
WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS pipeline_events_pending
ON marketing.pipeline_events (import_batch_id, available_at)
WHERE status = 'pending';
-- Lets the sensor see which types are pending without reading every event.
CREATE INDEX IF NOT EXISTS pipeline_events_pending_type
ON marketing.pipeline_events (event_type)
WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS pipeline_events_processing
ON marketing.pipeline_events (lease_token)
WHERE status = 'processing';

CREATE TABLE IF NOT EXISTS marketing.event_days (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    date date NOT NULL,
    processed bigint NOT NULL,
    seconds double precision NOT NULL
);
COMMENT ON TABLE marketing.event_days IS 'Processed events per day, in instalments; outlives the events themselves';
COMMENT ON COLUMN marketing.event_days.id IS 'Order of writing';
COMMENT ON COLUMN marketing.event_days.date IS 'UTC day on which the events were created';
COMMENT ON COLUMN marketing.event_days.processed IS 'How many of them this instalment stands for';
COMMENT ON COLUMN marketing.event_days.seconds IS 'Sum of the seconds between their creation and their end';

CREATE INDEX IF NOT EXISTS event_days_date ON marketing.event_days (date);

CREATE TABLE IF NOT EXISTS marketing.pipeline_errors (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type text NOT NULL,
    record_id text,
    import_batch_id text,
    error_message text NOT NULL,
    error_details jsonb NOT NULL DEFAULT '{}',
    severity text NOT NULL DEFAULT 'error' CHECK (severity IN ('warning', 'error', 'critical')),
    resolved boolean NOT NULL DEFAULT false,
    resolved_at timestamptz,
    resolved_by text,
    resolution_notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pipeline_errors_resolution CHECK (resolved = (resolved_at IS NOT NULL))
);
COMMENT ON TABLE marketing.pipeline_errors IS 'Every failure, with enough to act on';
COMMENT ON COLUMN marketing.pipeline_errors.id IS 'For barton errors --resolve';
COMMENT ON COLUMN marketing.pipeline_errors.event_type IS
'Stage, check_<name>, dead_letter, worker_lost, signal_type_unknown, or the type of the event that failed';
COMMENT ON COLUMN marketing.pipeline_errors.record_id IS 'Row, event or run concerned, as text; NULL when none is';
COMMENT ON COLUMN marketing.pipeline_errors.import_batch_id IS 'Batch concerned; NULL when none is';
COMMENT ON COLUMN marketing.pipeline_errors.error_message IS 'What happened, to which rows, and what to do';
COMMENT ON COLUMN marketing.pipeline_errors.error_details IS 'Samples, traceback, remedy';
COMMENT ON COLUMN marketing.pipeline_errors.severity IS
'warning (look when convenient), error, critical (a dead letter or a blocking check: nothing goes on)';
COMMENT ON COLUMN marketing.pipeline_errors.resolved IS 'Whether somebody closed it';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_at IS 'When it was closed; NULL while open';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_by IS
'Operating-system user of barton errors --resolve, barton retry, or who called resolve_pipeline_error; NULL while '
'open';
COMMENT ON COLUMN marketing.pipeline_errors.resolution_notes IS 'What was done, in the closer''s words; may be NULL';
COMMENT ON COLUMN marketing.pipeline_errors.created_at IS 'When it happened';

CREATE INDEX IF NOT EXISTS pipeline_errors_created ON marketing.pipeline_errors (created_at);
CREATE INDEX IF NOT EXISTS pipeline_errors_open ON marketing.pipeline_errors (created_at) WHERE NOT resolved;
CREATE INDEX IF NOT EXISTS pipeline_errors_worst_first
ON marketing.pipeline_errors (array_position(ARRAY['critical', 'error', 'warning'], severity), created_at DESC)
WHERE NOT resolved;

CREATE TABLE IF NOT EXISTS marketing.workflow_stats (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_name text NOT NULL,
    status text NOT NULL CHECK (status IN ('ok', 'error', 'timeout', 'cancelled')),
    duration_seconds numeric(12, 3),
    error_message text,
    triggered_by text NOT NULL CHECK (triggered_by IN ('event', 'schedule', 'manual', 'backfill')),
    batch_id text,
    record_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.workflow_stats IS 'One row per stage execution';
COMMENT ON COLUMN marketing.workflow_stats.id IS 'Order of writing';
COMMENT ON COLUMN marketing.workflow_stats.workflow_name IS 'The stage: pipeline_stages.stage';
COMMENT ON COLUMN marketing.workflow_stats.status IS
'ok, error, timeout (the server cancelled the statement) or cancelled (run terminated)';
COMMENT ON COLUMN marketing.workflow_stats.duration_seconds IS
'Wall-clock time of the stage, seconds to the millisecond';
COMMENT ON COLUMN marketing.workflow_stats.error_message IS 'First 2,000 characters; NULL when ok';
COMMENT ON COLUMN marketing.workflow_stats.triggered_by IS
'event (the queue), schedule, manual (UI or barton run without pending events) or backfill';
COMMENT ON COLUMN marketing.workflow_stats.batch_id IS 'import_batch_id the stage ran on';
COMMENT ON COLUMN marketing.workflow_stats.record_id IS 'For other writers; stages work on batches and leave it NULL';
COMMENT ON COLUMN marketing.workflow_stats.metadata IS 'run_id and the stage''s counts; only run_id when it failed';
COMMENT ON COLUMN marketing.workflow_stats.created_at IS
'ok: start of the stage''s transaction, not its end; else when the failure was recorded';

CREATE INDEX IF NOT EXISTS workflow_stats_batch ON marketing.workflow_stats (batch_id);
CREATE INDEX IF NOT EXISTS workflow_stats_created
ON marketing.workflow_stats (created_at DESC)
INCLUDE (workflow_name, status, duration_seconds);
CREATE INDEX IF NOT EXISTS workflow_stats_name_created ON marketing.workflow_stats (workflow_name, created_at DESC);
CREATE INDEX IF NOT EXISTS workflow_stats_status ON marketing.workflow_stats (status);
CREATE INDEX IF NOT EXISTS workflow_stats_triggered_by ON marketing.workflow_stats (triggered_by);

CREATE TABLE IF NOT EXISTS marketing.batch_stages (
    import_batch_id text NOT NULL,
    stage text NOT NULL REFERENCES marketing.pipeline_stages,
    run_id text NOT NULL,
    rows_in bigint NOT NULL,
    rows_out bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    completed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (import_batch_id, stage)
);
COMMENT ON TABLE marketing.batch_stages IS 'When each stage last completed for a batch, and what it counted';
COMMENT ON COLUMN marketing.batch_stages.import_batch_id IS 'Batch that has passed the stage at least once';
COMMENT ON COLUMN marketing.batch_stages.stage IS 'The stage that completed: pipeline_stages.stage';
COMMENT ON COLUMN marketing.batch_stages.run_id IS 'Dagster run of the latest completion; barton run has one too';
COMMENT ON COLUMN marketing.batch_stages.rows_in IS 'Rows the stage looked at';
COMMENT ON COLUMN marketing.batch_stages.rows_out IS 'Rows it passed on';
COMMENT ON COLUMN marketing.batch_stages.rows_rejected IS 'Rows it turned away with a reason';
COMMENT ON COLUMN marketing.batch_stages.completed_at IS
'Latest completion; a stage that has never completed has no row';
