-- Step parts, after features: each feature with its part of the rubric's score. docs/explanation/scoring.md.
-- Engagement only ever raises, and by no more than what the others leave to 100 points: without any signal a company of
-- the ideal profile is above the cut, and the first signal makes no jump.
WITH rules AS (
    SELECT m.*
    FROM jsonb_to_recordset(%(ple_rules)s::jsonb -> 'points') AS m (feature text, points float8)
),

pointed AS (
    SELECT
        f.*,
        coalesce(rules.points, 0) AS most,
        coalesce(rules.points * f.share, 0) AS points
    FROM features f
    LEFT JOIN rules USING (feature)
)

SELECT
    id,
    feature,
    number,
    word,
    value,
    CASE feature
        WHEN 'engagement'
            THEN
                coalesce(share, 0)
                * least(most, 100 - sum(points) FILTER (WHERE feature <> 'engagement') OVER (PARTITION BY id))
        ELSE points
    END / 100 AS part
FROM pointed;
