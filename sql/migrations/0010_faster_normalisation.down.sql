-- Back to the definitions of 0003_normalisation.sql, which give the same answers more slowly.
CREATE OR REPLACE FUNCTION intake.website_host(website text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN website ~* '^\s*(https?:)?//' OR website !~* '^\s*[a-z][a-z0-9+.-]*:[^0-9]' THEN
        rtrim(lower(substring(regexp_replace(website, '^\s*(https?:)?//', '', 'i')
                              FROM '^(?:[^/?#@\s]*@)?([^/?#:\s]+)(?::[0-9]*)?(?:[/?#].*)?\s*$')), '.') END
$$;

CREATE OR REPLACE FUNCTION intake.registrable_domains(hosts text[]) RETURNS TABLE (host text, domain text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH split AS MATERIALIZED (
        SELECT name, string_to_array(name, '.') AS labels, cardinality(string_to_array(name, '.')) AS n
        FROM unnest(hosts) AS name
        WHERE name ~ '^[^\x01-\x2c\x2f\x3a-\x60\x7b-\x7f]+$' AND name !~ '(^|\.)(-|\.|$)|-(\.|$)|[^.]{64}' AND length(name) <= 253
    ), suffixed AS (
        SELECT split.*, coalesce(
            CASE 'exception' WHEN s3.kind THEN 2 WHEN s2.kind THEN 1 WHEN s4.kind THEN 3 END,
            greatest(CASE s5.kind WHEN 'rule' THEN 5 WHEN 'wildcard' THEN 6 END,
                     CASE s4.kind WHEN 'rule' THEN 4 WHEN 'wildcard' THEN 5 END,
                     CASE s3.kind WHEN 'rule' THEN 3 WHEN 'wildcard' THEN 4 END,
                     CASE s2.kind WHEN 'rule' THEN 2 WHEN 'wildcard' THEN 3 END,
                     CASE s1.kind WHEN 'rule' THEN 1 WHEN 'wildcard' THEN 2 END)) AS suffix_length
        FROM split
        LEFT JOIN intake.public_suffix s1 ON s1.suffix = labels[n]
        LEFT JOIN intake.public_suffix s2 ON s2.suffix = labels[n - 1] || '.' || labels[n]
        LEFT JOIN intake.public_suffix s3 ON n >= 3 AND s3.suffix = array_to_string(labels[n - 2:], '.')
        LEFT JOIN intake.public_suffix s4 ON n >= 4 AND s4.suffix = array_to_string(labels[n - 3:], '.')
        LEFT JOIN intake.public_suffix s5 ON n >= 5 AND s5.suffix = array_to_string(labels[n - 4:], '.')
    )
    SELECT name, array_to_string(labels[n - suffix_length:], '.') FROM suffixed WHERE n > suffix_length
$$;

CREATE OR REPLACE FUNCTION intake.words(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(translate(replace(intake.fold(value), '&', ' and '),
        '!"#$%()*+,-/:;<=>?@[\]^_{|}~' || E'\t\n\r\u00a0\u2010\u2011\u2012\u2013\u2014\u2022\u3000' || '''’‘`´.®™©',
        '                                       '), '  +', ' ', 'g'))
$$;

CREATE OR REPLACE FUNCTION intake.company_name_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(regexp_replace(regexp_replace(intake.words(name), '^the (?=.)', ''),
        '(?: (?:and co|and company|inc|incorporated|llc|l l c|ltd|limited|corp|corporation|co|company|plc|llp|lp|pllc|pc|pa|gmbh|mbh|ag|kg|ug|sa|sas|sarl|srl|spa|bv|nv|oy|oyj|ab|as|aps|kft|pty|pte))+$',
        ''), ''), lower(btrim(name)))
$$;
