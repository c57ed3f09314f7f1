-- By what a person is recognised again; hashed, so that what is kept of a forgotten person says nothing.
CREATE OR REPLACE FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex')) FROM (VALUES
        ('email:' || lower(btrim(email))),
        ('linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
        ('name:' || nullif(intake.words(full_name), '') || '@' || lower(domain))) AS given (identity)
    WHERE identity IS NOT NULL
$$;
COMMENT ON FUNCTION marketing.person_hashes(text, text, text, text) IS
'SHA-256 of the address, of the profile, and of name and company domain, as far as they are given; NULL without any';
REVOKE EXECUTE ON FUNCTION marketing.person_hashes(text, text, text, text) FROM public;

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
       OR marketing.person_hashes(NULL, p.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    INSERT INTO forgotten_people
    SELECT NULL, r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
    FROM intake.people_raw_intake r
    WHERE lower(btrim(r.email)) = lower(btrim(wanted))
       OR marketing.person_hashes(NULL, r.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    hashes := ARRAY(SELECT DISTINCT h
                    FROM forgotten_people f,
                         unnest(marketing.person_hashes(f.email, f.linkedin_url, f.full_name, f.domain)) AS h
                    UNION
                    SELECT unnest(marketing.person_hashes(
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
          ) && hashes;
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
    SET input_key = 'forgotten:' || (marketing.person_hashes(input_key, NULL, NULL, NULL))[1], input = '{}',
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
