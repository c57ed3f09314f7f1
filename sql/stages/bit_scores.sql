-- Stores the scores in pg_temp.bit_now (sql/scoring/bit.sql) that differ from each company's newest row.
-- They are found before the first is written: looked up meanwhile, the new rows are read over again and again.
DROP TABLE IF EXISTS pg_temp.bit_changed;
CREATE TEMP TABLE bit_changed ON COMMIT DROP AS
SELECT n.*
FROM pg_temp.bit_now n
LEFT JOIN LATERAL (
    SELECT *
    FROM marketing.bit_results r
    WHERE r.company_id = n.company_id
    ORDER BY r.calculated_at DESC, r.id DESC
    LIMIT 1
) last ON true
WHERE last.id IS NULL
    OR last.bit_model_version <> %(version)s
    OR abs(last.bit_score - n.score) > %(epsilon)s
    OR last.last_signal_at IS DISTINCT FROM n.last_signal_at;

-- A new row of history for each of them.
INSERT INTO marketing.bit_results (company_id, bit_score, bit_model_version, last_signal_at, calculated_at, metadata)
SELECT
    n.company_id,
    n.score,
    %(version)s,
    n.last_signal_at,
    n.as_of,
    jsonb_build_object('reasons', n.reasons, 'first_party', n.first_party)
FROM pg_temp.bit_changed n;

-- What the stage reports.
SELECT
    count(*) AS rows_in,
    count(*) AS rows_out,
    count(*) FILTER (WHERE score > 0) AS companies_with_signals,
    coalesce(round(max(score)::numeric, 4), 0) AS highest_score,
    (
        SELECT jsonb_object_agg(bin, n)
        FROM (
            SELECT
                to_char(floor(least(score, 0.999) * 10) / 10, 'FM0.0') AS bin,
                count(*) AS n
            FROM pg_temp.bit_now
            GROUP BY 1
        ) AS bins
    ) AS score_distribution
FROM pg_temp.bit_now;
