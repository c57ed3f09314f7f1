-- Keeps people_master.email_verified in step with the verdicts.
UPDATE marketing.people_master p
SET email_verified = judged.verified
FROM (
    SELECT
        p.person_unique_id,
        coalesce(v.status = 'valid', false) AS verified
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    LEFT JOIN marketing.email_verification v ON v.email = p.email
) AS judged
WHERE p.person_unique_id = judged.person_unique_id AND p.email_verified <> judged.verified;

-- What the stage reports: the verdicts by kind.
SELECT
    count(*) AS rows_in,
    count(*) FILTER (WHERE v.status <> 'invalid') AS rows_out,
    count(*) FILTER (WHERE v.status = 'invalid') AS rows_rejected,
    count(*) FILTER (WHERE v.status = 'valid') AS valid,
    count(*) FILTER (WHERE v.status = 'unknown') AS unknown,
    count(*) FILTER (WHERE v.is_role) AS role_accounts,
    count(*) FILTER (WHERE v.mx = 'unavailable') AS without_dns
FROM (
    SELECT DISTINCT p.email
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    WHERE p.email IS NOT NULL
) AS addresses
JOIN marketing.email_verification v USING (email);
