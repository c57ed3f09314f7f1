CREATE OR REPLACE VIEW marketing.v_event_queue_status AS
SELECT
    event_type,
    count(*) AS pending_count,
    min(created_at) AS oldest_pending,
    max(created_at) AS newest_pending,
    round(extract(EPOCH FROM now() - min(created_at)) / 60, 1) AS oldest_age_minutes
FROM marketing.pipeline_events
WHERE status = 'pending'
GROUP BY event_type;
COMMENT ON VIEW marketing.v_event_queue_status IS 'Pending events by type, with age';
COMMENT ON COLUMN marketing.v_event_queue_status.event_type IS 'Only types that have pending events are listed';
COMMENT ON COLUMN marketing.v_event_queue_status.pending_count IS
'Events waiting, delayed retries included; a coalesced one counts once';
COMMENT ON COLUMN marketing.v_event_queue_status.oldest_pending IS 'created_at of the oldest';
COMMENT ON COLUMN marketing.v_event_queue_status.newest_pending IS 'created_at of the newest';
COMMENT ON COLUMN marketing.v_event_queue_status.oldest_age_minutes IS 'Age of the oldest, in minutes';
