-- Chooses the attempts PLE can learn from: pg_temp.scored, with their labels in pg_temp.attempts.
-- docs/explanation/learning.md.

-- Every attempt with its label. One attempt per lead; without a lead reference, one per company and horizon.
DROP TABLE IF EXISTS pg_temp.attempts;
CREATE TEMP TABLE attempts ON COMMIT DROP AS
WITH firsts AS (
    SELECT DISTINCT ON (
        company_id,
        coalesce(lead_reference, ''),
        CASE WHEN lead_reference IS NULL THEN floor(extract(EPOCH FROM occurred_at) / (86400 * %(horizon_days)s)) END
    )
        id,
        company_id,
        lead_reference,
        occurred_at AS as_of
    FROM marketing.outcomes
    WHERE outcome_type = 'attempt'
    ORDER BY
        company_id,
        coalesce(lead_reference, ''),
        CASE WHEN lead_reference IS NULL THEN floor(extract(EPOCH FROM occurred_at) / (86400 * %(horizon_days)s)) END,
        occurred_at,
        id
)

SELECT
    f.id,
    f.company_id,
    f.as_of,
    f.as_of + make_interval(days => %(horizon_days)s) > %(moment)s::timestamptz AS too_young,
    coalesce(
        bool_or(o.occurred_at <= f.as_of AND o.occurred_at > f.as_of - make_interval(days => %(horizon_days)s)),
        false
    ) AS already,
    coalesce(
        bool_or(o.occurred_at > f.as_of AND o.occurred_at <= f.as_of + make_interval(days => %(horizon_days)s)),
        false
    ) AS converted
FROM firsts f
LEFT JOIN marketing.outcomes o
    ON o.company_id = f.company_id
    AND o.outcome_type = ANY(%(positive_outcomes)s)
    AND (f.lead_reference IS NULL OR o.lead_reference IS NULL OR o.lead_reference = f.lead_reference)
GROUP BY f.id, f.company_id, f.as_of;

-- The newest of those that are old enough to judge.
DROP TABLE IF EXISTS pg_temp.scored;
CREATE TEMP TABLE scored ON COMMIT DROP AS
SELECT
    id,
    company_id,
    as_of
FROM pg_temp.attempts
WHERE NOT too_young
    AND NOT already
ORDER BY as_of DESC, id
LIMIT %(most_examples)s;

-- What is left out and why.
SELECT
    count(*) AS attempts,
    count(*) FILTER (WHERE too_young) AS too_young,
    count(*) FILTER (WHERE NOT too_young AND already) AS already_positive
FROM pg_temp.attempts;
