CREATE OR REPLACE VIEW marketing.v_sniper_targets AS
SELECT
    t.company_id,
    c.company_name,
    t.ple_score,
    t.bit_intent_score,
    t.ple_updated_at,
    t.last_signal_at,
    c.domain,
    c.website_url,
    c.industry,
    c.employee_count,
    c.city,
    c.state,
    c.import_batch_id,
    t.contacts_ready,
    t.contacts_held,
    t.reasons,
    t.rules_version,
    t.entered_at,
    t.updated_at
FROM marketing.sniper_targets t
JOIN marketing.company_master c ON c.company_unique_id = t.company_id
ORDER BY greatest(t.ple_score, t.bit_intent_score) DESC, least(t.ple_score, t.bit_intent_score) DESC, t.company_id;
COMMENT ON VIEW marketing.v_sniper_targets IS 'The target list, one row per company, best first';
COMMENT ON COLUMN marketing.v_sniper_targets.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.v_sniper_targets.company_name IS 'company_master.company_name, as the export wrote it';
COMMENT ON COLUMN marketing.v_sniper_targets.ple_score IS 'Latest PLE 0..1; 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_targets.bit_intent_score IS
'Latest BIT 0..1 (bit_results.bit_score); 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_targets.ple_updated_at IS
'Calculation of that PLE; NULL without one. Alone it does not change the row';
COMMENT ON COLUMN marketing.v_sniper_targets.last_signal_at IS 'Newest signal that counted for BIT; NULL without any';
COMMENT ON COLUMN marketing.v_sniper_targets.domain IS 'Registrable domain, in Unicode';
COMMENT ON COLUMN marketing.v_sniper_targets.website_url IS 'As the intake row wrote it, scheme optional';
COMMENT ON COLUMN marketing.v_sniper_targets.industry IS 'Free text of the export; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.employee_count IS 'Head count, or the lower bound of a band; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.state IS 'State or region, as the export writes it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.import_batch_id IS 'Batch that first brought the company';
COMMENT ON COLUMN marketing.v_sniper_targets.contacts_ready IS
'Slot holders with a valid address that is no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_targets.contacts_held IS
'Slot holders whose address is neither valid nor invalid (yet) and no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_targets.reasons IS
'JSON list of phrases: first those of BIT, then those of PLE, each strongest first';
COMMENT ON COLUMN marketing.v_sniper_targets.rules_version IS
'Version and content hash of scoring.yaml that set the cuts';
COMMENT ON COLUMN marketing.v_sniper_targets.entered_at IS 'When the company came on the list';
COMMENT ON COLUMN marketing.v_sniper_targets.updated_at IS 'Last change of scores, reasons or contacts';
