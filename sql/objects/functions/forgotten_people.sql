-- An address without what its owner may write differently: its wrapping, case, +tag, and full stops where the provider
-- ignores them (support.google.com/mail/answer/7436150, proton.me/support/addresses-and-aliases).
CREATE OR REPLACE FUNCTION marketing.plain_address(email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN domain IN ('gmail.com', 'googlemail.com') THEN replace(local, '.', '') || '@gmail.com'
                WHEN domain IN ('proton.me', 'protonmail.com', 'pm.me') THEN translate(local, '._-', '') || '@proton.me'
                ELSE local || '@' || domain END
    FROM (SELECT CASE WHEN split_part(split_part(address, '@', 1), '+', 1) = '' THEN split_part(address, '@', 1)
                      ELSE split_part(split_part(address, '@', 1), '+', 1) END AS local,
                 rtrim(split_part(address, '@', 2), '.') AS domain
          FROM (SELECT split_part(regexp_replace(
                           btrim(lower(coalesce(substring(email FROM '<\s*([^<>]+@[^<>]+)>'), email)),
                                 E' \t\r\n\u00a0\u200b\ufeff\'"`<>()[];,'),
                           '^mailto:\s*', ''), '?', 1) AS address) AS unwrapped
          WHERE address ~ '^[^@]+@[^@]+$') AS parts
$$;
COMMENT ON FUNCTION marketing.plain_address(text) IS
'An address as suppression compares it: unwrapped, lower case, no +tag; NULL when it is none';
REVOKE EXECUTE ON FUNCTION marketing.plain_address(text) FROM public;

CREATE OR REPLACE FUNCTION marketing.name_core(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(regexp_replace(intake.words(name),
        '^((dr|prof|professor|mr|mrs|ms|miss|mx|sir|dame|rev|reverend|hon|herr|frau|ing|dipl|mag|dott|dra|sra|eng) )+',
        ''),
        '( |^)(phd|md|mba|emba|cpa|cfa|cfp|cma|pharmd|esq|jd|llm|dds|dmd|rn|pe|pmp|phr|sphr|shrm cp|shrm scp|cebs'
        '|ms|msc|bsc|bs|he him|she her|they them)(?= |$)', '', 'g'))
$$;
COMMENT ON FUNCTION marketing.name_core(text) IS 'The words of a name without titles before it and degrees after it';

-- A name as words in their order, given name first: "Quint, Dr. Mara J., CPA" is "mara quint". Jr. and Sr. stay, as
-- they tell two people apart; so does a single letter at either end, as it may be all that is known.
CREATE OR REPLACE FUNCTION marketing.plain_name(full_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT nullif(regexp_replace(regexp_replace(regexp_replace(
               marketing.name_core(CASE
                   WHEN full_name LIKE '%,%' AND marketing.name_core(substr(full_name, strpos(full_name, ',') + 1)) <>
                        ''
                       AND intake.words(substr(full_name, strpos(full_name, ',') + 1)) !~ '^(jr|sr|ii|iii|iv)$'
                       THEN split_part(full_name, ',', 2) || ' ' || split_part(full_name, ',', 1) || ' '
                            || substr(full_name, strpos(full_name, ',') + 1 + length(split_part(full_name, ',', 2)))
                   ELSE full_name END),
               '(?<=. )([a-z] )+(?=.)', '', 'g'), '\s+', ' ', 'g'), '^ | $', '', 'g'), '')
$$;
COMMENT ON FUNCTION marketing.plain_name(text) IS
'A name as suppression compares it: given name first, no titles, degrees and middle initials; NULL without a name';

REVOKE EXECUTE ON FUNCTION marketing.name_core(text) FROM public;
REVOKE EXECUTE ON FUNCTION marketing.plain_name(text) FROM public;

-- By what a person is recognised again; hashed, so that what is kept of a forgotten person says nothing. Each as
-- written, which is all that hashes made before version 0.2 have, and as plain_address and plain_name leave it. The
-- name is asked in both orders. With only an initial, everybody with that initial is meant, and an initial may
-- mean the person.
CREATE OR REPLACE FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex')) FROM (
        SELECT DISTINCT ON (identity) place, identity
        FROM (SELECT marketing.plain_name(full_name) AS name) AS plain,
             LATERAL (SELECT regexp_replace(name, '^(.*) (\S+)$', '\2 \1') AS turned,
                             regexp_replace(name, '^(\S)\S* ', '\1 ') AS short) AS orders,
             LATERAL (VALUES
                 (1, 'email:' || lower(btrim(email))),
                 (2, 'email:' || marketing.plain_address(email)),
                 (3, 'linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
                 (4, 'name:' || nullif(intake.words(full_name), '') || '@' || lower(domain)),
                 (5, 'name:' || name || '@' || lower(domain)),
                 (6, 'name:' || turned || '@' || lower(domain)),
                 (7, CASE WHEN short LIKE '_ %' AND short <> name THEN 'name:' || short || '@' || lower(domain) END),
                 (8, CASE WHEN short LIKE '_ %' AND short = name THEN 'initial:' || short || '@' || lower(domain) END)
             ) AS given (place, identity)
        WHERE identity IS NOT NULL ORDER BY identity, place) AS identities
$$;
COMMENT ON FUNCTION marketing.person_hashes(text, text, text, text) IS
'SHA-256 of every spelling by which a person is asked for: address, profile, name and company domain; NULL without any';
REVOKE EXECUTE ON FUNCTION marketing.person_hashes(text, text, text, text) FROM public;

-- Not the name shortened to its initial, which would mean everybody who has that initial: the initial has its own hash.
CREATE OR REPLACE FUNCTION marketing.kept_hashes(email text, linkedin_url text, full_name text, domain text)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex'))
    FROM (SELECT marketing.plain_name(full_name) AS name) AS plain,
         LATERAL (SELECT regexp_replace(name, '^(\S)\S* ', '\1 ') AS short) AS initials,
         LATERAL (VALUES
             ('email:' || lower(btrim(email))),
             ('email:' || marketing.plain_address(email)),
             ('linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
             ('name:' || nullif(intake.words(full_name), '') || '@' || lower(domain)),
             ('name:' || name || '@' || lower(domain)),
             (CASE WHEN short LIKE '_ %' AND short <> name THEN 'initial:' || short || '@' || lower(domain) END)
         ) AS given (identity)
    WHERE identity IS NOT NULL
$$;
COMMENT ON FUNCTION marketing.kept_hashes(text, text, text, text) IS
'SHA-256 of what is kept of a forgotten person: address, profile, name and company domain; NULL without any';
REVOKE EXECUTE ON FUNCTION marketing.kept_hashes(text, text, text, text) FROM public;

CREATE OR REPLACE FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text)
RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM marketing.suppressed_people s
                   WHERE s.identity_hash = ANY (marketing.person_hashes(email, linkedin_url, full_name, domain)))
$$;
COMMENT ON FUNCTION marketing.is_suppressed(text, text, text, text) IS 'Whether the person asked to be forgotten';
REVOKE EXECUTE ON FUNCTION marketing.is_suppressed(text, text, text, text) FROM public;

-- Takes people who asked to be forgotten out of the stored answers about a company domain, whoever bought them.
CREATE OR REPLACE FUNCTION marketing.scrub_answers(domains text[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    scrubbed bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM marketing.suppressed_people) THEN
        RETURN 0;
    END IF;
    UPDATE marketing.vendor_calls v
    SET response = jsonb_set(v.response, '{items}', (
            SELECT coalesce(jsonb_agg(i.item ORDER BY i.place) FILTER (WHERE NOT i.suppressed), '[]')
            FROM (SELECT item, place, marketing.is_suppressed(
                             item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                             coalesce(item ->> 'full_name',
                                      concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                                coalesce(item ->> 'last_name', item ->> 'lastName'))),
                             c.domain) AS suppressed
                  FROM jsonb_array_elements(v.response -> 'items') WITH ORDINALITY AS e (item, place)) AS i))
    FROM marketing.company_answers a JOIN marketing.company_master c USING (company_unique_id)
    WHERE c.domain = ANY (domains) AND v.id = a.call_id AND EXISTS (
        SELECT FROM jsonb_array_elements(v.response -> 'items') AS item
        WHERE marketing.is_suppressed(
                  item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                  coalesce(item ->> 'full_name',
                           concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                     coalesce(item ->> 'last_name', item ->> 'lastName'))),
                  c.domain));
    GET DIAGNOSTICS scrubbed = ROW_COUNT;
    RETURN scrubbed;
END
$$;
COMMENT ON FUNCTION marketing.scrub_answers(text[]) IS
'Removes suppressed people from stored paid answers about these domains; returns how many changed';
REVOKE EXECUTE ON FUNCTION marketing.scrub_answers(text[]) FROM public;

-- wanted: a person ID, an address or the URL of a LinkedIn profile. With the owner's rights, because it removes a
-- person from events and errors too, which nobody else may rewrite.
CREATE OR REPLACE FUNCTION marketing.forget_person(wanted text, reason text) RETURNS TABLE (place text, n bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    hashes text[];
    people text[];
    addresses text[];
    domains text[];
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS forgotten_people
        (person_unique_id text, email text, linkedin_url text, full_name text, domain text) ON COMMIT DROP;
    TRUNCATE forgotten_people;
    INSERT INTO forgotten_people
    SELECT p.person_unique_id, p.email, p.linkedin_url, p.full_name, c.domain
    FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
    WHERE p.person_unique_id = wanted OR lower(p.email) = lower(btrim(wanted))
       OR marketing.plain_address(p.email) = marketing.plain_address(wanted)
       OR marketing.person_hashes(NULL, p.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    INSERT INTO forgotten_people
    SELECT NULL, r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
    FROM intake.people_raw_intake r
    WHERE lower(btrim(r.email)) = lower(btrim(wanted))
       OR marketing.plain_address(r.email) = marketing.plain_address(wanted)
       OR marketing.person_hashes(NULL, r.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    hashes := ARRAY(SELECT DISTINCT h
                    FROM forgotten_people f,
                         unnest(marketing.kept_hashes(f.email, f.linkedin_url, f.full_name, f.domain)) AS h
                    UNION
                    SELECT unnest(marketing.kept_hashes(
                        CASE WHEN wanted LIKE '%@%' THEN wanted END, wanted, NULL, NULL)));
    IF cardinality(hashes) = 0 THEN
        RAISE EXCEPTION 'Nobody is known as %', wanted
            USING HINT = 'Give a person ID, an address, or the URL of a LinkedIn profile.', ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO marketing.suppressed_people (identity_hash, reason)
    SELECT unnest(hashes), forget_person.reason ON CONFLICT DO NOTHING;

    -- everybody who is recognised by one of the hashes: the same person at another company too
    people := ARRAY(SELECT p.person_unique_id
                    FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                    WHERE marketing.person_hashes(p.email, p.linkedin_url, p.full_name, c.domain) && hashes);
    addresses := ARRAY(SELECT lower(btrim(wanted)) WHERE wanted LIKE '%@%'
                       UNION SELECT lower(email) FROM forgotten_people WHERE email IS NOT NULL
                       UNION SELECT v.input_key FROM marketing.vendor_calls v
                       WHERE v.input ->> 'guessed_for' = ANY (people)
                       UNION SELECT p.provenance #>> '{email,replaces}' FROM marketing.people_master p
                       WHERE p.person_unique_id = ANY (people) AND p.provenance #>> '{email,replaces}' IS NOT NULL);
    domains := ARRAY(SELECT DISTINCT c.domain
                     FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                     WHERE p.person_unique_id = ANY (people)
                     UNION SELECT f.domain FROM forgotten_people f WHERE f.domain IS NOT NULL);

    DELETE FROM intake.people_raw_intake r
    WHERE marketing.person_hashes(
              r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
          ) && hashes
       -- a row that names the company instead of its domain
       OR EXISTS (SELECT FROM marketing.company_master c
                  WHERE c.company_name_key = r.company_name_key AND c.domain = ANY (domains)
                    AND marketing.person_hashes(
                            NULL, NULL, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), c.domain
                        ) && hashes);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'intake rows';
    RETURN NEXT;
    UPDATE marketing.company_slots
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL, search_state = 'vacant'
    WHERE person_unique_id = ANY (people);
    UPDATE marketing.messages_outbound
    SET person_unique_id = NULL, recipient = 'forgotten', subject = NULL, metadata = '{}'
    WHERE person_unique_id = ANY (people) OR lower(recipient) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'messages made anonymous';
    RETURN NEXT;
    UPDATE marketing.bit_signals SET metadata = metadata - 'person_unique_id' - 'title'
    WHERE metadata ->> 'person_unique_id' = ANY (people);
    DELETE FROM marketing.people_master WHERE person_unique_id = ANY (people);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people';
    RETURN NEXT;
    DELETE FROM marketing.email_verification WHERE lower(email) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'addresses';
    RETURN NEXT;
    UPDATE marketing.vendor_requests q SET response = '{}'
    FROM marketing.vendor_calls v
    WHERE v.request_id = q.id AND v.operation = 'verify_email' AND v.input_key = ANY (addresses);
    UPDATE marketing.vendor_calls
    SET input_key = 'forgotten:' || encode(sha256(convert_to('email:' || lower(btrim(input_key)), 'UTF8')), 'hex'),
        input = '{}',
        response = CASE WHEN response IS NOT NULL THEN jsonb_build_object('result', response -> 'result') END
    WHERE operation = 'verify_email' AND input_key = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'paid verifications made anonymous';
    RETURN NEXT;
    n := marketing.scrub_answers(domains);
    place := 'paid answers scrubbed';
    RETURN NEXT;
    UPDATE marketing.pipeline_events SET first_record_id = 'forgotten', last_record_id = 'forgotten',
        payload = payload || '{"record_id": "forgotten"}'
    WHERE event_type IN ('email_verified', 'email_failed') AND lower(first_record_id) = ANY (addresses);
    UPDATE marketing.pipeline_errors SET error_message = 'removed on request', error_details = '{}', record_id = NULL
    WHERE lower(record_id) = ANY (addresses)
       OR EXISTS (SELECT FROM unnest(addresses) AS a
                  WHERE position(a IN lower(error_message || error_details::text)) > 0);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'error messages removed';
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION marketing.forget_person(text, text) IS
'Deletes what is known of a person everywhere and keeps hashes that stop a return; what was changed where';
REVOKE EXECUTE ON FUNCTION marketing.forget_person(text, text) FROM public;
