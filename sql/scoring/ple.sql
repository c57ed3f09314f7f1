-- PLE rubric of the companies in pg_temp.bit_now: one row per company, no writes. docs/scoring.md has the reasoning.
-- Each feature earns a share 0..1 of its points; the points are added up and divided by 100.
WITH rules AS (SELECT %(ple_rules)s::jsonb AS r),
maxima AS (
    SELECT m.* FROM rules, jsonb_to_recordset(r -> 'points') AS m (feature text, points float8, label text)
), slots AS (
    SELECT s.company_unique_id AS company_id, s.slot_type, p.full_name, coalesce(s.fill_confidence, (r ->> 'unknown_slot_confidence')::float8) AS confidence,
           p.email, coalesce(v.status, 'pending') AS status, coalesce(v.is_role, false) AS is_role
    FROM rules, marketing.company_slots s JOIN pg_temp.bit_now n ON n.company_id = s.company_unique_id
    JOIN marketing.people_master p USING (person_unique_id)
    LEFT JOIN marketing.email_verification v ON v.email = p.email
), features AS (
    SELECT n.company_id, f.*
    FROM pg_temp.bit_now n
    JOIN marketing.company_master c ON c.company_unique_id = n.company_id
    CROSS JOIN rules
    CROSS JOIN LATERAL (
        SELECT 'employees' AS feature, c.employee_count::text AS value,
               (SELECT b.share FROM jsonb_to_recordset(r -> 'employee_bands') AS b (lower float8, upper float8, share float8)
                WHERE c.employee_count >= b.lower AND (b.upper IS NULL OR c.employee_count < b.upper)) AS share
        UNION ALL
        SELECT 'industry', c.industry, CASE WHEN c.industry IS NULL THEN 0
               WHEN EXISTS (SELECT FROM jsonb_array_elements_text(r -> 'preferred_industries') w WHERE strpos(lower(c.industry), w) > 0) THEN 1
               ELSE (r ->> 'other_industry_share')::float8 END
        UNION ALL
        SELECT 'website', c.domain, 1
        UNION ALL
        SELECT 'company_age', c.founded_year::text,
               (SELECT b.share FROM jsonb_to_recordset(r -> 'age_bands') AS b (lower float8, upper float8, share float8)
                WHERE c.founded_year IS NOT NULL AND greatest(extract(year FROM coalesce(%(as_of)s::timestamptz, now())) - c.founded_year, 0) >= b.lower
                  AND (b.upper IS NULL OR greatest(extract(year FROM coalesce(%(as_of)s::timestamptz, now())) - c.founded_year, 0) < b.upper))
        UNION ALL
        SELECT 'location', concat_ws(', ', c.city, c.state),
               CASE num_nonnulls(c.city, c.state) WHEN 2 THEN 1 WHEN 1 THEN (r ->> 'one_of_city_and_state_share')::float8 ELSE 0 END
        UNION ALL
        SELECT 'linkedin', c.linkedin_url, (c.linkedin_url IS NOT NULL)::int
        UNION ALL
        SELECT 'phone', c.phone, (c.phone IS NOT NULL)::int
        UNION ALL
        SELECT 'engagement', n.first_party_types, least(1, n.first_party / (r ->> 'engagement_full_at')::float8)
    ) AS f (feature, value, share)
    UNION ALL
    SELECT company_id, 'slot_' || lower(slot_type), full_name, confidence FROM slots
    UNION ALL
    SELECT s.company_id, 'address_' || lower(s.slot_type), s.status, CASE WHEN s.is_role THEN 0 ELSE
               (SELECT a.share FROM jsonb_to_recordset(r -> 'address_status') AS a (status text, share float8) WHERE a.status = s.status) END
    FROM slots s, rules WHERE s.email IS NOT NULL
), earned AS (
    -- twelve decimals: below them the order of a floating-point sum shows
    SELECT f.company_id, f.feature, round((m.points * f.share / 100)::numeric, 12) AS share, replace(m.label, '{value}', f.value) AS label
    FROM features f JOIN maxima m USING (feature) WHERE f.share > 0
)
SELECT n.company_id, coalesce(sum(e.share), 0)::float8 AS score,
       coalesce(jsonb_agg(jsonb_build_object('feature', e.feature, 'share', e.share, 'label', e.label) ORDER BY e.share DESC, e.feature)
                FILTER (WHERE e.feature IS NOT NULL), '[]') AS reasons
FROM pg_temp.bit_now n LEFT JOIN earned e USING (company_id) GROUP BY n.company_id
