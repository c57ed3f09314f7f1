-- How many of the companies in pg_temp.bit_now are in each bin of the scorecard. Continues sql/scoring/binned.sql.
SELECT (bins.bin - 1)::int, count(binned.id) FROM bins LEFT JOIN binned USING (bin) GROUP BY 1 ORDER BY 1
