CREATE OR REPLACE VIEW marketing.v_error_recent AS
SELECT
    id,
    event_type,
    record_id,
    error_message,
    severity,
    resolved,
    created_at,
    import_batch_id
FROM marketing.pipeline_errors
WHERE created_at > now() - interval '7 days'
ORDER BY created_at DESC, id DESC
LIMIT 200;
COMMENT ON VIEW marketing.v_error_recent IS 'Errors of the last 7 days, newest first, at most 200';
COMMENT ON COLUMN marketing.v_error_recent.id IS 'Row of pipeline_errors';
COMMENT ON COLUMN marketing.v_error_recent.event_type IS 'What it was about';
COMMENT ON COLUMN marketing.v_error_recent.record_id IS 'Which record, if one';
COMMENT ON COLUMN marketing.v_error_recent.error_message IS 'What went wrong, in words';
COMMENT ON COLUMN marketing.v_error_recent.severity IS 'warning, error or critical';
COMMENT ON COLUMN marketing.v_error_recent.resolved IS 'Whether somebody closed it';
COMMENT ON COLUMN marketing.v_error_recent.created_at IS 'When it ended, or when it was logged';
COMMENT ON COLUMN marketing.v_error_recent.import_batch_id IS 'Whose batch';
