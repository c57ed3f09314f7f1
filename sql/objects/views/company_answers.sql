-- Entered by company: two looks into the ledger's index for each, however much it holds and whatever statistics say.
CREATE OR REPLACE VIEW marketing.company_answers AS
SELECT
    c.company_unique_id,
    v.id AS call_id,
    v.operation,
    v.environment,
    v.input_key,
    v.response,
    v.answered_at
FROM marketing.company_master c
CROSS JOIN LATERAL (
    SELECT *
    FROM marketing.vendor_calls
    WHERE input_key = c.domain
        AND operation = 'leads_finder'
        AND state = 'settled'
    UNION ALL
    SELECT *
    FROM marketing.vendor_calls
    WHERE input_key = marketing.linkedin_slug(c.linkedin_url)
        AND operation = 'linkedin_employees'
        AND state = 'settled'
) v;
COMMENT ON VIEW marketing.company_answers IS 'Every paid answer about the people of each company';
COMMENT ON COLUMN marketing.company_answers.company_unique_id IS
'Whom the answer is about; two companies may share a domain';
COMMENT ON COLUMN marketing.company_answers.call_id IS 'Row of vendor_calls';
COMMENT ON COLUMN marketing.company_answers.operation IS 'Paid source that answered';
COMMENT ON COLUMN marketing.company_answers.environment IS 'real or sandbox';
COMMENT ON COLUMN marketing.company_answers.input_key IS 'Domain or LinkedIn slug that was asked about';
COMMENT ON COLUMN marketing.company_answers.response IS 'Items of the vendor, as they came';
COMMENT ON COLUMN marketing.company_answers.answered_at IS 'When it was observed';
