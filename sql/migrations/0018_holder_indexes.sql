-- Foreign keys without an index: each person or slot that is deleted had the whole other table read for it.
CREATE INDEX IF NOT EXISTS people_master_slot ON marketing.people_master (company_slot_unique_id)
    WHERE company_slot_unique_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS company_slots_holder ON marketing.company_slots (person_unique_id) WHERE person_unique_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS contact_enrichment_person ON marketing.contact_enrichment (person_unique_id);
CREATE INDEX IF NOT EXISTS messages_outbound_person ON marketing.messages_outbound (person_unique_id)
    WHERE person_unique_id IS NOT NULL;
