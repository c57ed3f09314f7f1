-- Without the extension; views of every column are made again by the objects of the older version.
DROP VIEW IF EXISTS intake.company_facts, intake.companies_to_process;
ALTER TABLE intake.company_raw_intake DROP COLUMN IF EXISTS phone_extension;
COMMENT ON COLUMN intake.company_raw_intake.phone IS
'Read from company_phone: digits with leading + where given; NULL when not 7 to 15 digits';
