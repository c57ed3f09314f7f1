-- Step training_examples, after features: the attempts of pg_temp.attempts with what was known at each, their features
-- and under @feature its part of the rubric's score. docs/explanation/learning.md.
WITH points AS (
    SELECT m.*
    FROM jsonb_to_recordset(%(ple_rules)s::jsonb -> 'points') AS m (feature text, points float8)
)

SELECT
    a.id,
    a.company_id,
    a.as_of,
    a.converted,
    jsonb_object_agg(f.feature, coalesce(to_jsonb(f.number), to_jsonb(f.word)))
    || coalesce(
        jsonb_object_agg('@' || f.feature, f.share * p.points / 100) FILTER (WHERE p.points > 0 AND f.share > 0),
        '{}'
    ) AS features
FROM features f
JOIN pg_temp.attempts a USING (id)
LEFT JOIN points p USING (feature)
GROUP BY a.id, a.company_id, a.as_of, a.converted;
