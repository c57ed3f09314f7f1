-- Judges the batch's outcome rows, and earlier ones that waited for a company, and records the good ones.

-- The rows to judge.
DROP TABLE IF EXISTS pg_temp.outcomes_read;
CREATE TEMP TABLE outcomes_read ON COMMIT DROP AS
WITH waiting AS (
    SELECT o.id
    FROM intake.outcomes_to_process o
    JOIN marketing.company_master c ON c.domain = o.domain
    JOIN pg_temp.companies b ON b.company_unique_id = c.company_unique_id
    WHERE o.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT o.id
    FROM intake.outcomes_to_process o
    JOIN marketing.company_master c ON c.company_name_key = o.company_name_key
    JOIN pg_temp.companies b ON b.company_unique_id = c.company_unique_id
    WHERE o.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT id
    FROM intake.outcomes_to_process
    WHERE import_batch_id = %(batch)s
        AND (outcome IS NULL OR outcome IN ('invalid', 'company_unknown', 'company_ambiguous'))
)

SELECT
    o.id,
    btrim(o.company_unique_id) AS given_id,
    lower(btrim(o.outcome_type)) AS outcome_type,
    nullif(btrim(o.company), '') AS company,
    intake.website_host(o.website) AS host,
    o.occurred_at,
    intake.iso_timestamp(o.occurred_at) AS happened_at,
    nullif(btrim(o.lead_reference), '') AS lead_reference,
    coalesce(nullif(btrim(o.source_system), ''), 'import') AS source,
    nullif(btrim(o.external_id), '') AS external_id
FROM intake.outcomes_raw_intake o
JOIN waiting USING (id);
ANALYZE pg_temp.outcomes_read;

-- The verdict on each row: its company, and its faults.
DROP TABLE IF EXISTS pg_temp.outcomes_judged;
CREATE TEMP TABLE outcomes_judged ON COMMIT DROP AS
WITH keyed AS MATERIALIZED (
    SELECT
        r.*,
        CASE
            WHEN d.shared IS NULL OR intake.owns_domain(intake.company_name_key(r.company), d.domain, d.owners)
                THEN d.domain
        END AS domain
    FROM pg_temp.outcomes_read r
    LEFT JOIN intake.domains_of_hosts(
        ARRAY(SELECT DISTINCT host FROM pg_temp.outcomes_read WHERE host IS NOT NULL)
    ) d USING (host)
),

companies AS MATERIALIZED (
    SELECT *
    FROM marketing.match_companies(
            ARRAY(SELECT domain FROM keyed ORDER BY id),
            ARRAY(SELECT company FROM keyed ORDER BY id)
        )
),

found AS (
    SELECT
        k.*,
        c.name_key,
        coalesce(given.company_unique_id, CASE WHEN k.given_id IS NULL THEN c.company_unique_id END) AS company_id,
        k.given_id IS NULL AND c.rule LIKE '%%shared_by_companies' AS ambiguous,
        array_remove(ARRAY[
            CASE WHEN k.outcome_type IS NULL OR k.outcome_type <> ALL(%(types)s) THEN 'outcome_type_unknown' END,
            CASE
                WHEN k.occurred_at IS NULL THEN 'occurred_at_missing'
                WHEN k.happened_at IS NULL THEN 'occurred_at_invalid'
                WHEN k.happened_at > now() + make_interval(mins => %(future_minutes)s) THEN 'occurred_at_future'
                WHEN k.happened_at < %(earliest)s::timestamptz THEN 'occurred_at_impossible'
            END
        ], NULL) AS faults
    FROM keyed k
    JOIN companies c
        ON coalesce(c.domain, '') = coalesce(k.domain, '')
        AND coalesce(c.name, '') = coalesce(k.company, '')
    LEFT JOIN marketing.company_master given ON given.company_unique_id = k.given_id
)

SELECT
    id,
    domain,
    name_key,
    company_id,
    outcome_type,
    happened_at,
    lead_reference,
    source,
    coalesce(external_id, md5(concat_ws('|', company_id, outcome_type, happened_at, lead_reference))) AS external_id,
    CASE
        WHEN cardinality(faults) > 0 THEN 'invalid'
        WHEN company_id IS NOT NULL THEN 'recorded'
        WHEN ambiguous THEN 'company_ambiguous'
        ELSE 'company_unknown'
    END AS outcome,
    CASE
        WHEN cardinality(faults) > 0 THEN faults
        WHEN company_id IS NOT NULL THEN '{}'
        WHEN ambiguous THEN ARRAY['several_companies_fit']
        ELSE ARRAY['no_such_company']
    END AS reasons
FROM found;

-- Records the good ones that are not known yet.
DROP TABLE IF EXISTS pg_temp.outcomes_recorded;
CREATE TEMP TABLE outcomes_recorded (source text, external_id text) ON COMMIT DROP;
WITH inserted AS (
    INSERT INTO marketing.outcomes (
        company_id,
        outcome_type,
        lead_reference,
        occurred_at,
        source,
        external_id,
        metadata
    )
    SELECT
        company_id,
        outcome_type,
        lead_reference,
        happened_at,
        source,
        external_id,
        jsonb_build_object('outcomes_raw_intake_id', id)
    FROM pg_temp.outcomes_judged
    WHERE outcome = 'recorded'
    ORDER BY source, external_id, id
    ON CONFLICT (source, external_id) DO NOTHING
    RETURNING source, external_id
)

INSERT INTO pg_temp.outcomes_recorded
SELECT * FROM inserted;

-- Each row keeps its verdict; one that says what is known already is a duplicate.
WITH verdicts AS (
    SELECT
        j.id,
        j.domain,
        j.name_key,
        j.reasons,
        CASE
            WHEN j.outcome = 'recorded' AND (
                    r.source IS NULL
                    OR row_number() OVER (PARTITION BY j.outcome, j.source, j.external_id ORDER BY j.id) > 1
                )
                THEN 'duplicate'
            ELSE j.outcome
        END AS outcome
    FROM pg_temp.outcomes_judged j
    LEFT JOIN pg_temp.outcomes_recorded r USING (source, external_id)
)

UPDATE intake.outcomes_raw_intake o
SET
    domain = v.domain,
    company_name_key = v.name_key,
    outcome = v.outcome,
    outcome_reasons = v.reasons,
    judged_at = now()
FROM verdicts v
WHERE o.id = v.id AND (o.domain, o.company_name_key, o.outcome, o.outcome_reasons)
    IS DISTINCT FROM (v.domain, v.name_key, v.outcome, v.reasons);

-- What the stage reports.
SELECT
    count(*) AS outcomes_read,
    count(*) FILTER (WHERE outcome = 'recorded') AS outcomes_recorded,
    count(*) FILTER (WHERE outcome = 'invalid') AS outcomes_rejected,
    count(*) FILTER (WHERE outcome IN ('company_unknown', 'company_ambiguous')) AS outcomes_waiting
FROM pg_temp.outcomes_judged;
