-- Guessed addresses that turned out to work go to the people they were guessed for, in place of none or of one that
-- does not.

-- The best guess for each person who may need one.
DROP TABLE IF EXISTS pg_temp.guesses;
CREATE TEMP TABLE guesses ON COMMIT DROP AS
WITH people AS MATERIALIZED (
    SELECT
        p.person_unique_id,
        p.email
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    LEFT JOIN marketing.email_verification known ON known.email = p.email
    WHERE (
        p.email IS NULL
        OR known.status = 'invalid'
        OR known.is_role
        OR p.provenance #>> '{email,pattern}' IS NOT NULL
    )
)

SELECT
    p.person_unique_id,
    p.email AS former,
    g.*
FROM people p
CROSS JOIN LATERAL (
    SELECT
        v.id AS call_id,
        v.input_key AS email,
        v.answered_at,
        v.input ->> 'pattern' AS pattern,
        v.environment,
        v.response ->> 'result' AS result
    FROM marketing.vendor_calls v
    WHERE v.input ->> 'guessed_for' = p.person_unique_id
        AND v.state = 'settled'
        AND v.response ->> 'result' IN ('ok', 'catch_all')
    ORDER BY v.response ->> 'result' = 'ok' DESC, v.id
    LIMIT 1
) g;

-- They get it, with where it comes from.
UPDATE marketing.people_master p
SET
    email = g.email,
    email_source_status = NULL,
    provenance = p.provenance || jsonb_build_object(
        'email', jsonb_strip_nulls(jsonb_build_object(
            'source', CASE g.environment WHEN 'sandbox' THEN 'sandbox:pattern' ELSE 'pattern' END,
            'pattern', g.pattern,
            'observed_at', g.answered_at,
            'confidence', CASE g.result WHEN 'ok' THEN 1 ELSE 0.5 END,
            'call', g.call_id,
            -- what the source said, not an earlier guess: that is what would come back
            'replaces', coalesce(
                p.provenance #>> '{email,replaces}',
                CASE WHEN p.provenance #>> '{email,pattern}' IS NULL THEN g.former END
            )
        ))
    )
FROM pg_temp.guesses g
WHERE p.person_unique_id = g.person_unique_id AND p.email IS DISTINCT FROM g.email;

-- What the stage reports.
SELECT count(*) AS guessed_addresses FROM pg_temp.guesses;
