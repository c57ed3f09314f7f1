-- Takes the companies that the profile excludes out of pg_temp.ple_now: score 0, and a reason that says why.
UPDATE pg_temp.ple_now n
SET
    score = 0,
    p_convert = NULL,
    reasons = jsonb_build_object(
        'feature', 'excluded', 'share', -n.score::numeric, 'label', 'excluded by profile.yaml: ' || x.reason
    )
    || n.reasons
FROM marketing.company_master c
CROSS JOIN (SELECT %(profile)s::jsonb -> 'exclusions' AS excluded) AS given
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN excluded -> 'domains' ? c.domain THEN 'domain ' || c.domain
                WHEN
                    EXISTS (
                        SELECT
                        FROM jsonb_array_elements_text(excluded -> 'industries') AS word
                        WHERE strpos(lower(c.industry), word) > 0
                    )
                    THEN 'industry ' || c.industry
                WHEN excluded -> 'places' ?| ARRAY[lower(c.city), lower(c.state), lower(c.country)]
                    THEN 'place ' || concat_ws(', ', c.city, c.state, c.country)
            END AS reason
    ) AS x
WHERE c.company_unique_id = n.company_id AND x.reason IS NOT NULL;
