-- Guessed addresses that turned out to work go to the people they were guessed for, in place of none or of one that does not.
DROP TABLE IF EXISTS pg_temp.guesses;
CREATE TEMP TABLE guesses ON COMMIT DROP AS
SELECT DISTINCT ON (p.person_unique_id) p.person_unique_id, p.email AS former, v.id AS call_id, v.input_key AS email, v.answered_at,
       v.input ->> 'pattern' AS pattern, v.environment, v.response ->> 'result' AS result
FROM marketing.vendor_calls v
JOIN marketing.people_master p ON p.person_unique_id = v.input ->> 'guessed_for'
JOIN marketing.company_batches b USING (company_unique_id)
LEFT JOIN marketing.email_verification known ON known.email = p.email
WHERE b.import_batch_id = %(batch)s AND v.operation = 'verify_email' AND v.state = 'settled'
  AND v.response ->> 'result' IN ('ok', 'catch_all')
  AND (p.email IS NULL OR known.status = 'invalid' OR known.is_role OR p.email = v.input_key
       OR p.provenance #>> '{email,pattern}' IS NOT NULL)
ORDER BY p.person_unique_id, v.response ->> 'result' = 'ok' DESC, v.id;

UPDATE marketing.people_master p
SET email = g.email, email_source_status = NULL,
    provenance = p.provenance || jsonb_build_object('email', jsonb_strip_nulls(jsonb_build_object(
        'source', CASE g.environment WHEN 'sandbox' THEN 'sandbox:pattern' ELSE 'pattern' END, 'pattern', g.pattern,
        'observed_at', g.answered_at, 'confidence', CASE g.result WHEN 'ok' THEN 1 ELSE 0.5 END, 'call', g.call_id,
        'replaces', g.former)))
FROM pg_temp.guesses g
WHERE p.person_unique_id = g.person_unique_id AND p.email IS DISTINCT FROM g.email;

SELECT count(*) AS guessed_addresses FROM pg_temp.guesses;
