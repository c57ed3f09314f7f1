CREATE OR REPLACE VIEW marketing.v_daily_throughput AS
WITH days AS (
    SELECT (now() AT TIME ZONE 'UTC')::date - n AS date
    FROM generate_series(0, 29) AS n
),

processed AS (
    SELECT
        date,
        sum(processed) AS processed,
        sum(seconds) AS seconds
    FROM marketing.event_days
    WHERE date > (now() AT TIME ZONE 'UTC')::date - 30
    GROUP BY date
),

unfinished AS (
    SELECT
        (created_at AT TIME ZONE 'UTC')::date AS date,
        count(*) FILTER (WHERE status = 'failed') AS failed,
        count(*) FILTER (WHERE status <> 'failed') AS pending
    FROM (
        SELECT
            created_at,
            status
        FROM marketing.pipeline_events
        WHERE status = 'pending'
        UNION ALL
        SELECT
            created_at,
            status
        FROM marketing.pipeline_events
        WHERE status = 'processing'
        UNION ALL
        SELECT
            created_at,
            status
        FROM marketing.pipeline_events
        WHERE status = 'failed'
    ) AS e
    GROUP BY 1
)

SELECT
    date,
    (coalesce(p.processed, 0) + coalesce(u.failed, 0) + coalesce(u.pending, 0))::bigint AS total_events,
    coalesce(p.processed, 0)::bigint AS processed_events,
    coalesce(u.failed, 0) AS failed_events,
    coalesce(u.pending, 0) AS pending_events,
    round((p.seconds / nullif(p.processed, 0)::float8)::numeric, 3) AS avg_processing_time_seconds
FROM days
LEFT JOIN processed p USING (date)
LEFT JOIN unfinished u USING (date)
ORDER BY date DESC;
COMMENT ON VIEW marketing.v_daily_throughput IS
'Events by the UTC day of their creation, 30 days, today first; pending includes what is being worked on; purged '
'events still count';
COMMENT ON COLUMN marketing.v_daily_throughput.date IS 'UTC day';
COMMENT ON COLUMN marketing.v_daily_throughput.total_events IS 'Created on that day';
COMMENT ON COLUMN marketing.v_daily_throughput.processed_events IS 'Of these, done';
COMMENT ON COLUMN marketing.v_daily_throughput.failed_events IS 'Of these, dead letters';
COMMENT ON COLUMN marketing.v_daily_throughput.pending_events IS 'Of these, waiting or being worked on';
COMMENT ON COLUMN marketing.v_daily_throughput.avg_processing_time_seconds IS 'Mean seconds from creation to end';
