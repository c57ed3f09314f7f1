-- Step features: what was known of the rows of pg_temp.bit_now at their moment, one row per feature.
-- docs/explanation/learning.md.
-- number or word is the feature itself (both NULL: not known), value how a reason words it, share its share of the
-- rubric's points. Reasons name no person: they outlive a deletion on request. Facts of the company itself (size,
-- industry, year, place) are taken as they are now: no history of them is kept.
WITH rules AS (
    SELECT
        %(ple_rules)s::jsonb AS r,
        %(profile)s::jsonb AS profile
),

employee_bands AS (
    SELECT b.*
    FROM rules, jsonb_to_recordset(profile -> 'sizes') AS b (lower float8, upper float8, share float8)
),

age_bands AS (
    SELECT b.*
    FROM rules, jsonb_to_recordset(profile -> 'ages') AS b (lower float8, upper float8, share float8)
),

statuses AS (
    SELECT s.*
    FROM rules, jsonb_to_recordset(r -> 'address_status') AS s (status text, share float8)
),

industries AS MATERIALIZED (
    SELECT
        i.industry,
        CASE
            WHEN profile #> '{industries,preferred}' = '[]' THEN 1
            WHEN
                EXISTS (
                    SELECT
                    FROM jsonb_array_elements_text(profile #> '{industries,preferred}') w
                    WHERE strpos(lower(i.industry), w) > 0
                )
                THEN 1
            ELSE (profile #>> '{industries,other_share}')::float8
        END AS share
    FROM rules, (
        SELECT DISTINCT industry
        FROM marketing.company_master
        WHERE industry IS NOT NULL
            AND company_unique_id IN (SELECT company_id FROM pg_temp.bit_now)
    ) AS i
),

companies AS (
    SELECT
        n.id,
        n.first_party,
        n.third_party,
        n.first_party_types,
        n.engaged_30_days,
        extract(EPOCH FROM n.as_of - n.engaged_at) / 86400 AS days_since_engaged,
        c.employee_count,
        c.industry,
        c.domain,
        c.founded_year,
        c.city,
        c.state,
        c.country,
        c.linkedin_url,
        c.phone,
        CASE WHEN c.founded_year IS NOT NULL THEN greatest(extract(YEAR FROM n.as_of) - c.founded_year, 0) END AS age
    FROM pg_temp.bit_now n
    JOIN marketing.company_master c ON c.company_unique_id = n.company_id
),

slots AS (
    -- a holder or a verdict that came later was not known
    SELECT
        n.id,
        lower(s.slot_type) AS slot,
        coalesce(p.title, p.slot_type) AS title,
        coalesce(v.is_role, false) AS is_role,
        CASE
            WHEN p.person_unique_id IS NOT NULL
                THEN coalesce(s.fill_confidence, (r ->> 'unknown_slot_confidence')::float8)
        END AS confidence,
        CASE WHEN p.email IS NOT NULL THEN coalesce(v.status, 'pending') END AS status
    FROM rules, pg_temp.bit_now n
    JOIN marketing.company_slots s ON s.company_unique_id = n.company_id
    LEFT JOIN marketing.people_master p ON p.person_unique_id = s.person_unique_id AND p.observed_at <= n.as_of
    LEFT JOIN marketing.email_verification v ON v.email = p.email AND v.verified_at <= n.as_of
)

SELECT
    c.id,
    f.*
FROM companies c
LEFT JOIN employee_bands e ON c.employee_count >= e.lower AND (e.upper IS NULL OR c.employee_count < e.upper)
LEFT JOIN age_bands a ON c.age >= a.lower AND (a.upper IS NULL OR c.age < a.upper)
LEFT JOIN industries i ON i.industry = c.industry
CROSS JOIN rules
JOIN LATERAL (
    VALUES
    ('employees', c.employee_count::float8, NULL, c.employee_count::text, e.share),
    ('industry', NULL, lower(c.industry), c.industry, i.share),
    ('website', 1, NULL, c.domain, 1),
    ('company_age', c.age::float8, NULL, c.founded_year::text, a.share),
    (
        'location',
        num_nonnulls(c.city, c.state),
        NULL,
        concat_ws(', ', c.city, c.state),
        CASE num_nonnulls(c.city, c.state)
            WHEN 2 THEN 1
            WHEN 1 THEN (r ->> 'one_of_city_and_state_share')::float8
            ELSE 0
        END
        * CASE
            WHEN profile #> '{places,preferred}' = '[]' THEN 1
            WHEN profile #> '{places,preferred}' ?| ARRAY[lower(c.city), lower(c.state), lower(c.country)] THEN 1
            ELSE (profile #>> '{places,other_share}')::float8
        END
    ),
    ('linkedin', (c.linkedin_url IS NOT NULL)::int, NULL, c.linkedin_url, (c.linkedin_url IS NOT NULL)::int),
    ('phone', (c.phone IS NOT NULL)::int, NULL, c.phone, (c.phone IS NOT NULL)::int),
    (
        'engagement',
        c.first_party,
        NULL,
        c.first_party_types,
        least(1, c.first_party / (r ->> 'engagement_full_at')::float8)
    ),
    ('intent', c.third_party, NULL, round(c.third_party::numeric, 2)::text, NULL),
    ('engaged_30_days', c.engaged_30_days::float8, NULL, c.engaged_30_days::text, NULL),
    ('days_since_engaged', c.days_since_engaged::float8, NULL, round(c.days_since_engaged)::text, NULL)
) AS f (feature, number, word, value, share) ON true
UNION ALL
SELECT
    s.id,
    f.*
FROM slots s
LEFT JOIN statuses USING (status)
JOIN LATERAL (
    VALUES
    ('slot_' || s.slot, s.confidence, NULL, s.title, s.confidence),
    (
        'address_' || s.slot,
        NULL,
        CASE WHEN s.is_role THEN 'role' ELSE s.status END,
        s.status,
        CASE WHEN s.is_role THEN 0 ELSE statuses.share END
    )
) AS f (feature, number, word, value, share) ON true;
