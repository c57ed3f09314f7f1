-- Do the triggers work? psql -f sql/ops/trigger_test.sql: inserts two rows, prints the events, and rolls everything
-- back. Expected: company_created for record 1 with its company and website, and company_updated for the second
-- statement; then ROLLBACK.
\set ON_ERROR_STOP on
\pset footer off
BEGIN;
\echo '--- 1. Two companies are inserted: two events company_created, status pending.'
INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
VALUES
('Trigger Test One', 'https://trigger-test-one.com', 'TRIGGER-TEST'),
('Trigger Test Two', 'https://trigger-test-two.com', 'TRIGGER-TEST');
SELECT
    event_type,
    status,
    n_rows,
    payload ->> 'company' AS company,
    payload ->> 'website' AS website
FROM marketing.pipeline_events
WHERE import_batch_id = 'TRIGGER-TEST'
ORDER BY id;
\echo '--- 2. A website is changed: one event company_updated more. A change of nothing: none.'
UPDATE intake.company_raw_intake
SET website = 'https://trigger-test-uno.com'
WHERE company = 'Trigger Test One' AND import_batch_id = 'TRIGGER-TEST';
UPDATE intake.company_raw_intake
SET website = website
WHERE import_batch_id = 'TRIGGER-TEST';
SELECT
    event_type,
    count(*)
FROM marketing.pipeline_events
WHERE import_batch_id = 'TRIGGER-TEST'
GROUP BY 1
ORDER BY 1;
\echo '--- 3. 101 rows in one statement: one event that speaks for 101 rows.'
INSERT INTO intake.company_raw_intake (company, website, import_batch_id)
SELECT
    'Trigger Test ' || n,
    'https://trigger-test-' || n || '.com',
    'TRIGGER-TEST-BULK'
FROM generate_series(1, 101) AS n;
SELECT
    event_type,
    n_rows
FROM marketing.pipeline_events
WHERE import_batch_id = 'TRIGGER-TEST-BULK';
\echo '--- 4. Everything is rolled back: nothing of this test stays.'
ROLLBACK;
