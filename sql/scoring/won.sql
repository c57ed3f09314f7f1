-- Companies, and those with the outcome won, by size, age, industry and state; kind all is everybody.
WITH won AS (
    SELECT DISTINCT company_id
    FROM marketing.outcomes
    WHERE outcome_type = 'won'
),

companies AS (
    SELECT
        c.*,
        won.company_id IS NOT NULL AS was_won
    FROM marketing.company_master c
    LEFT JOIN won ON won.company_id = c.company_unique_id
)

SELECT
    g.kind,
    g.value,
    count(*) AS companies,
    count(*) FILTER (WHERE c.was_won) AS won
FROM companies c
CROSS JOIN
    LATERAL (
        VALUES
        ('all', ''),
        ('size', (SELECT max(lower) FROM unnest(%(sizes)s) AS lower WHERE lower <= c.employee_count)::text),
        (
            'age',
            (
                SELECT max(lower) FROM unnest(%(ages)s) AS lower
                WHERE lower <= greatest(extract(YEAR FROM now()) - c.founded_year, 0)
            )::text
        ),
        ('industry', lower(btrim(c.industry))),
        ('place', lower(btrim(c.state)))
    ) AS g (kind, value)
WHERE g.value IS NOT NULL AND (g.value <> '' OR g.kind = 'all')
GROUP BY g.kind, g.value
ORDER BY g.kind, g.value;
