-- Step binned, after parts and bins: the bin of each feature that has one.
SELECT
    f.id,
    f.feature,
    f.value,
    f.part,
    b.bin,
    b.points
FROM parts f
JOIN bins b
    ON b.feature = f.feature
    AND CASE
        WHEN b.missing THEN f.number IS NULL AND f.word IS NULL
        WHEN b.word IS NOT NULL THEN f.word = b.word
        WHEN b.otherwise
            THEN f.word IS NOT NULL
                AND NOT EXISTS (SELECT FROM bins o WHERE o.feature = b.feature AND o.word = f.word)
        ELSE f.number IS NOT NULL
            AND (b.lower IS NULL OR f.number >= b.lower)
            AND (b.upper IS NULL OR f.number < b.upper)
    END;
