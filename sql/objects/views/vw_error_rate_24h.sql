CREATE OR REPLACE VIEW marketing.vw_error_rate_24h AS
SELECT
    event_type,
    count(*) AS error_count,
    count(*) FILTER (WHERE severity = 'critical') AS critical_count,
    count(*) FILTER (WHERE NOT resolved) AS unresolved_count,
    round(count(*) / 24.0, 2) AS errors_per_hour,
    round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS share_pct,
    max(created_at) AS last_error_at
FROM marketing.pipeline_errors
WHERE created_at > now() - interval '24 hours'
GROUP BY event_type
ORDER BY error_count DESC, event_type;
COMMENT ON VIEW marketing.vw_error_rate_24h IS
'Errors of the last 24 hours per event type: number, per hour, and share of all';
COMMENT ON COLUMN marketing.vw_error_rate_24h.event_type IS 'What it was about';
COMMENT ON COLUMN marketing.vw_error_rate_24h.error_count IS 'How many';
COMMENT ON COLUMN marketing.vw_error_rate_24h.critical_count IS 'Of these, critical';
COMMENT ON COLUMN marketing.vw_error_rate_24h.unresolved_count IS 'Of these, open';
COMMENT ON COLUMN marketing.vw_error_rate_24h.errors_per_hour IS 'Mean over the window';
COMMENT ON COLUMN marketing.vw_error_rate_24h.share_pct IS 'Percent of all errors';
COMMENT ON COLUMN marketing.vw_error_rate_24h.last_error_at IS 'The newest';
