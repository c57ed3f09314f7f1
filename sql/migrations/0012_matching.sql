-- Who is the same company: one spelling of a domain, one way to find the company a row means, and the undoing of a match.

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
COMMENT ON FUNCTION intake.punycode_decode(text) IS 'A host label after xn--, decoded (RFC 3492); NULL when it is not Punycode';

CREATE OR REPLACE FUNCTION intake.unicode_host(host text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN count(*) = count(label) THEN normalize(string_agg(label, '.' ORDER BY place), NFC) END
    FROM (SELECT place, CASE WHEN label LIKE 'xn--%' THEN lower(intake.punycode_decode(substr(label, 5))) ELSE label END AS label
          FROM string_to_table(host, '.') WITH ORDINALITY AS t (label, place)) AS labels
$$;
COMMENT ON FUNCTION intake.unicode_host(text) IS 'The host with xn-- labels decoded, as the public suffix list spells them';

-- As in 0010, but a domain is spelt in Unicode, however the website wrote it: xn--mnchen-3ya.de is münchen.de.
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
    SELECT given, CASE suffix_length WHEN 1 THEN last2
                       ELSE array_to_string((string_to_array(name, '.'))[n - suffix_length:], '.') END
    FROM suffixed WHERE n > suffix_length
$$;

CREATE TABLE IF NOT EXISTS intake.separate_names (
    domain     text NOT NULL,
    name_words text NOT NULL,
    notes      text,
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, name_words)
);
COMMENT ON TABLE intake.separate_names IS
    'Names that are a company of their own although another one on the domain differs only by legal form (barton unmatch)';
COMMENT ON COLUMN intake.separate_names.domain IS 'Registrable domain on which the name stands apart';
COMMENT ON COLUMN intake.separate_names.name_words IS 'The name as intake.words writes it, legal form included: the identity key of such rows';
COMMENT ON COLUMN intake.separate_names.notes IS 'Why, in the words of whoever undid the match';
COMMENT ON COLUMN intake.separate_names.created_by IS 'Who undid the match';
COMMENT ON COLUMN intake.separate_names.created_at IS 'When the match was undone; rows judged later follow it';

-- The one rule by which people and signals find their company: domain and name, else the domain's only company, else,
-- without a domain, the name's only company.
CREATE OR REPLACE FUNCTION marketing.match_companies(domains text[], names text[])
RETURNS TABLE (domain text, name text, name_key text, company_unique_id text, rule text)
LANGUAGE sql STABLE AS $$
    WITH given AS MATERIALIZED (
        SELECT DISTINCT d AS domain, n AS name FROM unnest(domains, names) AS pair (d, n)
    ), keyed AS MATERIALIZED (
        SELECT g.*, coalesce(
                   CASE WHEN g.domain IN (SELECT s.domain FROM intake.separate_names s) THEN
                       (SELECT apart.name_words FROM intake.separate_names apart
                        WHERE apart.domain = g.domain AND apart.name_words = intake.words(g.name)) END,
                   intake.company_name_key(g.name)) AS name_key
        FROM given g
    ), by_domain AS (
        SELECT c.domain, count(*) AS companies, min(c.company_unique_id) AS company_unique_id FROM marketing.company_master c
        WHERE c.domain IN (SELECT k.domain FROM keyed k) GROUP BY c.domain
    ), by_name AS (
        SELECT c.company_name_key, count(*) AS companies, min(c.company_unique_id) AS company_unique_id
        FROM marketing.company_master c
        WHERE c.company_name_key IN (SELECT k.name_key FROM keyed k WHERE k.domain IS NULL) GROUP BY c.company_name_key
    )
    SELECT k.domain, k.name, k.name_key,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN exact.company_unique_id
                WHEN d.companies = 1 THEN d.company_unique_id WHEN n.companies = 1 THEN n.company_unique_id END,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN 'by_domain_and_name'
                WHEN d.companies = 1 THEN 'by_domain' WHEN d.companies > 1 THEN 'domain_shared_by_companies'
                WHEN n.companies = 1 THEN 'by_name' WHEN n.companies > 1 THEN 'name_shared_by_companies'
                ELSE 'no_such_company' END
    FROM keyed k
    LEFT JOIN marketing.company_master exact ON exact.domain = k.domain AND exact.company_name_key = k.name_key
    LEFT JOIN by_domain d ON d.domain = k.domain
    LEFT JOIN by_name n ON n.company_name_key = k.name_key AND k.domain IS NULL
$$;
COMMENT ON FUNCTION marketing.match_companies(text[], text[]) IS
    'The company each pair of registrable domain (or NULL) and written name means, and by which rule; parallel arrays';

-- A row that was edited is no longer judged: promotion must not take its new website with its old domain.
CREATE OR REPLACE FUNCTION intake.reopen_edited_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    NEW.validated := NULL;
    NEW.validated_at := NULL;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intake.reopen_edited_row() IS 'Row trigger: an edited intake row has to be judged again';
CREATE OR REPLACE TRIGGER company_raw_intake_touch
    BEFORE UPDATE OF company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street,
        company_city, company_state, company_postal_code, company_country, company_address, company_phone, sic_codes,
        founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id ON intake.company_raw_intake
    FOR EACH ROW
    WHEN ((OLD.company, OLD.company_name_for_emails, OLD.website, OLD.company_linkedin_url, OLD.industry, OLD.num_employees,
           OLD.company_street, OLD.company_city, OLD.company_state, OLD.company_postal_code, OLD.company_country,
           OLD.company_address, OLD.company_phone, OLD.sic_codes, OLD.founded_year, OLD.facebook_url, OLD.twitter_url,
           OLD.state_abbrev, OLD.import_batch_id)
          IS DISTINCT FROM
          (NEW.company, NEW.company_name_for_emails, NEW.website, NEW.company_linkedin_url, NEW.industry, NEW.num_employees,
           NEW.company_street, NEW.company_city, NEW.company_state, NEW.company_postal_code, NEW.company_country,
           NEW.company_address, NEW.company_phone, NEW.sic_codes, NEW.founded_year, NEW.facebook_url, NEW.twitter_url,
           NEW.state_abbrev, NEW.import_batch_id))
    EXECUTE FUNCTION intake.reopen_edited_row();

CREATE OR REPLACE FUNCTION marketing.unmatch_company(row_id bigint, by_whom text DEFAULT session_user, notes text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    match record;
    separated bigint[];
BEGIN
    SELECT m.rule, r.company, r.domain, c.company_unique_id, c.company_name, intake.words(r.company) AS name_words
    INTO match
    FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
    JOIN marketing.company_master c USING (company_unique_id) WHERE m.intake_id = row_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Intake row % is matched to no company', row_id
            USING HINT = 'See the matches in marketing.company_matches.', ERRCODE = 'no_data_found';
    ELSIF match.name_words = intake.words(match.company_name) THEN
        RAISE EXCEPTION 'Intake row % is written like company %: % on %', row_id, match.company_unique_id, match.company_name, match.domain
            USING HINT = 'Name and domain are all that tells companies apart: correct the name or the website of the row.',
                  ERRCODE = 'check_violation';
    END IF;
    INSERT INTO intake.separate_names (domain, name_words, notes, created_by)
    VALUES (match.domain, match.name_words, notes, by_whom) ON CONFLICT DO NOTHING;

    separated := ARRAY(SELECT r.id FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                       WHERE m.company_unique_id = match.company_unique_id AND intake.words(r.company) = match.name_words);
    -- what only the separated rows told of the company was not true of it
    WITH only_apart AS (
        SELECT told.field, told.value
        FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
        CROSS JOIN LATERAL (VALUES
            ('company_name_for_emails', company_name_for_emails),
            ('industry', industry),
            ('employee_count', employee_count::text),
            ('founded_year', founded::text),
            ('phone', phone),
            ('address', coalesce(company_address, nullif(concat_ws(', ', company_street, company_city,
                coalesce(company_state, state_abbrev), company_postal_code, company_country), ''))),
            ('city', company_city),
            ('state', coalesce(company_state, state_abbrev)),
            ('postal_code', company_postal_code),
            ('country', company_country),
            ('linkedin_url', linkedin_url),
            ('facebook_url', facebook_url),
            ('twitter_url', twitter_url),
            ('sic_codes', sic_codes)
        ) AS told (field, value)
        WHERE m.company_unique_id = match.company_unique_id AND told.value IS NOT NULL
        GROUP BY told.field, told.value HAVING bool_and(r.id = ANY (separated))
    )
    UPDATE marketing.company_master c SET
        company_name_for_emails = CASE WHEN ('company_name_for_emails', c.company_name_for_emails) IN (TABLE only_apart) THEN NULL ELSE c.company_name_for_emails END,
        industry = CASE WHEN ('industry', c.industry) IN (TABLE only_apart) THEN NULL ELSE c.industry END,
        employee_count = CASE WHEN ('employee_count', c.employee_count::text) IN (TABLE only_apart) THEN NULL ELSE c.employee_count END,
        founded_year = CASE WHEN ('founded_year', c.founded_year::text) IN (TABLE only_apart) THEN NULL ELSE c.founded_year END,
        phone = CASE WHEN ('phone', c.phone) IN (TABLE only_apart) THEN NULL ELSE c.phone END,
        address = CASE WHEN ('address', c.address) IN (TABLE only_apart) THEN NULL ELSE c.address END,
        city = CASE WHEN ('city', c.city) IN (TABLE only_apart) THEN NULL ELSE c.city END,
        state = CASE WHEN ('state', c.state) IN (TABLE only_apart) THEN NULL ELSE c.state END,
        postal_code = CASE WHEN ('postal_code', c.postal_code) IN (TABLE only_apart) THEN NULL ELSE c.postal_code END,
        country = CASE WHEN ('country', c.country) IN (TABLE only_apart) THEN NULL ELSE c.country END,
        linkedin_url = CASE WHEN ('linkedin_url', c.linkedin_url) IN (TABLE only_apart) THEN NULL ELSE c.linkedin_url END,
        facebook_url = CASE WHEN ('facebook_url', c.facebook_url) IN (TABLE only_apart) THEN NULL ELSE c.facebook_url END,
        twitter_url = CASE WHEN ('twitter_url', c.twitter_url) IN (TABLE only_apart) THEN NULL ELSE c.twitter_url END,
        sic_codes = CASE WHEN ('sic_codes', c.sic_codes) IN (TABLE only_apart) THEN NULL ELSE c.sic_codes END
    WHERE c.company_unique_id = match.company_unique_id;

    UPDATE intake.company_raw_intake SET validated = NULL, validated_at = NULL WHERE id = ANY (separated);
    DELETE FROM marketing.company_batches b
    WHERE b.company_unique_id = match.company_unique_id AND b.mentioned_by = 'companies'
      AND EXISTS (SELECT FROM intake.company_raw_intake r WHERE r.import_batch_id = b.import_batch_id AND r.id = ANY (separated))
      AND NOT EXISTS (SELECT FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                      WHERE m.company_unique_id = b.company_unique_id AND r.import_batch_id = b.import_batch_id
                        AND r.id <> ALL (separated));
    PERFORM marketing.notify_pipeline_event('continue_at_validated_companies', jsonb_build_object('record_id', row_id), batch)
    FROM (SELECT DISTINCT import_batch_id AS batch FROM intake.company_raw_intake WHERE id = ANY (separated)) AS batches;
    RETURN cardinality(separated);
END
$$;
COMMENT ON FUNCTION marketing.unmatch_company(bigint, text, text) IS
    'Undoes the match of an intake row and of all rows written like it: they become a company of their own. Returns how many rows';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'barton_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON intake.separate_names TO barton_app;
        GRANT EXECUTE ON FUNCTION marketing.match_companies(text[], text[]), marketing.unmatch_company(bigint, text, text) TO barton_app;
    END IF;
    REVOKE EXECUTE ON FUNCTION marketing.match_companies(text[], text[]), marketing.unmatch_company(bigint, text, text) FROM PUBLIC;
END
$$;
