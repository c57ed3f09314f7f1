-- The ledger goes with its answers: export it first (barton vendors --json).
DROP FUNCTION IF EXISTS marketing.forget_person(text, text);
DROP FUNCTION IF EXISTS marketing.scrub_answers(text[]);
DROP FUNCTION IF EXISTS marketing.is_suppressed(text, text, text, text);
DROP FUNCTION IF EXISTS marketing.person_hashes(text, text, text, text);
DROP VIEW IF EXISTS marketing.company_answers;
ALTER TABLE marketing.contact_enrichment DROP COLUMN IF EXISTS reason;
DELETE FROM marketing.contact_enrichment WHERE outcome = 'left';
ALTER TABLE marketing.contact_enrichment DROP CONSTRAINT IF EXISTS contact_enrichment_outcome_check;
ALTER TABLE marketing.contact_enrichment ADD CONSTRAINT contact_enrichment_outcome_check
    CHECK (outcome IN ('filled', 'replaced', 'runner_up'));
ALTER TABLE marketing.company_slots DROP COLUMN IF EXISTS search_state, DROP COLUMN IF EXISTS searched_at;
DROP INDEX IF EXISTS intake.people_raw_intake_vendor_item;
ALTER TABLE intake.people_raw_intake DROP COLUMN IF EXISTS vendor_call_id, DROP COLUMN IF EXISTS observed_at,
    DROP COLUMN IF EXISTS position_ended;
ALTER TABLE marketing.people_master DROP COLUMN IF EXISTS provenance, DROP COLUMN IF EXISTS left_at;
DROP FUNCTION IF EXISTS marketing.linkedin_slug(text);
DROP FUNCTION IF EXISTS marketing.known_or_new_id(text, text, text);
DROP TABLE IF EXISTS marketing.known_ids;
-- As 0005 has it.
CREATE OR REPLACE FUNCTION marketing.record_id_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO marketing.barton_id_history (barton_id, entity, change) SELECT %I, %L, %L FROM changed_rows',
                   TG_ARGV[1], TG_ARGV[0], TG_ARGV[2]);
    RETURN NULL;
END
$$;
ALTER TABLE marketing.messages_outbound ALTER CONSTRAINT messages_outbound_company_id_fkey NOT DEFERRABLE;
ALTER TABLE marketing.messages_outbound ALTER CONSTRAINT messages_outbound_person_unique_id_fkey NOT DEFERRABLE;
DROP TABLE IF EXISTS marketing.suppressed_people, marketing.vendor_switches, marketing.vendor_holds, marketing.vendor_calls,
    marketing.vendor_requests;
