DROP TABLE IF EXISTS marketing.company_matches;
DROP TABLE IF EXISTS marketing.company_batches;
DROP TABLE IF EXISTS marketing.company_master;
DROP TABLE IF EXISTS marketing.known_ids;
DROP TABLE IF EXISTS marketing.barton_id_history;
DROP SEQUENCE IF EXISTS marketing.person_number;
DROP SEQUENCE IF EXISTS marketing.company_number;
