-- Step scorecard, after parts, bins and binned: PLE by a model, one row for each of pg_temp.bit_now.
-- docs/explanation/learning.md.
-- The score is the rank of the log-odds, which are the intercept plus each feature's contribution.
WITH rules AS (
    SELECT m.*
    FROM jsonb_to_recordset(%(ple_rules)s::jsonb -> 'points') AS m (feature text, label text)
),

model AS (
    SELECT
        (s ->> 'intercept')::float8 AS intercept,
        (s ->> 'rubric_slope')::float8 AS slope,
        (s ->> 'calibration_slope')::float8 AS calibration_slope,
        (s ->> 'calibration_intercept')::float8 AS calibration_intercept,
        ARRAY(SELECT jsonb_array_elements_text(s -> 'rank_logits')::float8) AS logits,
        ARRAY(SELECT jsonb_array_elements_text(s -> 'ranks')::float8) AS ranks
    FROM (SELECT %(scorecard)s::jsonb AS s) AS given
),

contributions AS (
    SELECT
        f.id,
        f.feature,
        f.value,
        f.points + model.slope * f.part AS contribution,
        coalesce(rules.label, f.feature || ' {value}') AS label
    FROM model
    CROSS JOIN binned f
    LEFT JOIN rules USING (feature)
),

odds AS (
    SELECT
        c.id,
        model.intercept + sum(c.contribution) AS logit,
        sum(c.contribution) AS moved
    FROM contributions c
    CROSS JOIN model
    GROUP BY c.id, model.intercept
),

ranked AS (
    SELECT
        o.id,
        o.moved,
        marketing.interpolate(o.logit, logits, ranks) AS rank,
        marketing.interpolate(model.intercept, logits, ranks) AS base,
        1 / (1 + exp(-greatest(-700, least(700, calibration_intercept + calibration_slope * o.logit)))) AS p_convert
    FROM odds o
    CROSS JOIN model
),

shares AS (
    -- Each feature has the part of the way from the average company's rank that it has of the way in log-odds.
    -- Twelve decimals: below them the order of a floating-point sum shows.
    SELECT
        c.id,
        c.feature,
        round(((r.rank - r.base) * c.contribution / nullif(r.moved, 0))::numeric, 12) AS share,
        CASE
            WHEN c.value IS NULL THEN replace(c.feature, '_', ' ') || ' not known'
            ELSE replace(c.label, '{value}', c.value)
        END AS label
    FROM contributions c
    JOIN ranked r USING (id)
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
    r.p_convert,
    coalesce(round(r.base::numeric, 12), 0) AS base,
    greatest(0, least(1, coalesce(round(r.base::numeric, 12), 0) + coalesce(s.share, 0)))::float8 AS score,
    coalesce(s.reasons, '[]') AS reasons
FROM pg_temp.bit_now n
LEFT JOIN summed s USING (id)
LEFT JOIN ranked r USING (id);
