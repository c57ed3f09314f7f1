CREATE OR REPLACE VIEW marketing.v_workflow_stats_recent AS
SELECT
    workflow_name,
    status,
    duration_seconds,
    error_message,
    triggered_by,
    batch_id,
    created_at
FROM marketing.workflow_stats
WHERE created_at > now() - interval '24 hours'
ORDER BY created_at DESC
LIMIT 1000;
COMMENT ON VIEW marketing.v_workflow_stats_recent IS
'Stage executions of the last 24 hours, newest first, at most 1,000';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.status IS 'ok, error, timeout or cancelled';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.duration_seconds IS 'Seconds it took';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.error_message IS 'What went wrong, in words';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.triggered_by IS 'event, schedule, manual or backfill';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.batch_id IS 'Batch it worked on';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.created_at IS 'When it ended, or when it was logged';
