-- Step training_examples, after parts: the attempts of pg_temp.attempts with what was known at each, their features and
-- under @feature its part of the rubric's score. docs/explanation/learning.md.
SELECT
    a.id,
    a.company_id,
    a.as_of,
    a.converted,
    jsonb_object_agg(f.feature, coalesce(to_jsonb(f.number), to_jsonb(f.word)))
    || coalesce(jsonb_object_agg('@' || f.feature, f.part) FILTER (WHERE f.part > 0), '{}') AS features
FROM parts f
JOIN pg_temp.attempts a USING (id)
GROUP BY a.id, a.company_id, a.as_of, a.converted;
