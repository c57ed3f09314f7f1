-- Continues sql/scoring/features.sql: each feature's bin on the scorecard (docs/learning.md). Empty without a model.
, rules AS (
    SELECT m.* FROM jsonb_to_recordset(%(ple_rules)s::jsonb -> 'points') AS m (feature text, points float8, label text)
), model AS (
    SELECT s, (s ->> 'intercept')::float8 AS intercept, (s ->> 'rubric_slope')::float8 AS slope,
           (s ->> 'calibration_slope')::float8 AS calibration_slope, (s ->> 'calibration_intercept')::float8 AS calibration_intercept,
           ARRAY(SELECT jsonb_array_elements_text(s -> 'rank_logits')::float8) AS logits,
           ARRAY(SELECT jsonb_array_elements_text(s -> 'ranks')::float8) AS ranks
    FROM (SELECT %(scorecard)s::jsonb AS s) AS given WHERE s IS NOT NULL
), bins AS MATERIALIZED (
    SELECT b.*, row_number() OVER () AS bin FROM model, jsonb_to_recordset(s -> 'bins')
        AS b (feature text, lower float8, upper float8, word text, otherwise boolean, missing boolean, points float8, share float8)
), binned AS (
    SELECT f.id, f.feature, f.value, f.share, b.bin, b.points
    FROM features f JOIN bins b ON b.feature = f.feature
        AND CASE WHEN b.missing THEN f.number IS NULL AND f.word IS NULL
                 WHEN b.word IS NOT NULL THEN f.word = b.word
                 WHEN b.otherwise THEN f.word IS NOT NULL
                      AND NOT EXISTS (SELECT FROM bins o WHERE o.feature = b.feature AND o.word = f.word)
                 ELSE f.number IS NOT NULL AND (b.lower IS NULL OR f.number >= b.lower) AND (b.upper IS NULL OR f.number < b.upper) END
)
