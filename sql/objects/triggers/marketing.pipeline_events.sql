-- What has been processed is counted by day.

CREATE OR REPLACE TRIGGER pipeline_events_count_processed
AFTER UPDATE ON marketing.pipeline_events
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.count_processed_events();
