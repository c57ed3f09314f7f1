-- Judges the batch's signal rows, and earlier ones that waited for one of its companies, and records the good ones.

-- The rows to judge.
DROP TABLE IF EXISTS pg_temp.signals_read;
CREATE TEMP TABLE signals_read ON COMMIT DROP AS
WITH waiting AS (
    SELECT s.id
    FROM intake.signals_to_process s
    JOIN marketing.company_master c ON c.domain = s.domain
    JOIN pg_temp.companies b ON b.company_unique_id = c.company_unique_id
    WHERE s.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT s.id
    FROM intake.signals_to_process s
    JOIN marketing.company_master c ON c.company_name_key = s.company_name_key
    JOIN pg_temp.companies b ON b.company_unique_id = c.company_unique_id
    WHERE s.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT s.id
    FROM intake.signals_to_process s
    JOIN pg_temp.companies b USING (company_unique_id)
    WHERE s.outcome IN ('company_unknown', 'company_ambiguous')
    UNION
    SELECT id
    FROM intake.signals_to_process
    WHERE import_batch_id = %(batch)s
        AND (outcome IS NULL OR outcome IN ('invalid', 'company_unknown', 'company_ambiguous'))
)

SELECT
    s.id,
    btrim(s.company_unique_id) AS given_id,
    lower(btrim(s.signal_type)) AS signal_type,
    nullif(btrim(s.company), '') AS company,
    intake.website_host(s.website) AS host,
    s.occurred_at,
    intake.iso_timestamp(s.occurred_at) AS happened_at,
    nullif(btrim(s.strength), '') AS strength,
    nullif(btrim(s.observed_at), '') AS observed_at,
    intake.iso_timestamp(s.observed_at) AS learned_at,
    coalesce(nullif(btrim(s.source_system), ''), 'import') AS source,
    nullif(btrim(s.external_id), '') AS external_id
FROM intake.signals_raw_intake s
JOIN waiting USING (id);
ANALYZE pg_temp.signals_read;

-- The domain that each row's website belongs to.
DROP TABLE IF EXISTS pg_temp.signals_keyed;
CREATE TEMP TABLE signals_keyed ON COMMIT DROP AS
SELECT
    r.*,
    CASE
        WHEN d.shared IS NULL OR intake.owns_domain(intake.company_name_key(r.company), d.domain, d.owners)
            THEN d.domain
    END AS domain
FROM pg_temp.signals_read r
LEFT JOIN intake.domains_of_hosts(
    ARRAY(SELECT DISTINCT host FROM pg_temp.signals_read WHERE host IS NOT NULL)
) d USING (host);
ANALYZE pg_temp.signals_keyed;

-- The verdict on each row: its company, and its faults.
DROP TABLE IF EXISTS pg_temp.signals_judged;
CREATE TEMP TABLE signals_judged ON COMMIT DROP AS
WITH companies AS MATERIALIZED (
    SELECT *
    FROM marketing.match_companies(
            ARRAY(SELECT domain FROM pg_temp.signals_keyed ORDER BY id),
            ARRAY(SELECT company FROM pg_temp.signals_keyed ORDER BY id)
        )
),

found AS (
    SELECT
        k.*,
        c.name_key,
        coalesce(given.company_unique_id, CASE WHEN k.given_id IS NULL THEN c.company_unique_id END) AS company_id,
        k.given_id IS NULL AND c.rule LIKE '%%shared_by_companies' AS ambiguous,
        array_remove(ARRAY[
            CASE WHEN k.signal_type IS NULL OR k.signal_type <> ALL(%(types)s) THEN 'signal_type_unknown' END,
            CASE
                WHEN k.occurred_at IS NULL THEN 'occurred_at_missing'
                WHEN k.happened_at IS NULL THEN 'occurred_at_invalid'
                WHEN k.happened_at > now() + make_interval(mins => %(future_minutes)s) THEN 'occurred_at_future'
                WHEN k.happened_at < %(earliest)s::timestamptz THEN 'occurred_at_impossible'
            END,
            CASE
                WHEN
                    k.strength IS NOT NULL AND k.strength !~ '^(0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+)$'
                    THEN 'strength_invalid'
            END,
            CASE
                WHEN k.observed_at IS NOT NULL
                    AND (k.learned_at IS NULL OR k.learned_at > now() OR k.learned_at < k.happened_at)
                    THEN 'observed_at_invalid'
            END
        ], NULL) AS faults
    FROM pg_temp.signals_keyed k
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
    signal_type,
    happened_at,
    source,
    CASE WHEN cardinality(faults) = 0 THEN coalesce(strength, '1')::real END AS strength,
    coalesce(learned_at, now()) AS learned_at,
    coalesce(external_id, md5(concat_ws('|', company_id, signal_type, happened_at))) AS external_id,
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
DROP TABLE IF EXISTS pg_temp.signals_recorded;
CREATE TEMP TABLE signals_recorded (source text, external_id text) ON COMMIT DROP;
WITH inserted AS (
    INSERT INTO marketing.bit_signals (
        company_id,
        signal_type,
        bit_intent_score,
        signal_timestamp,
        observed_at,
        source,
        external_id,
        metadata
    )
    SELECT
        company_id,
        signal_type,
        strength,
        happened_at,
        learned_at,
        source,
        external_id,
        jsonb_build_object('signals_raw_intake_id', id)
    FROM pg_temp.signals_judged
    WHERE outcome = 'recorded'
    ORDER BY source, external_id, id
    ON CONFLICT (source, external_id) DO NOTHING
    RETURNING source, external_id
)

INSERT INTO pg_temp.signals_recorded
SELECT * FROM inserted;

-- The batch mentions these companies: they are scored with it.
INSERT INTO marketing.company_batches (import_batch_id, company_unique_id, mentioned_by)
SELECT DISTINCT
    %(batch)s,
    company_id,
    'signals'
FROM pg_temp.signals_judged
WHERE outcome = 'recorded'
ON CONFLICT DO NOTHING;

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
    FROM pg_temp.signals_judged j
    LEFT JOIN pg_temp.signals_recorded r USING (source, external_id)
)

UPDATE intake.signals_raw_intake s
SET
    domain = v.domain,
    company_name_key = v.name_key,
    outcome = v.outcome,
    outcome_reasons = v.reasons,
    judged_at = now()
FROM verdicts v
WHERE s.id = v.id AND (s.domain, s.company_name_key, s.outcome, s.outcome_reasons)
    IS DISTINCT FROM (v.domain, v.name_key, v.outcome, v.reasons);

-- A type nobody has given a weight is not scored; it is reported once for each batch.
WITH unknown AS (
    SELECT
        s.signal_type,
        count(*) AS signals,
        min(s.id) AS first_id
    FROM marketing.bit_signals s
    JOIN marketing.company_batches b ON b.company_unique_id = s.company_id
    WHERE b.import_batch_id = %(batch)s AND s.signal_type <> ALL(%(types)s)
    GROUP BY s.signal_type
)

SELECT
    marketing.log_pipeline_error(
        'signal_type_unknown',
        u.first_id::text,
        format(
            '%%s signal(s) of type %%s have no weight and are not scored. '
            || 'Correct signal_type, or give the type a weight in scoring.yaml.',
            u.signals,
            quote_literal(u.signal_type)
        ),
        jsonb_build_object('signal_type', u.signal_type),
        'warning',
        %(batch)s
    )
FROM unknown u
WHERE NOT EXISTS (
        SELECT
        FROM marketing.pipeline_errors e
        WHERE e.event_type = 'signal_type_unknown'
            AND e.import_batch_id = %(batch)s
            AND e.error_details ->> 'signal_type' = u.signal_type
    );

-- What the stage reports.
SELECT
    count(*) AS signals_read,
    count(*) FILTER (WHERE outcome = 'recorded') AS signals_recorded,
    count(*) FILTER (WHERE outcome = 'invalid') AS rows_rejected,
    count(*) FILTER (WHERE outcome IN ('company_unknown', 'company_ambiguous')) AS signals_waiting
FROM pg_temp.signals_judged;
