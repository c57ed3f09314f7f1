DROP TABLE IF EXISTS marketing.batch_stages;
DROP TABLE IF EXISTS marketing.workflow_stats;
DROP TABLE IF EXISTS marketing.pipeline_errors;
DROP TABLE IF EXISTS marketing.event_days;
DROP TABLE IF EXISTS marketing.pipeline_events;
DROP TABLE IF EXISTS marketing.event_routes;
DROP TABLE IF EXISTS marketing.pipeline_stages;
