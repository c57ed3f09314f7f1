-- The chosen companies (pg_temp.scored) that are above a cut and not excluded by the profile enter the list or stay on
-- it; the others leave it.

-- How each chosen company stands: its newest scores, the reasons in words, and the contacts that can be written to.
DROP TABLE IF EXISTS pg_temp.standing;
CREATE TEMP TABLE standing ON COMMIT DROP AS
SELECT
    b.company_id,
    (coalesce(ple.ple_score, 0) > %(ple_cut)s OR coalesce(bit.bit_score, 0) > %(bit_cut)s)
    AND ple.metadata -> 'reasons' @> '[{"feature": "excluded"}]' IS NOT TRUE AS on_list,
    ple.metadata -> 'reasons' @> '[{"feature": "excluded"}]' IS TRUE AS excluded,
    coalesce(ple.ple_score, 0) AS ple_score,
    coalesce(bit.bit_score, 0) AS bit_score,
    ple.p_convert,
    ple.calculated_at AS ple_updated_at,
    bit.last_signal_at,
    (
        SELECT coalesce(jsonb_agg(reason), '[]')
        FROM (
            SELECT
                to_jsonb(
                    format('%%s (%%s%%s)', label, n, CASE n WHEN 1 THEN ' signal' ELSE ' signals' END)
                ) AS reason
            FROM jsonb_to_recordset(bit.metadata -> 'reasons') AS x (signal_type text, n int, share float8)
            JOIN LATERAL (
                SELECT
                    coalesce(
                        (
                            SELECT k.label
                            FROM jsonb_to_recordset(%(signal_labels)s::jsonb) AS k (signal_type text, label text)
                            WHERE k.signal_type = x.signal_type
                        ),
                        x.signal_type
                    ) AS label
            ) l ON true
            WHERE x.share > 0
            ORDER BY x.share DESC, x.signal_type
            LIMIT %(reasons_per_score)s
        ) s
    ) || (
        SELECT coalesce(jsonb_agg(to_jsonb(label)), '[]')
        FROM (
            SELECT label
            FROM jsonb_to_recordset(ple.metadata -> 'reasons') AS x (feature text, share float8, label text)
            WHERE x.share > 0
            ORDER BY share DESC, feature
            LIMIT %(reasons_per_score)s
        ) p
    ) AS reasons,
    contacts.ready,
    contacts.held
FROM pg_temp.scored b
LEFT JOIN LATERAL (
    SELECT *
    FROM marketing.ple_results r
    WHERE r.company_id = b.company_id
    ORDER BY r.calculated_at DESC, r.id DESC
    LIMIT 1
) ple ON true
LEFT JOIN LATERAL (
    SELECT *
    FROM marketing.bit_results r
    WHERE r.company_id = b.company_id
    ORDER BY r.calculated_at DESC, r.id DESC
    LIMIT 1
) bit ON true
CROSS JOIN LATERAL (
    SELECT
        count(DISTINCT person_unique_id) FILTER (WHERE v.status = 'valid' AND NOT v.is_role) AS ready,
        count(DISTINCT person_unique_id) FILTER (
            WHERE v.status IS DISTINCT FROM 'valid'
            AND v.status IS DISTINCT FROM 'invalid'
            AND NOT coalesce(v.is_role, false)
        ) AS held
    FROM marketing.company_slots s
    JOIN marketing.people_master p USING (person_unique_id)
    LEFT JOIN marketing.email_verification v ON v.email = p.email
    WHERE s.company_unique_id = b.company_id AND p.email IS NOT NULL
) AS contacts;

-- Who is above no cut any more, or excluded now, leaves the list.
DROP TABLE IF EXISTS pg_temp.left_list;
CREATE TEMP TABLE left_list (company_id text) ON COMMIT DROP;
WITH deleted AS (
    DELETE FROM marketing.sniper_targets t
    USING pg_temp.standing s
    WHERE t.company_id = s.company_id AND NOT s.on_list
    RETURNING t.company_id
)

INSERT INTO pg_temp.left_list
SELECT company_id FROM deleted;

-- Who comes onto the list: noted before the list is written.
DROP TABLE IF EXISTS pg_temp.entered_list;
CREATE TEMP TABLE entered_list ON COMMIT DROP AS
SELECT company_id
FROM pg_temp.standing s
WHERE on_list
    AND NOT EXISTS (
        SELECT
        FROM marketing.sniper_targets t
        WHERE t.company_id = s.company_id
    );

-- The list itself. A target keeps the scores it had before the last change of them.
INSERT INTO marketing.sniper_targets AS t (
    company_id,
    ple_score,
    bit_intent_score,
    p_convert,
    reasons,
    contacts_ready,
    contacts_held,
    rules_version,
    ple_updated_at,
    last_signal_at
)
SELECT
    company_id,
    ple_score,
    bit_score,
    p_convert,
    reasons,
    ready,
    held,
    %(version)s,
    ple_updated_at,
    last_signal_at
FROM pg_temp.standing
WHERE on_list
ORDER BY company_id
ON CONFLICT (company_id) DO UPDATE SET
    ple_score = excluded.ple_score,
    bit_intent_score = excluded.bit_intent_score,
    p_convert = excluded.p_convert,
    reasons = excluded.reasons,
    contacts_ready = excluded.contacts_ready,
    contacts_held = excluded.contacts_held,
    rules_version = excluded.rules_version,
    ple_updated_at = excluded.ple_updated_at,
    last_signal_at = excluded.last_signal_at,
    updated_at = now(),
    previous_ple_score = CASE
        WHEN (t.ple_score, t.bit_intent_score) = (excluded.ple_score, excluded.bit_intent_score)
            THEN t.previous_ple_score
        ELSE t.ple_score
    END,
    previous_bit_intent_score = CASE
        WHEN (t.ple_score, t.bit_intent_score) = (excluded.ple_score, excluded.bit_intent_score)
            THEN t.previous_bit_intent_score
        ELSE t.bit_intent_score
    END,
    scores_changed_at = CASE
        WHEN (t.ple_score, t.bit_intent_score) = (excluded.ple_score, excluded.bit_intent_score)
            THEN t.scores_changed_at
        ELSE now()
    END
WHERE (
    t.ple_score,
    t.bit_intent_score,
    t.p_convert,
    t.reasons,
    t.contacts_ready,
    t.contacts_held,
    t.rules_version,
    t.last_signal_at
)
IS DISTINCT FROM (
    excluded.ple_score,
    excluded.bit_intent_score,
    excluded.p_convert,
    excluded.reasons,
    excluded.contacts_ready,
    excluded.contacts_held,
    excluded.rules_version,
    excluded.last_signal_at
);

-- Who comes and goes is an event.
INSERT INTO marketing.pipeline_events (event_type, payload, import_batch_id, raised_by)
SELECT
    event_type,
    jsonb_build_object(
        'record_id', company_id,
        'company_id', company_id,
        'import_batch_id', %(batch)s::text,
        'ple_score', ple_score,
        'bit_score', bit_score
    ),
    %(batch)s,
    nullif(current_setting('barton.lease_token', true), '')::uuid
FROM (
    SELECT
        'target_entered' AS event_type,
        company_id
    FROM pg_temp.entered_list
    UNION ALL
    SELECT
        'target_left',
        company_id
    FROM pg_temp.left_list
) AS moved
JOIN pg_temp.standing USING (company_id)
ORDER BY company_id;

-- What the stage reports, with the yield curve: how many targets each cut would leave, and what they promise.
SELECT
    count(*) AS rows_in,
    count(*) FILTER (WHERE on_list) AS rows_out,
    count(*) FILTER (WHERE excluded) AS excluded,
    0 AS rows_rejected,
    (SELECT count(*) FROM pg_temp.entered_list) AS entered,
    (SELECT count(*) FROM pg_temp.left_list) AS left_the_list,
    (
        SELECT
            jsonb_object_agg(
                cut,
                (SELECT count(*) FROM pg_temp.standing WHERE (ple_score > cut OR bit_score > cut) AND NOT excluded)
            )
        FROM unnest(%(yield_curve_cuts)s::float8[]) AS cut
    ) AS yield_curve,
    (
        SELECT
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'cut', cut,
                        'targets', y.n,
                        'expected_to_convert', y.expected,
                        'expected_precision', y.precision
                    )
                    ORDER BY cut
                ),
                '[]'
            )
        FROM unnest(%(yield_curve_cuts)s::float8[]) AS cut
        JOIN LATERAL (
            SELECT
                count(*) AS n,
                round(sum(p_convert)::numeric, 1) AS expected,
                round(avg(p_convert)::numeric, 3) AS precision
            FROM pg_temp.standing
            WHERE (ple_score > cut OR bit_score > cut) AND NOT excluded
        ) AS y ON true
        WHERE y.expected IS NOT NULL
    ) AS expected_precision
FROM pg_temp.standing;
