DROP INDEX IF EXISTS marketing.messages_outbound_person;
DROP INDEX IF EXISTS marketing.contact_enrichment_person;
DROP INDEX IF EXISTS marketing.company_slots_holder;
DROP INDEX IF EXISTS marketing.people_master_slot;
