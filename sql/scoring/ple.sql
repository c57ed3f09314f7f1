-- PLE of the rows of pg_temp.bit_now: one row each, no writes. Continues sql/scoring/binned.sql. docs/scoring.md, docs/learning.md.
-- Without a model: points / 100. With one: the rank of the log-odds, which are the intercept plus each feature's contribution.
, earned AS (
    -- twelve decimals: below them the order of a floating-point sum shows
    SELECT f.id, f.feature, round((rules.points * f.share / 100)::numeric, 12) AS share, replace(rules.label, '{value}', f.value) AS label
    FROM features f JOIN rules USING (feature) WHERE f.share > 0 AND rules.points > 0 AND NOT EXISTS (SELECT FROM model)
), learned AS (
    SELECT f.id, f.feature, f.value, f.points + model.slope * coalesce(rules.points * f.share / 100, 0) AS contribution,
           coalesce(rules.label, f.feature || ' {value}') AS label
    FROM model CROSS JOIN binned f LEFT JOIN rules USING (feature)
), odds AS (
    SELECT l.id, model.intercept + sum(l.contribution) AS logit, sum(l.contribution) AS moved FROM learned l, model GROUP BY l.id, model.intercept
), ranked AS (
    SELECT o.id, o.moved, marketing.interpolate(o.logit, logits, ranks) AS rank, marketing.interpolate(model.intercept, logits, ranks) AS base,
           1 / (1 + exp(-greatest(-700, least(700, calibration_intercept + calibration_slope * o.logit)))) AS p_convert
    FROM odds o, model
), shares AS (
    SELECT id, feature, share, label FROM earned
    UNION ALL
    -- each feature has the part of the way from the average company's rank that it has of the way in log-odds
    SELECT l.id, l.feature, round(((r.rank - r.base) * l.contribution / nullif(r.moved, 0))::numeric, 12),
           CASE WHEN l.value IS NULL THEN replace(l.feature, '_', ' ') || ' not known' ELSE replace(l.label, '{value}', l.value) END
    FROM learned l JOIN ranked r USING (id)
), summed AS (
    SELECT id, sum(share) AS share,
           jsonb_agg(jsonb_build_object('feature', feature, 'share', share, 'label', label) ORDER BY abs(share) DESC, feature) AS reasons
    FROM shares WHERE share <> 0 GROUP BY id
)
SELECT n.id, n.company_id, n.as_of, r.p_convert, coalesce(round(r.base::numeric, 12), 0) AS base,
       greatest(0, least(1, coalesce(round(r.base::numeric, 12), 0) + coalesce(s.share, 0)))::float8 AS score, coalesce(s.reasons, '[]') AS reasons
FROM pg_temp.bit_now n LEFT JOIN summed s USING (id) LEFT JOIN ranked r USING (id)
