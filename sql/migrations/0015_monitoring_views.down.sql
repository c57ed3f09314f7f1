DROP VIEW IF EXISTS marketing.vw_error_rate_24h, marketing.v_daily_throughput, marketing.v_error_recent, marketing.v_workflow_health,
    marketing.v_phase_stats, marketing.v_workflow_stats_hourly, marketing.v_workflow_summary, marketing.v_workflow_stats_recent;
DROP INDEX IF EXISTS marketing.workflow_stats_created;
CREATE INDEX workflow_stats_created ON marketing.workflow_stats (created_at DESC);
DROP INDEX IF EXISTS marketing.pipeline_errors_worst_first;
DROP TRIGGER IF EXISTS pipeline_events_count_processed ON marketing.pipeline_events;
DROP FUNCTION IF EXISTS marketing.count_processed_events();
DROP FUNCTION IF EXISTS marketing.add_up_event_days();
DROP TABLE IF EXISTS marketing.event_days;
