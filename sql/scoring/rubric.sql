-- Step rubric, after parts: PLE without a model, one row for each of pg_temp.bit_now. docs/explanation/scoring.md.
-- The score is points / 100. Twelve decimals: below them the order of a floating-point sum shows.
WITH rules AS (
    SELECT m.*
    FROM jsonb_to_recordset(%(ple_rules)s::jsonb -> 'points') AS m (feature text, label text)
),

shares AS (
    SELECT
        f.id,
        f.feature,
        round(f.part::numeric, 12) AS share,
        replace(rules.label, '{value}', f.value) AS label
    FROM parts f
    JOIN rules USING (feature)
    WHERE f.part > 0
),

summed AS (
    SELECT
        id,
        sum(share) AS share,
        jsonb_agg(
            jsonb_build_object('feature', feature, 'share', share, 'label', label)
            ORDER BY abs(share) DESC, feature
        ) AS reasons
    FROM shares
    WHERE share <> 0
    GROUP BY id
)

SELECT
    n.id,
    n.company_id,
    n.as_of,
    NULL::float8 AS p_convert,
    0::numeric AS base,
    least(1, coalesce(s.share, 0))::float8 AS score,
    coalesce(s.reasons, '[]') AS reasons
FROM pg_temp.bit_now n
LEFT JOIN summed s USING (id);
