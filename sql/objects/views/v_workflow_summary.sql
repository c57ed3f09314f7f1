CREATE OR REPLACE VIEW marketing.v_workflow_summary AS
SELECT
    workflow_name,
    count(*) AS total_runs,
    count(*) FILTER (WHERE status = 'ok') AS successful_runs,
    count(*) FILTER (WHERE status = 'error') AS error_runs,
    count(*) FILTER (WHERE status = 'timeout') AS timeout_runs,
    round(100.0 * count(*) FILTER (WHERE status IN ('error', 'timeout')) / count(*), 2) AS error_rate_pct,
    round(avg(duration_seconds), 3) AS avg_duration_seconds,
    max(created_at) AS last_run_at
FROM marketing.workflow_stats
WHERE created_at > now() - interval '7 days'
GROUP BY workflow_name
ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_summary IS 'Each workflow over 7 days';
COMMENT ON COLUMN marketing.v_workflow_summary.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_summary.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_workflow_summary.successful_runs IS 'Those that ended ok';
COMMENT ON COLUMN marketing.v_workflow_summary.error_runs IS 'Those that ended in error';
COMMENT ON COLUMN marketing.v_workflow_summary.timeout_runs IS 'Those that ran out of time';
COMMENT ON COLUMN marketing.v_workflow_summary.error_rate_pct IS 'Percent that ended in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_summary.avg_duration_seconds IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_summary.last_run_at IS 'Newest execution in the window';
