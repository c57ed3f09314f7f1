-- From a website to the domain that identifies a company. No extension is needed, and nothing depends on the database's
-- locale. At a million rows this is most of the time from intake to slots: measure before you change it.

CREATE OR REPLACE FUNCTION intake.website_host(website text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT rtrim(lower(CASE
        -- nearly all websites take one of the first two ways, which cost a quarter of the last
        WHEN website ~ '^https?://[A-Za-z0-9.-]+(/|$)' THEN split_part(website, '/', 3)
        WHEN website ~ '^[A-Za-z0-9.-]+(/|$)' THEN split_part(website, '/', 1)
        WHEN website ~* '^\s*(https?:)?//' OR website !~* '^\s*[a-z][a-z0-9+.-]*:[^0-9]' THEN
            substring(regexp_replace(website, '^\s*(https?:)?//', '', 'i')
                      FROM '^(?:[^/?#@\s]*@)?([^/?#:\s]+)(?::[0-9]*)?(?:[/?#].*)?\s*$') END), '.')
$$;
COMMENT ON FUNCTION intake.website_host(text) IS
'Host of an http(s) URL, scheme optional; NULL for other schemes and garbage';

-- RFC 3492, section 6.2. A label that does not decode makes the host NULL, never an error.
CREATE OR REPLACE FUNCTION intake.punycode_decode(label text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    delta_part text := split_part(label, '-', -1);
    output text := left(label, greatest(length(label) - length(split_part(label, '-', -1)) - 1, 0));
    code bigint := 128;
    place bigint := 0;
    bias integer := 72;
    position integer := 1;
    started bigint;
    weight bigint;
    threshold integer;
    digit integer;
    delta bigint;
    k integer;
BEGIN
    IF label !~ '^[a-z0-9-]{1,59}$' OR delta_part = '' THEN
        RETURN NULL;
    END IF;
    WHILE position <= length(delta_part) LOOP
        started := place;
        weight := 1;
        k := 36;
        LOOP
            IF position > length(delta_part) OR weight > 1e12 THEN
                RETURN NULL;
            END IF;
            digit := strpos(digits, substr(delta_part, position, 1)) - 1;
            position := position + 1;
            place := place + digit * weight;
            threshold := least(greatest(k - bias, 1), 26);
            EXIT WHEN digit < threshold;
            weight := weight * (36 - threshold);
            k := k + 36;
        END LOOP;
        delta := (place - started) / CASE WHEN started = 0 THEN 700 ELSE 2 END;
        delta := delta + delta / (length(output) + 1);
        k := 0;
        WHILE delta > 455 LOOP
            delta := delta / 35;
            k := k + 36;
        END LOOP;
        bias := k + 36 * delta / (delta + 38);
        code := code + place / (length(output) + 1);
        place := place % (length(output) + 1);
        IF code > 1114111 OR code BETWEEN 55296 AND 57343 THEN
            RETURN NULL;
        END IF;
        output := overlay(output PLACING chr(code::integer) FROM place::integer + 1 FOR 0);
        place := place + 1;
    END LOOP;
    RETURN output;
END
$$;
COMMENT ON FUNCTION intake.punycode_decode(text) IS
'A host label after xn--, decoded (RFC 3492); NULL when it is not Punycode';

CREATE OR REPLACE FUNCTION intake.unicode_host(host text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN count(*) = count(label) THEN normalize(string_agg(label, '.' ORDER BY place), NFC) END
    FROM (SELECT place,
                 CASE WHEN label LIKE 'xn--%' THEN lower(intake.punycode_decode(substr(label, 5)))
                      ELSE label END AS label
          FROM string_to_table(host, '.') WITH ORDINALITY AS t (label, place)) AS labels
$$;
COMMENT ON FUNCTION intake.unicode_host(text) IS
'The host with xn-- labels decoded, as the public suffix list spells them';

-- The longest rule wins; *.x covers one more label, and alone it does not make x a suffix; !x is the exception to a
-- wildcard (publicsuffix.org/list). A domain is spelt in Unicode, however the website wrote it: xn--mnchen-3ya.de is
-- münchen.de. All hosts at once, because six hash joins over a set cost a twentieth of six index lookups a host, and
-- hash joins whatever the planner expects, because it cannot know how long the array is. The sixth label is for
-- *.001.test.code-builder-stg.platform.salesforce.com, the longest rule of the list.
CREATE OR REPLACE FUNCTION intake.registrable_domains(hosts text[]) RETURNS TABLE (host text, domain text)
LANGUAGE sql STABLE PARALLEL SAFE SET enable_nestloop = off AS $$
    WITH spelt AS MATERIALIZED (
        SELECT given, CASE WHEN octet_length(given) = length(given) AND given NOT LIKE '%xn--%' THEN given
                           ELSE intake.unicode_host(given) END AS name
        FROM unnest(hosts) AS given
    ), split AS MATERIALIZED (
        SELECT given, name, length(name) - length(replace(name, '.', '')) + 1 AS n, split_part(name, '.', -1) AS last1,
               split_part(name, '.', -2) || '.' || split_part(name, '.', -1) AS last2
        FROM spelt
        WHERE name <> '' AND name !~ '[\x01-\x2c\x2f\x3a-\x60\x7b-\x7f]' AND '.' || name || '.' !~ '\.\.|\.-|-\.'
              AND length(name) <= 253 AND (length(name) < 64 OR name !~ '[^.]{64}')
    ), suffixed AS (
        SELECT given, name, n, last2, coalesce(
            CASE 'exception' WHEN s6.kind THEN 5 WHEN s5.kind THEN 4 WHEN s4.kind THEN 3
                             WHEN s3.kind THEN 2 WHEN s2.kind THEN 1 END,
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
    SELECT given, CASE suffix_length WHEN 1 THEN last2
                       ELSE array_to_string((string_to_array(name, '.'))[n - suffix_length:], '.') END
    FROM suffixed WHERE n > suffix_length
$$;
COMMENT ON FUNCTION intake.registrable_domains(text[]) IS
'Registrable domain of each host; no row for IP addresses, unknown suffixes and malformed names';

-- The one answer to "whose domain is it?" for companies, people, signals, outcomes and guesses. www.x is x, so that a
-- site on a public suffix is judged alike with and without it; www.ck is itself an exception of the list.
CREATE OR REPLACE FUNCTION intake.domains_of_hosts(hosts text[])
RETURNS TABLE (host text, domain text, shared text, owners text[])
LANGUAGE sql STABLE PARALLEL SAFE SET enable_nestloop = off AS $$
    WITH bare AS MATERIALIZED (
        SELECT given,
               CASE WHEN given LIKE 'www.%.%'
                         AND given NOT IN (SELECT s.suffix FROM intake.public_suffix s WHERE s.kind = 'exception')
                    THEN substr(given, 5) ELSE given END AS name
        FROM (SELECT DISTINCT g FROM unnest(hosts) AS g) AS distinct_hosts (given)
    ), registrable AS MATERIALIZED (
        SELECT r.host, r.domain
        FROM intake.registrable_domains(ARRAY(SELECT DISTINCT b.name FROM bare b)) AS r
    )
    SELECT b.given, coalesce(r.domain, whole.name), coalesce(whole.category, below.category),
           CASE WHEN whole.name IS NOT NULL THEN whole.owners ELSE below.owners END
    FROM bare b
    LEFT JOIN registrable r ON r.host = b.name
    LEFT JOIN intake.shared_domains whole ON whole.name = b.name
    LEFT JOIN intake.shared_domains below ON below.name = r.domain AND NOT below.host_only
    WHERE r.domain IS NOT NULL OR whole.name IS NOT NULL
$$;
COMMENT ON FUNCTION intake.domains_of_hosts(text[]) IS
'Registrable domain of each host, and what kind of site it is when the domain is nobody''s own; no row for garbage';

CREATE OR REPLACE FUNCTION intake.owns_domain(name_key text, domain text, owners text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(replace(name_key, ' ', '') = split_part(domain, '.', 1)
                    OR replace(name_key, ' ', '') = ANY (owners), false)
$$;
COMMENT ON FUNCTION intake.owns_domain(text, text, text[]) IS
'Whether a company of this name key is a shared site''s own: Etsy on etsy.com';
