-- What several rows may tell of one company: columns of intake.company_facts and marketing.company_master.

CREATE OR REPLACE FUNCTION marketing.told_columns() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY['company_name_for_emails', 'industry', 'employee_count', 'founded_year', 'phone', 'address', 'city',
                 'state', 'postal_code', 'country', 'linkedin_url', 'facebook_url', 'twitter_url', 'sic_codes']
$$;
COMMENT ON FUNCTION marketing.told_columns() IS
'Columns of company_master that any row of the company may fill; the others come from the row that created it';
REVOKE EXECUTE ON FUNCTION marketing.told_columns() FROM public;

-- companies and rows are parallel: rows[i] tells of companies[i], and where two rows tell something the earlier one is
-- believed. The lock is the one an UPDATE takes, in one order: a stronger one would wait for other batches that merely
-- mention the same companies (foreign keys), and they for it.
CREATE OR REPLACE FUNCTION marketing.fill_company_gaps(companies text[], rows bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE (
        SELECT format(
            'WITH told AS (
                SELECT m.company_unique_id, %s
                FROM unnest($1, $2) WITH ORDINALITY AS m (company_unique_id, intake_id, place)
                JOIN intake.company_facts f USING (intake_id)
                GROUP BY m.company_unique_id
            ), gaps AS (
                SELECT t.* FROM marketing.company_master c JOIN told t USING (company_unique_id)
                WHERE %s
                ORDER BY c.company_unique_id FOR NO KEY UPDATE OF c
            )
            UPDATE marketing.company_master c SET %s FROM gaps t WHERE c.company_unique_id = t.company_unique_id',
            string_agg(format('(array_agg(f.%1$I ORDER BY m.place) FILTER (WHERE f.%1$I IS NOT NULL))[1] AS %1$I',
                              name), ', '),
            string_agg(format('c.%1$I IS NULL AND t.%1$I IS NOT NULL', name), ' OR '),
            string_agg(format('%1$I = coalesce(c.%1$I, t.%1$I)', name), ', '))
        FROM unnest(marketing.told_columns()) AS name
    ) USING companies, rows;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION marketing.fill_company_gaps(text[], bigint[]) IS
'Fills empty columns of companies from intake rows, never overwrites; returns how many companies changed';
REVOKE EXECUTE ON FUNCTION marketing.fill_company_gaps(text[], bigint[]) FROM public;

CREATE OR REPLACE FUNCTION marketing.empty_what_rows_told(company text, rows bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    emptied text;
BEGIN
    SELECT string_agg(DISTINCT format('%I = NULL', told.name), ', ') INTO emptied
    FROM intake.company_facts f
    CROSS JOIN jsonb_each_text(to_jsonb(f)) AS told (name, value)
    JOIN marketing.company_master c ON c.company_unique_id = company AND to_jsonb(c) ->> told.name = told.value
    WHERE f.intake_id = ANY (rows) AND told.name = ANY (marketing.told_columns());
    IF emptied IS NOT NULL THEN
        EXECUTE format('UPDATE marketing.company_master SET %s WHERE company_unique_id = $1', emptied) USING company;
    END IF;
END
$$;
COMMENT ON FUNCTION marketing.empty_what_rows_told(text, bigint[]) IS
'Empties the columns of a company whose value one of these intake rows told';
REVOKE EXECUTE ON FUNCTION marketing.empty_what_rows_told(text, bigint[]) FROM public;
