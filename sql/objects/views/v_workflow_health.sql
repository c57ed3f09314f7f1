CREATE OR REPLACE VIEW marketing.v_workflow_health AS
WITH known AS (
    SELECT
        stage AS workflow_name,
        position::integer
    FROM marketing.pipeline_stages
    UNION ALL
    SELECT
        workflow_name,
        NULL
    FROM marketing.workflow_stats
    WHERE created_at > now() - interval '24 hours'
        AND workflow_name NOT IN (SELECT stage FROM marketing.pipeline_stages)
    GROUP BY workflow_name
),

counted AS (
    SELECT
        k.workflow_name,
        k.position,
        count(w.created_at) AS total_runs,
        count(*) FILTER (WHERE w.status IN ('error', 'timeout')) AS error_count,
        avg(w.duration_seconds) AS seconds,
        max(w.created_at) AS last_run
    FROM known k
    LEFT JOIN marketing.workflow_stats w
        ON w.workflow_name = k.workflow_name
            AND w.created_at > now() - interval '1 hour'
    GROUP BY k.workflow_name, k.position
)

SELECT
    workflow_name,
    total_runs,
    error_count,
    coalesce(round(100.0 * error_count / nullif(total_runs, 0), 2), 0) AS error_rate_pct,
    round(seconds, 3) AS avg_duration_sec,
    last_run,
    CASE
        WHEN total_runs = 0 THEN 'idle'
        WHEN error_count > 0.10 * total_runs THEN 'critical'
        WHEN error_count > 0.05 * total_runs THEN 'warning'
        ELSE 'healthy'
    END AS health_status
FROM counted
ORDER BY position NULLS LAST, workflow_name;
COMMENT ON VIEW marketing.v_workflow_health IS
'Every stage, and whatever else ran within 24 hours, over the last hour: critical above 10 % errors, warning above '
'5 %, idle without a run';
COMMENT ON COLUMN marketing.v_workflow_health.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_health.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_workflow_health.error_count IS 'How many';
COMMENT ON COLUMN marketing.v_workflow_health.error_rate_pct IS 'Percent that ended in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_health.avg_duration_sec IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_health.last_run IS 'Newest execution in the window';
COMMENT ON COLUMN marketing.v_workflow_health.health_status IS 'healthy, warning, critical or idle';
