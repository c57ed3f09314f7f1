-- A view of its own: v_sniper_targets keeps the columns that other programs read.
CREATE OR REPLACE VIEW marketing.v_sniper_target_details AS
SELECT
    v.*,
    t.p_convert,
    t.previous_ple_score,
    t.previous_bit_intent_score,
    t.scores_changed_at,
    t.ple_score - t.previous_ple_score AS ple_change,
    t.bit_intent_score - t.previous_bit_intent_score AS bit_change,
    round(extract(EPOCH FROM now() - t.last_signal_at) / 86400, 1) AS days_since_signal,
    CASE
        WHEN t.contacts_ready > 0 THEN 'ready'
        WHEN t.contacts_held > 0 THEN 'unverified'
        ELSE 'none'
    END AS contact_readiness
FROM marketing.v_sniper_targets v
JOIN marketing.sniper_targets t USING (company_id)
ORDER BY greatest(t.ple_score, t.bit_intent_score) DESC, least(t.ple_score, t.bit_intent_score) DESC, company_id;
COMMENT ON VIEW marketing.v_sniper_target_details IS
'The target list with probability, change since before, freshness and readiness';
SELECT marketing.copy_column_comments('marketing.v_sniper_targets', 'marketing.v_sniper_target_details');
COMMENT ON COLUMN marketing.v_sniper_target_details.p_convert IS
'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.v_sniper_target_details.previous_ple_score IS 'PLE before the last change';
COMMENT ON COLUMN marketing.v_sniper_target_details.previous_bit_intent_score IS 'BIT before the last change';
COMMENT ON COLUMN marketing.v_sniper_target_details.scores_changed_at IS 'When PLE or BIT last changed';
COMMENT ON COLUMN marketing.v_sniper_target_details.ple_change IS 'PLE now less before';
COMMENT ON COLUMN marketing.v_sniper_target_details.bit_change IS 'BIT now less before';
COMMENT ON COLUMN marketing.v_sniper_target_details.days_since_signal IS 'Days since the newest signal';
COMMENT ON COLUMN marketing.v_sniper_target_details.contact_readiness IS
'ready: a holder has a verified address; unverified: one that nothing speaks against; none';
