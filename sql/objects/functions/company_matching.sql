CREATE OR REPLACE FUNCTION marketing.company_named(domain text, name_key text, alias text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT c.company_unique_id FROM marketing.company_master c
                     WHERE c.domain = company_named.domain AND c.company_name_key = company_named.name_key),
                    (SELECT a.company_unique_id FROM marketing.company_aliases a
                     WHERE a.domain = company_named.domain AND a.name_key = company_named.alias))
$$;
COMMENT ON FUNCTION marketing.company_named(text, text, text) IS
'The company of a domain that has the name: by intake.company_name_key, else by intake.alias_key; NULL when none has';
REVOKE EXECUTE ON FUNCTION marketing.company_named(text, text, text) FROM public;

-- The one rule by which people, signals and outcomes find their company: domain and name; else a known name beats a
-- known domain that says otherwise (advisers write from their own domain); else the domain's only company; else,
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
                   intake.company_name_key(g.name)) AS name_key,
               CASE WHEN g.domain IS NOT NULL THEN intake.alias_key(g.domain, g.name) END AS alias
        FROM given g
    ), by_domain AS (
        SELECT c.domain, count(*) AS companies, min(c.company_unique_id) AS company_unique_id
        FROM marketing.company_master c
        WHERE c.domain IN (SELECT k.domain FROM keyed k) GROUP BY c.domain
    ), by_name AS (
        SELECT c.company_name_key, count(*) AS companies, min(c.company_unique_id) AS company_unique_id
        FROM marketing.company_master c
        WHERE c.company_name_key IN (SELECT k.name_key FROM keyed k) GROUP BY c.company_name_key
    )
    SELECT k.domain, k.name, k.name_key,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN exact.company_unique_id
                WHEN n.companies = 1 THEN n.company_unique_id
                WHEN d.companies = 1 AND n.companies IS NULL THEN d.company_unique_id END,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN 'by_domain_and_name'
                WHEN n.companies = 1 THEN 'by_name' WHEN n.companies > 1 THEN 'name_shared_by_companies'
                WHEN d.companies = 1 THEN 'by_domain' WHEN d.companies > 1 THEN 'domain_shared_by_companies'
                ELSE 'no_such_company' END
    FROM keyed k
    LEFT JOIN LATERAL (SELECT marketing.company_named(k.domain, k.name_key, k.alias) AS company_unique_id) exact ON true
    LEFT JOIN by_domain d ON d.domain = k.domain
    LEFT JOIN by_name n ON n.company_name_key = k.name_key AND (k.domain IS NULL OR d.companies > 0)
$$;
COMMENT ON FUNCTION marketing.match_companies(text[], text[]) IS
'The company each pair of registrable domain (or NULL) and written name means, and by which rule; parallel arrays';
REVOKE EXECUTE ON FUNCTION marketing.match_companies(text[], text[]) FROM public;

CREATE OR REPLACE FUNCTION marketing.unmatch_company(
    row_id bigint, by_whom text DEFAULT marketing.actor(), notes text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql AS $$
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
        RAISE EXCEPTION 'Intake row % is written like company %: % on %',
            row_id, match.company_unique_id, match.company_name, match.domain
            USING HINT = 'Name and domain are all that tells companies apart: '
                         'correct the name or the website of the row.',
                  ERRCODE = 'check_violation';
    END IF;
    INSERT INTO intake.separate_names (domain, name_words, notes, created_by)
    VALUES (match.domain, match.name_words, notes, by_whom) ON CONFLICT DO NOTHING;

    separated := ARRAY(SELECT r.id
                       FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                       WHERE m.company_unique_id = match.company_unique_id
                         AND intake.words(r.company) = match.name_words);
    -- what the separated rows told of the company was not true of it, unless one of the others tells it too
    PERFORM marketing.empty_what_rows_told(match.company_unique_id, separated);
    PERFORM marketing.fill_company_gaps(
        array_agg(m.company_unique_id),
        array_agg(m.intake_id ORDER BY b.arrived_at, b.import_batch_id, f.filled DESC, m.intake_id))
    FROM marketing.company_matches m
    JOIN intake.company_facts f USING (intake_id)
    JOIN intake.batches b USING (import_batch_id)
    WHERE m.company_unique_id = match.company_unique_id AND m.intake_id <> ALL (separated);

    UPDATE intake.company_raw_intake SET validated = NULL, validated_at = NULL WHERE id = ANY (separated);
    DELETE FROM marketing.company_batches b
    WHERE b.company_unique_id = match.company_unique_id AND b.mentioned_by = 'companies'
      AND EXISTS (SELECT FROM intake.company_raw_intake r
                  WHERE r.import_batch_id = b.import_batch_id AND r.id = ANY (separated))
      AND NOT EXISTS (SELECT FROM marketing.company_matches m
                      JOIN intake.company_raw_intake r ON r.id = m.intake_id
                      WHERE m.company_unique_id = b.company_unique_id AND r.import_batch_id = b.import_batch_id
                        AND r.id <> ALL (separated));
    PERFORM marketing.notify_pipeline_event(
        'continue_at_validated_companies', jsonb_build_object('record_id', row_id), batch)
    FROM (SELECT DISTINCT import_batch_id AS batch FROM intake.company_raw_intake
          WHERE id = ANY (separated)) AS batches;
    RETURN cardinality(separated);
END
$$;
COMMENT ON FUNCTION marketing.unmatch_company(bigint, text, text) IS
'Undoes the match of an intake row and of all rows written like it: they become a company of their own. Returns how '
'many rows';
REVOKE EXECUTE ON FUNCTION marketing.unmatch_company(bigint, text, text) FROM public;

-- Names are no longer read as they were when their companies came: the keys follow, IDs stay. Where two companies of a
-- domain would get the same key the one that has it, else the older, has it, and the other keeps its own.
CREATE OR REPLACE FUNCTION marketing.rekey_companies() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    PERFORM set_config('barton.skip_update_events', 'on', true);
    UPDATE marketing.company_master c SET company_name_key = n.name_key
    FROM (SELECT DISTINCT ON (domain, name_key) company_unique_id, domain, name_key
          FROM (SELECT m.*, intake.company_name_key(company_name) AS name_key FROM marketing.company_master m) AS named
          WHERE name_key <> company_name_key
            AND NOT EXISTS (SELECT FROM intake.separate_names s
                            WHERE s.domain = named.domain AND s.name_words = company_name_key)
          ORDER BY domain, name_key, company_unique_id) AS n
    WHERE c.company_unique_id = n.company_unique_id
      AND NOT EXISTS (SELECT FROM marketing.company_master o WHERE o.domain = n.domain AND o.company_name_key = n.name_key);
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO marketing.company_aliases (domain, name_key, company_unique_id)
    SELECT domain, intake.alias_key(domain, company_name), company_unique_id
    FROM marketing.company_master ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    -- who waits for a company waits for it under its name of today
    UPDATE intake.people_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    UPDATE intake.signals_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    UPDATE intake.outcomes_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    PERFORM set_config('barton.skip_update_events', '', true);
    RETURN changed;
END
$$;
COMMENT ON FUNCTION marketing.rekey_companies() IS
'Brings stored name keys and aliases up to the rules of today (barton migrate); returns how many keys changed';
REVOKE EXECUTE ON FUNCTION marketing.rekey_companies() FROM public;
