CREATE OR REPLACE VIEW marketing.v_phase_stats AS
SELECT
    phase.phase,
    count(w.created_at) AS total_runs,
    count(*) FILTER (WHERE w.status IN ('error', 'timeout')) AS errors,
    coalesce(
        round(100.0 * count(*) FILTER (WHERE w.status IN ('error', 'timeout')) / nullif(count(w.created_at), 0), 2), 0
    ) AS error_rate,
    round(avg(w.duration_seconds), 3) AS avg_duration
FROM unnest(ARRAY['enrichment', 'intelligence', 'messaging', 'delivery']) WITH ORDINALITY AS phase (phase, place)
LEFT JOIN marketing.pipeline_stages s ON s.phase = phase.phase
LEFT JOIN marketing.workflow_stats w
    ON w.workflow_name = s.stage
    AND w.created_at > now() - interval '24 hours'
GROUP BY phase.phase, phase.place
ORDER BY phase.place;
COMMENT ON VIEW marketing.v_phase_stats IS
'The four phases over 24 hours, all always present; a stage''s phase is pipeline_stages.phase';
COMMENT ON COLUMN marketing.v_phase_stats.phase IS 'enrichment, intelligence, messaging or delivery';
COMMENT ON COLUMN marketing.v_phase_stats.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_phase_stats.errors IS 'Executions in error or timeout';
COMMENT ON COLUMN marketing.v_phase_stats.error_rate IS 'Percent of executions in error or timeout';
COMMENT ON COLUMN marketing.v_phase_stats.avg_duration IS 'Mean seconds';
