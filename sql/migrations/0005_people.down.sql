ALTER TABLE IF EXISTS marketing.company_slots DROP CONSTRAINT IF EXISTS company_slots_person;
DROP TABLE IF EXISTS marketing.suppressed_people;
DROP TABLE IF EXISTS marketing.email_verification;
DROP TABLE IF EXISTS marketing.contact_enrichment;
DROP TABLE IF EXISTS marketing.people_master;
DROP TABLE IF EXISTS marketing.company_slots;
