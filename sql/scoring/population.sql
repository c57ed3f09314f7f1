-- Step population, after parts, bins and binned: how many of the companies in pg_temp.bit_now are in each bin.
SELECT
    bins.bin,
    count(binned.id) AS companies
FROM bins
LEFT JOIN binned USING (bin)
GROUP BY bins.bin;
