-- Matches that were undone come together again with the next promotion of their rows.
DROP FUNCTION IF EXISTS marketing.unmatch_company(bigint, text, text);
DROP FUNCTION IF EXISTS marketing.match_companies(text[], text[]);
DROP TABLE IF EXISTS intake.separate_names;

CREATE OR REPLACE TRIGGER company_raw_intake_touch
    BEFORE UPDATE OF company, website, import_batch_id ON intake.company_raw_intake
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();
DROP FUNCTION IF EXISTS intake.reopen_edited_row();

-- As 0010 has it.
CREATE OR REPLACE FUNCTION intake.registrable_domains(hosts text[]) RETURNS TABLE (host text, domain text)
LANGUAGE sql STABLE PARALLEL SAFE SET enable_nestloop = off AS $$
    WITH split AS MATERIALIZED (
        SELECT name, length(name) - length(replace(name, '.', '')) + 1 AS n, split_part(name, '.', -1) AS last1,
               split_part(name, '.', -2) || '.' || split_part(name, '.', -1) AS last2
        FROM unnest(hosts) AS name
        WHERE name <> '' AND name !~ '[\x01-\x2c\x2f\x3a-\x60\x7b-\x7f]' AND '.' || name || '.' !~ '\.\.|\.-|-\.'
              AND length(name) <= 253 AND (length(name) < 64 OR name !~ '[^.]{64}')
    ), suffixed AS (
        SELECT name, n, last2, coalesce(
            CASE 'exception' WHEN s6.kind THEN 5 WHEN s5.kind THEN 4 WHEN s4.kind THEN 3 WHEN s3.kind THEN 2 WHEN s2.kind THEN 1 END,
            greatest(CASE WHEN s6.kind = 'rule' THEN 6 WHEN s6.kind = 'wildcard' AND n > 6 THEN 7 END,
                     CASE WHEN s5.kind = 'rule' THEN 5 WHEN s5.kind = 'wildcard' AND n > 5 THEN 6 END,
                     CASE WHEN s4.kind = 'rule' THEN 4 WHEN s4.kind = 'wildcard' AND n > 4 THEN 5 END,
                     CASE WHEN s3.kind = 'rule' THEN 3 WHEN s3.kind = 'wildcard' AND n > 3 THEN 4 END,
                     CASE WHEN s2.kind = 'rule' THEN 2 WHEN s2.kind = 'wildcard' AND n > 2 THEN 3 END,
                     CASE WHEN s1.kind = 'rule' THEN 1 WHEN s1.kind = 'wildcard' AND n > 1 THEN 2 END)) AS suffix_length
        FROM split
        LEFT JOIN intake.public_suffix s1 ON s1.suffix = last1
        LEFT JOIN intake.public_suffix s2 ON s2.suffix = last2
        LEFT JOIN intake.public_suffix s3
               ON s3.suffix = CASE WHEN n >= 3 THEN split_part(name, '.', -3) || '.' || last2 END
        LEFT JOIN intake.public_suffix s4
               ON s4.suffix = CASE WHEN n >= 4 THEN array_to_string((string_to_array(name, '.'))[n - 3:], '.') END
        LEFT JOIN intake.public_suffix s5
               ON s5.suffix = CASE WHEN n >= 5 THEN array_to_string((string_to_array(name, '.'))[n - 4:], '.') END
        LEFT JOIN intake.public_suffix s6
               ON s6.suffix = CASE WHEN n >= 6 THEN array_to_string((string_to_array(name, '.'))[n - 5:], '.') END
    )
    SELECT name, CASE suffix_length WHEN 1 THEN last2
                      ELSE array_to_string((string_to_array(name, '.'))[n - suffix_length:], '.') END
    FROM suffixed WHERE n > suffix_length
$$;
DROP FUNCTION IF EXISTS intake.unicode_host(text);
DROP FUNCTION IF EXISTS intake.punycode_decode(text);
