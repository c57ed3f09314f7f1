-- The monitoring views (contract: names and order of the first columns) and what makes them fast over ten million events.
-- An error rate counts status error and timeout; cancelled runs are no errors.

-- Processed events per day of their creation, as they are processed: rows are only added, so that runs which end at
-- once do not wait for each other; the nightly purge adds them up. What is not processed is counted live.
CREATE TABLE IF NOT EXISTS marketing.event_days (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    date      date NOT NULL,
    processed bigint NOT NULL,
    seconds   double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS event_days_date ON marketing.event_days (date);
COMMENT ON TABLE marketing.event_days IS 'Processed events per day, in instalments; outlives the events themselves';
COMMENT ON COLUMN marketing.event_days.id IS 'Order of writing';
COMMENT ON COLUMN marketing.event_days.date IS 'UTC day on which the events were created';
COMMENT ON COLUMN marketing.event_days.processed IS 'How many of them this instalment stands for';
COMMENT ON COLUMN marketing.event_days.seconds IS 'Sum of the seconds between their creation and their end';

INSERT INTO marketing.event_days (date, processed, seconds)
SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), sum(extract(epoch FROM processed_at - created_at))
FROM marketing.pipeline_events
WHERE status = 'processed' AND NOT EXISTS (SELECT FROM marketing.event_days) GROUP BY 1;

CREATE OR REPLACE FUNCTION marketing.count_processed_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO marketing.event_days (date, processed, seconds)
    SELECT (n.created_at AT TIME ZONE 'UTC')::date, count(*), sum(extract(epoch FROM n.processed_at - n.created_at))
    FROM new_rows n JOIN old_rows o USING (id) WHERE n.status = 'processed' AND o.status <> 'processed' GROUP BY 1;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION marketing.count_processed_events() FROM PUBLIC;
COMMENT ON FUNCTION marketing.count_processed_events() IS 'Trigger: adds the events that have just been processed to event_days';
CREATE OR REPLACE TRIGGER pipeline_events_count_processed
    AFTER UPDATE ON marketing.pipeline_events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION marketing.count_processed_events();

CREATE OR REPLACE FUNCTION marketing.add_up_event_days() RETURNS bigint LANGUAGE sql AS $$
    WITH instalments AS (
        DELETE FROM marketing.event_days WHERE id IN (
            SELECT id FROM marketing.event_days ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING *
    ), days AS (
        INSERT INTO marketing.event_days (date, processed, seconds)
        SELECT date, sum(processed), sum(seconds) FROM instalments
        WHERE date > (now() AT TIME ZONE 'UTC')::date - 400 GROUP BY date RETURNING 1
    )
    SELECT (SELECT count(*) FROM instalments) - (SELECT count(*) FROM days)
$$;
COMMENT ON FUNCTION marketing.add_up_event_days() IS 'One row per day instead of many, and none older than 400 days; rows saved';

CREATE INDEX IF NOT EXISTS pipeline_errors_worst_first ON marketing.pipeline_errors
    (array_position(ARRAY['critical', 'error', 'warning'], severity), created_at DESC) WHERE NOT resolved;
-- the views read name, status and seconds of a stretch of time: out of the index alone
DROP INDEX IF EXISTS marketing.workflow_stats_created;
CREATE INDEX workflow_stats_created ON marketing.workflow_stats (created_at DESC) INCLUDE (workflow_name, status, duration_seconds);

CREATE OR REPLACE VIEW marketing.v_workflow_stats_recent AS
SELECT workflow_name, status, duration_seconds, error_message, triggered_by, batch_id, created_at
FROM marketing.workflow_stats WHERE created_at > now() - interval '24 hours' ORDER BY created_at DESC LIMIT 1000;
COMMENT ON VIEW marketing.v_workflow_stats_recent IS 'Stage executions of the last 24 hours, newest first, at most 1,000';

CREATE OR REPLACE VIEW marketing.v_workflow_summary AS
SELECT workflow_name, count(*) AS total_runs, count(*) FILTER (WHERE status = 'ok') AS successful_runs,
       count(*) FILTER (WHERE status = 'error') AS error_runs, count(*) FILTER (WHERE status = 'timeout') AS timeout_runs,
       round(100.0 * count(*) FILTER (WHERE status IN ('error', 'timeout')) / count(*), 2) AS error_rate_pct,
       round(avg(duration_seconds), 3) AS avg_duration_seconds, max(created_at) AS last_run_at
FROM marketing.workflow_stats WHERE created_at > now() - interval '7 days' GROUP BY workflow_name ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_summary IS 'Each workflow over 7 days';

CREATE OR REPLACE VIEW marketing.v_workflow_stats_hourly AS
SELECT workflow_name, count(*) AS runs_last_hour, count(*) FILTER (WHERE status IN ('error', 'timeout')) AS errors_last_hour,
       round(avg(duration_seconds), 3) AS avg_duration, max(created_at) AS last_run
FROM marketing.workflow_stats WHERE created_at > now() - interval '1 hour' GROUP BY workflow_name ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_stats_hourly IS 'Each workflow that ran in the last hour';

CREATE OR REPLACE VIEW marketing.v_phase_stats AS
SELECT phase.phase, count(w.created_at) AS total_runs, count(*) FILTER (WHERE w.status IN ('error', 'timeout')) AS errors,
       coalesce(round(100.0 * count(*) FILTER (WHERE w.status IN ('error', 'timeout')) / nullif(count(w.created_at), 0), 2), 0) AS error_rate,
       round(avg(w.duration_seconds), 3) AS avg_duration
FROM unnest(ARRAY['enrichment', 'intelligence', 'messaging', 'delivery']) WITH ORDINALITY AS phase (phase, place)
LEFT JOIN marketing.pipeline_stages s ON s.phase = phase.phase
LEFT JOIN marketing.workflow_stats w ON w.workflow_name = s.stage AND w.created_at > now() - interval '24 hours'
GROUP BY phase.phase, phase.place ORDER BY phase.place;
COMMENT ON VIEW marketing.v_phase_stats IS 'The four phases over 24 hours, all always present; a stage''s phase is pipeline_stages.phase';

CREATE OR REPLACE VIEW marketing.v_workflow_health AS
WITH known AS (
    SELECT stage AS workflow_name, position::integer FROM marketing.pipeline_stages
    UNION ALL
    SELECT workflow_name, NULL FROM marketing.workflow_stats WHERE created_at > now() - interval '24 hours'
       AND workflow_name NOT IN (SELECT stage FROM marketing.pipeline_stages) GROUP BY workflow_name
), counted AS (
    SELECT k.workflow_name, k.position, count(w.created_at) AS total_runs,
           count(*) FILTER (WHERE w.status IN ('error', 'timeout')) AS error_count,
           avg(w.duration_seconds) AS seconds, max(w.created_at) AS last_run
    FROM known k
    LEFT JOIN marketing.workflow_stats w ON w.workflow_name = k.workflow_name AND w.created_at > now() - interval '1 hour'
    GROUP BY k.workflow_name, k.position
)
SELECT workflow_name, total_runs, error_count, coalesce(round(100.0 * error_count / nullif(total_runs, 0), 2), 0) AS error_rate_pct,
       round(seconds, 3) AS avg_duration_sec, last_run,
       CASE WHEN total_runs = 0 THEN 'idle' WHEN error_count > 0.10 * total_runs THEN 'critical'
            WHEN error_count > 0.05 * total_runs THEN 'warning' ELSE 'healthy' END AS health_status
FROM counted ORDER BY position NULLS LAST, workflow_name;
COMMENT ON VIEW marketing.v_workflow_health IS
    'Every stage, and whatever else ran within 24 hours, over the last hour: critical above 10 % errors, warning above 5 %, idle without a run';

CREATE OR REPLACE VIEW marketing.v_error_recent AS
SELECT id, event_type, record_id, error_message, severity, resolved, created_at, import_batch_id
FROM marketing.pipeline_errors WHERE created_at > now() - interval '7 days' ORDER BY created_at DESC, id DESC LIMIT 200;
COMMENT ON VIEW marketing.v_error_recent IS 'Errors of the last 7 days, newest first, at most 200';

CREATE OR REPLACE VIEW marketing.v_daily_throughput AS
WITH days AS (
    SELECT (now() AT TIME ZONE 'UTC')::date - n AS date FROM generate_series(0, 29) AS n
), processed AS (
    SELECT date, sum(processed) AS processed, sum(seconds) AS seconds FROM marketing.event_days
    WHERE date > (now() AT TIME ZONE 'UTC')::date - 30 GROUP BY date
), unfinished AS (
    SELECT (created_at AT TIME ZONE 'UTC')::date AS date, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status <> 'failed') AS pending
    FROM (SELECT created_at, status FROM marketing.pipeline_events WHERE status = 'pending'
          UNION ALL SELECT created_at, status FROM marketing.pipeline_events WHERE status = 'processing'
          UNION ALL SELECT created_at, status FROM marketing.pipeline_events WHERE status = 'failed') AS e
    GROUP BY 1
)
SELECT date, (coalesce(p.processed, 0) + coalesce(u.failed, 0) + coalesce(u.pending, 0))::bigint AS total_events,
       coalesce(p.processed, 0)::bigint AS processed_events, coalesce(u.failed, 0) AS failed_events,
       coalesce(u.pending, 0) AS pending_events, round((p.seconds / nullif(p.processed, 0)::float8)::numeric, 3) AS avg_processing_time_seconds
FROM days LEFT JOIN processed p USING (date) LEFT JOIN unfinished u USING (date) ORDER BY date DESC;
COMMENT ON VIEW marketing.v_daily_throughput IS
    'Events by the UTC day of their creation, 30 days, today first; pending includes what is being worked on; purged events still count';

CREATE OR REPLACE VIEW marketing.vw_error_rate_24h AS
SELECT event_type, count(*) AS error_count, count(*) FILTER (WHERE severity = 'critical') AS critical_count,
       count(*) FILTER (WHERE NOT resolved) AS unresolved_count, round(count(*) / 24.0, 2) AS errors_per_hour,
       round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS share_pct, max(created_at) AS last_error_at
FROM marketing.pipeline_errors WHERE created_at > now() - interval '24 hours' GROUP BY event_type ORDER BY error_count DESC, event_type;
COMMENT ON VIEW marketing.vw_error_rate_24h IS 'Errors of the last 24 hours per event type: number, per hour, and share of all';

DO $$
DECLARE
    described record;
BEGIN
    FOR described IN SELECT * FROM (VALUES
        ('workflow_name', 'Stage or other workflow'), ('status', 'ok, error, timeout or cancelled'),
        ('duration_seconds', 'Seconds it took'), ('error_message', 'What went wrong, in words'),
        ('triggered_by', 'event, schedule, manual or backfill'), ('batch_id', 'Batch it worked on'),
        ('created_at', 'When it ended, or when it was logged'), ('total_runs', 'Executions in the window'),
        ('successful_runs', 'Those that ended ok'), ('error_runs', 'Those that ended in error'),
        ('timeout_runs', 'Those that ran out of time'), ('error_rate_pct', 'Percent that ended in error or timeout'),
        ('avg_duration_seconds', 'Mean seconds'), ('last_run_at', 'Newest execution in the window'),
        ('runs_last_hour', 'Executions'), ('errors_last_hour', 'Those in error or timeout'), ('avg_duration', 'Mean seconds'),
        ('last_run', 'Newest execution in the window'), ('phase', 'enrichment, intelligence, messaging or delivery'),
        ('errors', 'Executions in error or timeout'), ('error_rate', 'Percent of executions in error or timeout'),
        ('error_count', 'How many'), ('avg_duration_sec', 'Mean seconds'), ('health_status', 'healthy, warning, critical or idle'),
        ('id', 'Row of pipeline_errors'), ('event_type', 'What it was about'), ('record_id', 'Which record, if one'),
        ('severity', 'warning, error or critical'), ('resolved', 'Whether somebody closed it'),
        ('import_batch_id', 'Whose batch'), ('date', 'UTC day'), ('total_events', 'Created on that day'),
        ('processed_events', 'Of these, done'), ('failed_events', 'Of these, dead letters'),
        ('pending_events', 'Of these, waiting or being worked on'), ('avg_processing_time_seconds', 'Mean seconds from creation to end'),
        ('critical_count', 'Of these, critical'), ('unresolved_count', 'Of these, open'), ('errors_per_hour', 'Mean over the window'),
        ('share_pct', 'Percent of all errors'), ('last_error_at', 'The newest')) AS texts (name, text)
        JOIN information_schema.columns c ON c.column_name = texts.name AND c.table_schema = 'marketing'
         AND c.table_name IN ('v_workflow_stats_recent', 'v_workflow_summary', 'v_workflow_stats_hourly', 'v_phase_stats',
                              'v_workflow_health', 'v_error_recent', 'v_daily_throughput', 'vw_error_rate_24h')
    LOOP
        EXECUTE format('COMMENT ON COLUMN marketing.%I.%I IS %L', described.table_name, described.name, described.text);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON marketing.event_days TO barton_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA marketing TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.add_up_event_days() TO barton_app;
        GRANT SELECT ON marketing.v_workflow_stats_recent, marketing.v_workflow_summary, marketing.v_workflow_stats_hourly,
            marketing.v_phase_stats, marketing.v_workflow_health, marketing.v_error_recent, marketing.v_daily_throughput,
            marketing.vw_error_rate_24h TO barton_app;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_readonly') THEN
        GRANT SELECT ON marketing.v_workflow_stats_recent, marketing.v_workflow_summary, marketing.v_workflow_stats_hourly,
            marketing.v_phase_stats, marketing.v_workflow_health, marketing.v_error_recent, marketing.v_daily_throughput,
            marketing.vw_error_rate_24h TO barton_readonly;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.add_up_event_days() FROM PUBLIC;
END
$$;
