-- Stores the scores in pg_temp.ple_now (sql/scoring/rubric.sql or scorecard.sql) that differ from each company's newest
-- row.
-- They are found before the first is written: looked up meanwhile, the new rows are read over again and again.
DROP TABLE IF EXISTS pg_temp.ple_changed;
CREATE TEMP TABLE ple_changed ON COMMIT DROP AS
SELECT n.*
FROM pg_temp.ple_now n
LEFT JOIN LATERAL (
    SELECT *
    FROM marketing.ple_results r
    WHERE r.company_id = n.company_id
    ORDER BY r.calculated_at DESC, r.id DESC
    LIMIT 1
) last ON true
WHERE last.id IS NULL
    OR last.ple_model_version <> %(version)s
    OR abs(last.ple_score - n.score) > %(epsilon)s;

-- A new row of history for each of them.
INSERT INTO marketing.ple_results (company_id, ple_score, p_convert, ple_model_version, method, calculated_at, metadata)
SELECT
    n.company_id,
    n.score,
    n.p_convert,
    %(version)s,
    %(method)s,
    n.as_of,
    jsonb_build_object('base', n.base, 'reasons', n.reasons)
FROM pg_temp.ple_changed n;

-- What the stage reports.
SELECT
    count(*) AS rows_in,
    count(*) AS rows_out,
    0 AS rows_rejected,
    coalesce(round(avg(score)::numeric, 4), 0) AS mean_score,
    coalesce(round(max(score)::numeric, 4), 0) AS highest_score,
    (
        SELECT jsonb_object_agg(bin, n)
        FROM (
            SELECT
                to_char(floor(least(score, 0.999) * 10) / 10, 'FM0.0') AS bin,
                count(*) AS n
            FROM pg_temp.ple_now
            GROUP BY 1
        ) AS bins
    ) AS score_distribution
FROM pg_temp.ple_now;
