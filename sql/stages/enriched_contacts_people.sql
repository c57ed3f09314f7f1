-- The rows that enriched_contacts_rows.sql chose become people at companies.

-- What each row is matched by: the domain of its website or its address, and the person's plain name.
DROP TABLE IF EXISTS pg_temp.people_keyed;
CREATE TEMP TABLE people_keyed ON COMMIT DROP AS
WITH domains AS (
    SELECT *
    FROM intake.domains_of_hosts(
            ARRAY(
                SELECT host FROM pg_temp.people_read WHERE host IS NOT NULL
                UNION
                SELECT email_host FROM pg_temp.people_read WHERE email_host IS NOT NULL
            )
        )
)

SELECT
    r.*,
    CASE
        WHEN direct.number IS NOT NULL THEN concat_ws(' ext. ', direct.number, direct.extension) ELSE mobile.number
    END AS number,
    coalesce(
        CASE WHEN own.shared IS NULL OR intake.owns_domain(r.own_key, own.domain, own.owners) THEN own.domain END,
        -- the staff of a site has addresses on it, its guests have not, unless it gives mailboxes to anybody
        CASE
            WHEN mail.shared IS NULL
                OR mail.shared <> ALL(%(mailboxes)s)
                OR intake.owns_domain(r.own_key, mail.domain, mail.owners)
                THEN mail.domain
        END
    ) AS domain,
    intake.words(n.plain) AS plain_name,
    n.plain,
    nullif(n.generation, '') AS generation,
    n.first,
    n.last
FROM pg_temp.people_read r
LEFT JOIN pg_temp.person_names n USING (full_name)
-- what the library made of each spelling (companies/phones.py)
LEFT JOIN pg_temp.phones direct ON direct.phone = r.phone AND direct.country = coalesce(r.country, '')
LEFT JOIN pg_temp.phones mobile ON mobile.phone = r.mobile_phone AND mobile.country = coalesce(r.country, '')
LEFT JOIN domains own ON own.host = r.host
LEFT JOIN domains mail ON mail.host = r.email_host;
ANALYZE pg_temp.people_keyed;

-- The verdict on each row: its company, and its faults.
DROP TABLE IF EXISTS pg_temp.people_matched;
CREATE TEMP TABLE people_matched ON COMMIT DROP AS
WITH companies AS MATERIALIZED (
    SELECT *
    FROM marketing.match_companies(
            ARRAY(SELECT domain FROM pg_temp.people_keyed ORDER BY id),
            ARRAY(SELECT company FROM pg_temp.people_keyed ORDER BY id)
        )
),

judged AS (
    SELECT
        k.*,
        c.name_key,
        c.company_unique_id AS found,
        c.rule,
        array_remove(ARRAY[
            CASE WHEN coalesce(k.plain_name, '') = '' THEN 'name_missing' END,
            CASE WHEN k.company IS NULL AND k.domain IS NULL THEN 'company_missing' END,
            CASE
                WHEN (SELECT EXISTS(SELECT FROM marketing.suppressed_people))
                    AND (
                        marketing.is_suppressed(k.email, k.linkedin_url, k.full_name, k.domain)
                        OR marketing.is_suppressed(k.email, k.linkedin_url, k.full_name, at.domain)
                    )
                    THEN 'suppressed'
            END
        ], NULL) AS faults
    FROM pg_temp.people_keyed k
    JOIN companies c
        ON coalesce(c.domain, '') = coalesce(k.domain, '')
        AND coalesce(c.name, '') = coalesce(k.company, '')
    LEFT JOIN marketing.company_master at ON at.company_unique_id = c.company_unique_id
)

SELECT
    judged.*,
    CASE WHEN faults = '{}' THEN found END AS company_unique_id,
    CASE
        WHEN faults <> '{}' THEN 'invalid'
        WHEN found IS NOT NULL THEN 'matched'
        WHEN rule = 'no_such_company' THEN 'company_unknown'
        ELSE 'company_ambiguous'
    END AS outcome,
    CASE WHEN faults = '{}' THEN ARRAY[rule] ELSE faults END
    || CASE WHEN number IS NULL AND num_nonnulls(phone, mobile_phone) > 0 THEN ARRAY['phone_invalid'] ELSE '{}' END
        AS reasons
FROM judged;
ANALYZE pg_temp.people_matched;

-- Only verdicts are written from here on, and the person taken out who asked for it: no events.
SELECT set_config('barton.skip_update_events', 'on', true);

-- Each row keeps its verdict.
UPDATE intake.people_raw_intake p
SET
    domain = m.domain,
    company_name_key = m.name_key,
    outcome = m.outcome,
    outcome_reasons = m.reasons,
    judged_at = now()
FROM pg_temp.people_matched m
WHERE p.id = m.id
    AND (p.domain, p.company_name_key, p.outcome, p.outcome_reasons)
    IS DISTINCT FROM (m.domain, m.name_key, m.outcome, m.reasons);

-- Who asked to be forgotten does not come back by another import: the row stays, the person in it does not.
UPDATE intake.people_raw_intake p
SET
    first_name = NULL,
    last_name = NULL,
    full_name = NULL,
    email = NULL,
    email_status = NULL,
    linkedin_url = NULL,
    phone = NULL,
    mobile_phone = NULL,
    title = NULL,
    source_record_id = NULL,
    raw = NULL
FROM pg_temp.people_matched m
WHERE p.id = m.id AND 'suppressed' = ANY(m.reasons);

-- Events again.
SELECT set_config('barton.skip_update_events', '', true);

-- The batch mentions these companies: the later stages work on them.
INSERT INTO marketing.company_batches (import_batch_id, company_unique_id, mentioned_by)
SELECT DISTINCT
    %(batch)s,
    company_unique_id,
    'people'
FROM pg_temp.people_matched
WHERE company_unique_id IS NOT NULL
ON CONFLICT DO NOTHING;

-- One person may stand in several rows: the latest sighting that has a value gives it, and where it comes from.
DROP TABLE IF EXISTS pg_temp.people_found;
CREATE TEMP TABLE people_found ON COMMIT DROP AS
WITH named AS (
    SELECT
        *,
        -- an address tells whether John Smith is John Smith Jr.
        CASE WHEN email IS NOT NULL THEN min(generation) OVER same_address END AS youngest,
        CASE WHEN email IS NOT NULL THEN max(generation) OVER same_address END AS eldest
    FROM pg_temp.people_matched
    WHERE company_unique_id IS NOT NULL
    WINDOW same_address AS (PARTITION BY company_unique_id, plain_name, email)
),

sightings AS (
    SELECT
        m.id,
        m.seen_at,
        m.position_ended,
        m.company_unique_id,
        coalesce(
            -- whom the address is known for; father and son who share it are told apart by their names alone
            CASE
                WHEN m.youngest IS NOT DISTINCT FROM m.eldest
                    THEN
                        (
                            SELECT
                                CASE
                                    WHEN bool_or(p.person_key = concat_ws(' ', m.plain_name, m.generation))
                                        THEN concat_ws(' ', m.plain_name, m.generation)
                                    WHEN count(*) = 1 THEN min(p.person_key)
                                END
                            FROM marketing.people_master p
                            WHERE p.company_unique_id = m.company_unique_id
                                AND p.email = m.email
                                AND p.person_key = ANY(
                                    ARRAY[m.plain_name, m.plain_name || ' ' || m.generation]
                                    || ARRAY(
                                        SELECT m.plain_name || ' ' || g
                                        FROM unnest(%(generations)s::text[]) AS g
                                        WHERE m.generation IS NULL
                                    )
                                )
                        )
            END,
            concat_ws(
                ' ', m.plain_name, coalesce(m.generation, CASE WHEN m.youngest = m.eldest THEN m.youngest END)
            )
        ) AS person_key,
        -- Doe, Jane is shown as Jane Doe
        CASE
            WHEN m.full_name LIKE '%%,%%' THEN concat_ws(' ', m.plain, initcap(m.generation))
            ELSE m.full_name
        END AS full_name,
        CASE
            WHEN num_nonnulls(m.first_name, m.last_name) = 0 THEN nullif(m.first, '')
            ELSE m.first_name
        END AS first_name,
        -- exports put degrees behind the family name: Lee, CPA
        CASE
            WHEN num_nonnulls(m.first_name, m.last_name) = 0 OR m.last_name LIKE '%%,%%'
                THEN nullif(m.last, '')
            ELSE m.last_name
        END AS last_name,
        m.title,
        m.seniority,
        m.departments,
        m.email,
        m.email_status,
        m.number AS phone,
        m.linkedin_url,
        m.source_record_id,
        coalesce(m.source_system, 'import') AS source,
        jsonb_strip_nulls(jsonb_build_object(
            'source', coalesce(m.source_system, 'import'),
            'observed_at', m.seen_at,
            'call', m.vendor_call_id,
            'confidence', coalesce((%(confidence)s::jsonb ->> m.source_system)::real, 1)
        )) AS origin
    FROM named m
)

SELECT
    company_unique_id,
    person_key,
    min(id) AS first_id,
    max(seen_at) AS observed_at,
    (array_agg(position_ended ORDER BY seen_at DESC, id DESC))[1] AS has_left,
    (array_agg(full_name ORDER BY seen_at DESC, id DESC))[1] AS full_name,
    (array_agg(first_name ORDER BY seen_at DESC, id DESC) FILTER (WHERE first_name IS NOT NULL))[1] AS first_name,
    (array_agg(last_name ORDER BY seen_at DESC, id DESC) FILTER (WHERE last_name IS NOT NULL))[1] AS last_name,
    (array_agg(title ORDER BY seen_at DESC, id DESC) FILTER (WHERE title IS NOT NULL))[1] AS title,
    (array_agg(seniority ORDER BY seen_at DESC, id DESC) FILTER (WHERE seniority IS NOT NULL))[1] AS seniority,
    (array_agg(departments ORDER BY seen_at DESC, id DESC) FILTER (WHERE departments IS NOT NULL))[1] AS department,
    (array_agg(email ORDER BY seen_at DESC, id DESC) FILTER (WHERE email IS NOT NULL))[1] AS email,
    (array_agg(email_status ORDER BY seen_at DESC, id DESC) FILTER (WHERE email IS NOT NULL))[1] AS email_source_status,
    (array_agg(phone ORDER BY seen_at DESC, id DESC) FILTER (WHERE phone IS NOT NULL))[1] AS phone,
    (array_agg(linkedin_url ORDER BY seen_at DESC, id DESC) FILTER (WHERE linkedin_url IS NOT NULL))[1] AS linkedin_url,
    (array_agg(source ORDER BY seen_at DESC, id DESC))[1] AS source,
    (
        array_agg(source_record_id ORDER BY seen_at DESC, id DESC)
        FILTER (WHERE source_record_id IS NOT NULL)
    )[1] AS source_record_id,
    jsonb_strip_nulls(jsonb_build_object(
        'title', (array_agg(origin ORDER BY seen_at DESC, id DESC) FILTER (WHERE title IS NOT NULL))[1],
        'email', (array_agg(origin ORDER BY seen_at DESC, id DESC) FILTER (WHERE email IS NOT NULL))[1],
        'phone', (array_agg(origin ORDER BY seen_at DESC, id DESC) FILTER (WHERE phone IS NOT NULL))[1],
        'linkedin_url', (array_agg(origin ORDER BY seen_at DESC, id DESC) FILTER (WHERE linkedin_url IS NOT NULL))[1]
    )) AS provenance
FROM sightings
GROUP BY company_unique_id, person_key;
ANALYZE pg_temp.people_found;

-- Held, shared, until this transaction ends: numbers that nobody is using are given back (marketing.give_back_numbers).
SELECT pg_advisory_xact_lock_shared(hashtextextended('barton.numbers', 0));

-- Creates the people who are new. Numbers are allotted in intake order, rows are inserted in identity order, as in
-- company_master.sql.
DROP TABLE IF EXISTS pg_temp.people_created;
CREATE TEMP TABLE people_created (person_unique_id text) ON COMMIT DROP;
WITH inserted AS (
    INSERT INTO marketing.people_master (
        person_unique_id,
        company_unique_id,
        person_key,
        first_name,
        last_name,
        full_name,
        title,
        seniority,
        department,
        email,
        email_source_status,
        phone,
        linkedin_url,
        source,
        source_record_id,
        import_batch_id,
        observed_at,
        provenance
    )
    SELECT
        new_id,
        company_unique_id,
        person_key,
        first_name,
        last_name,
        full_name,
        title,
        seniority,
        department,
        email,
        email_source_status,
        phone,
        linkedin_url,
        source,
        source_record_id,
        %(batch)s,
        observed_at,
        provenance
    FROM (
        SELECT
            *,
            marketing.known_or_new_id('person', company_unique_id, person_key) AS new_id
        FROM (
            SELECT *
            FROM pg_temp.people_found f
            WHERE NOT f.has_left
                AND NOT EXISTS (
                    SELECT
                    FROM marketing.people_master p
                    WHERE p.company_unique_id = f.company_unique_id AND p.person_key = f.person_key
                )
            ORDER BY first_id
        ) AS in_intake_order
    ) AS numbered
    ORDER BY company_unique_id, person_key
    ON CONFLICT (company_unique_id, person_key) DO NOTHING
    RETURNING person_unique_id
)

INSERT INTO pg_temp.people_created
SELECT * FROM inserted;

-- A newer sighting replaces what it knows; an older one only fills gaps.
WITH merged AS (
    SELECT
        p.person_unique_id,
        f.observed_at,
        f.observed_at >= p.observed_at AS newer,
        CASE
            WHEN f.observed_at >= p.observed_at THEN coalesce(f.title, p.title)
            ELSE coalesce(p.title, f.title)
        END AS title,
        -- an address that was found wanting does not come back in place of the one that replaced it
        CASE
            WHEN p.provenance #>> '{email,replaces}' = f.email THEN p.email
            WHEN f.observed_at >= p.observed_at THEN coalesce(f.email, p.email)
            ELSE coalesce(p.email, f.email)
        END AS email,
        CASE
            WHEN p.provenance #>> '{email,replaces}' = f.email THEN p.email_source_status
            WHEN (f.observed_at >= p.observed_at AND f.email IS NOT NULL) OR p.email IS NULL THEN f.email_source_status
            ELSE p.email_source_status
        END AS email_source_status,
        coalesce(p.first_name, f.first_name) AS first_name,
        coalesce(p.last_name, f.last_name) AS last_name,
        coalesce(p.seniority, f.seniority) AS seniority,
        coalesce(p.department, f.department) AS department,
        coalesce(p.phone, f.phone) AS phone,
        coalesce(p.linkedin_url, f.linkedin_url) AS linkedin_url,
        f.provenance
        || p.provenance
        || CASE WHEN f.observed_at >= p.observed_at THEN f.provenance - '{phone,linkedin_url}'::text[] ELSE '{}' END
        || CASE
            WHEN p.provenance #>> '{email,replaces}' = f.email
                THEN jsonb_build_object('email', p.provenance -> 'email')
            ELSE '{}'
        END AS provenance,
        CASE
            WHEN f.observed_at < p.observed_at THEN p.left_at
            WHEN f.has_left THEN coalesce(p.left_at, f.observed_at)
        END AS left_at
    FROM marketing.people_master p
    JOIN pg_temp.people_found f USING (company_unique_id, person_key)
    ORDER BY p.person_unique_id
    FOR NO KEY UPDATE OF p
)

UPDATE marketing.people_master p
SET
    title = m.title,
    email = m.email,
    email_source_status = m.email_source_status,
    first_name = m.first_name,
    last_name = m.last_name,
    seniority = m.seniority,
    department = m.department,
    phone = m.phone,
    linkedin_url = m.linkedin_url,
    email_verified = p.email_verified AND p.email = m.email,
    observed_at = greatest(p.observed_at, m.observed_at),
    provenance = m.provenance,
    left_at = m.left_at
FROM merged m
WHERE p.person_unique_id = m.person_unique_id
    AND (
        p.title,
        p.email,
        p.email_source_status,
        p.first_name,
        p.last_name,
        p.seniority,
        p.department,
        p.phone,
        p.linkedin_url,
        p.left_at,
        p.provenance,
        greatest(p.observed_at, m.observed_at)
    )
    IS DISTINCT FROM (
        m.title,
        m.email,
        m.email_source_status,
        m.first_name,
        m.last_name,
        m.seniority,
        m.department,
        m.phone,
        m.linkedin_url,
        m.left_at,
        m.provenance,
        p.observed_at
    );

-- What the stage reports of the people.
SELECT
    count(*) AS rows_in,
    count(*) FILTER (WHERE outcome = 'matched') AS rows_out,
    count(*) FILTER (WHERE outcome <> 'matched') AS rows_rejected,
    count(*) FILTER (WHERE outcome = 'company_unknown') AS company_unknown,
    count(*) FILTER (WHERE outcome = 'company_ambiguous') AS company_ambiguous,
    count(*) FILTER (WHERE outcome = 'invalid') AS people_invalid,
    (SELECT count(*) FROM pg_temp.people_created) AS people_new
FROM pg_temp.people_matched;
