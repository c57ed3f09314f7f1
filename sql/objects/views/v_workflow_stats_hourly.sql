CREATE OR REPLACE VIEW marketing.v_workflow_stats_hourly AS
SELECT
    workflow_name,
    count(*) AS runs_last_hour,
    count(*) FILTER (WHERE status IN ('error', 'timeout')) AS errors_last_hour,
    round(avg(duration_seconds), 3) AS avg_duration,
    max(created_at) AS last_run
FROM marketing.workflow_stats
WHERE created_at > now() - interval '1 hour'
GROUP BY workflow_name
ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_stats_hourly IS 'Each workflow that ran in the last hour';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.runs_last_hour IS 'Executions';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.errors_last_hour IS 'Those in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.avg_duration IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.last_run IS 'Newest execution in the window';
