CREATE OR REPLACE VIEW marketing.vw_unresolved_errors AS
SELECT
    id,
    event_type,
    record_id,
    import_batch_id,
    error_message,
    error_details,
    severity,
    created_at
FROM marketing.pipeline_errors
WHERE NOT resolved
ORDER BY array_position(ARRAY['critical', 'error', 'warning'], severity), created_at DESC;
COMMENT ON VIEW marketing.vw_unresolved_errors IS 'Open errors, worst first';
COMMENT ON COLUMN marketing.vw_unresolved_errors.id IS 'For barton errors --resolve';
COMMENT ON COLUMN marketing.vw_unresolved_errors.event_type IS
'Stage, check_<name>, dead_letter, worker_lost, signal_type_unknown, or the type of the event that failed';
COMMENT ON COLUMN marketing.vw_unresolved_errors.record_id IS 'Row, event or run concerned, as text; NULL when none is';
COMMENT ON COLUMN marketing.vw_unresolved_errors.import_batch_id IS 'Batch concerned; NULL when none is';
COMMENT ON COLUMN marketing.vw_unresolved_errors.error_message IS 'What happened, to which rows, and what to do';
COMMENT ON COLUMN marketing.vw_unresolved_errors.error_details IS 'Samples, traceback, remedy';
COMMENT ON COLUMN marketing.vw_unresolved_errors.severity IS 'critical first, then error, then warning';
COMMENT ON COLUMN marketing.vw_unresolved_errors.created_at IS 'When it happened';
