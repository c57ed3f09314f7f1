-- Fills the slots of the batch's companies (pg_temp.companies). pg_temp.title_slots says which slots a
-- title qualifies for, its main office first.
-- Companies that only this batch's people mention may come from other batches; all have their slots already.

-- The slots are locked first, in one order, so that two batches with the same company see each other's choice.
SELECT s.company_slot_unique_id
FROM marketing.company_slots s
JOIN pg_temp.companies b USING (company_unique_id)
ORDER BY 1
FOR NO KEY UPDATE OF s;

-- Who was found by a paid source and is not in its newer, complete answer has left.
WITH newest AS (
    SELECT DISTINCT ON (a.company_unique_id, a.operation)
        a.company_unique_id,
        a.operation,
        a.answered_at,
        (a.response ->> 'limit_reached')::boolean AS limit_reached
    FROM marketing.company_answers a
    JOIN pg_temp.companies b USING (company_unique_id)
    ORDER BY a.company_unique_id, a.operation, a.answered_at DESC
)

UPDATE marketing.people_master p
SET left_at = n.answered_at
FROM newest n
WHERE p.company_unique_id = n.company_unique_id
    AND p.left_at IS NULL
    AND NOT n.limit_reached
    AND p.observed_at < n.answered_at
    AND p.provenance #>> '{title,source}' IN (n.operation, 'sandbox:' || n.operation);

-- Which slot each person's title qualifies for, and how surely.
UPDATE marketing.people_master p
SET
    slot_type = t.slot_type,
    slot_rule = t.rule,
    slot_confidence = t.confidence * coalesce((p.provenance #>> '{title,confidence}')::real, 1)
FROM pg_temp.companies b, pg_temp.title_slots t
WHERE b.company_unique_id = p.company_unique_id
    AND t.title = p.title
    AND t.office = 1
    AND (p.slot_type, p.slot_confidence, p.slot_rule)
    IS DISTINCT FROM (
        t.slot_type,
        (t.confidence * coalesce((p.provenance #>> '{title,confidence}')::real, 1))::real,
        t.rule
    );

-- The candidates of each slot, the best first; place 1 also stands for a slot without any.
DROP TABLE IF EXISTS pg_temp.choices;
CREATE TEMP TABLE choices ON COMMIT DROP AS
WITH candidates AS (
    SELECT
        p.person_unique_id,
        p.company_unique_id,
        p.title,
        p.email,
        p.linkedin_url,
        p.source,
        p.observed_at,
        t.office,
        t.slot_type,
        t.rule AS slot_rule,
        (t.confidence * coalesce((p.provenance #>> '{title,confidence}')::real, 1))::real AS slot_confidence
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    JOIN marketing.company_master c USING (company_unique_id)
    JOIN pg_temp.title_slots t ON t.title = p.title
    WHERE p.left_at IS NULL
        AND t.slot_type IS NOT NULL
        AND (t.office = 1 OR coalesce(c.employee_count, 0) <= %(two_offices_employees_most)s)
),

ranked AS (
    SELECT
        *,
        row_number() OVER best AS place,
        first_value(office) OVER best AS best_office,
        first_value(slot_confidence) OVER best AS best_confidence,
        first_value(email IS NOT NULL) OVER best AS best_has_email,
        count(*) OVER (PARTITION BY company_unique_id, slot_type, office, slot_confidence) AS equals
    FROM candidates
    WHERE slot_confidence >= %(least_confidence)s
    WINDOW best AS (
        PARTITION BY company_unique_id, slot_type
        ORDER BY
            office,
            slot_confidence DESC,
            email IS NOT NULL DESC,
            linkedin_url IS NOT NULL DESC,
            person_unique_id
    )
)

SELECT
    s.company_slot_unique_id,
    s.company_unique_id,
    s.person_unique_id AS holder,
    s.fill_confidence,
    r.person_unique_id AS candidate,
    coalesce(r.place, 1) AS place,
    r.title,
    r.slot_confidence,
    r.slot_rule,
    r.source,
    r.observed_at,
    coalesce(r.equals, 0) AS equals,
    CASE
        WHEN r.office > r.best_office THEN 'holds another office first'
        WHEN r.slot_confidence < r.best_confidence
            THEN
                format(
                    'its title is less sure (%%s < %%s)',
                    round(r.slot_confidence::numeric, 2),
                    round(r.best_confidence::numeric, 2)
                )
        WHEN r.email IS NULL AND r.best_has_email THEN 'as likely, but without an address'
        ELSE 'as likely, but known later or without a profile'
    END AS shortcoming
FROM marketing.company_slots s
JOIN pg_temp.companies b USING (company_unique_id)
LEFT JOIN ranked r ON r.company_unique_id = s.company_unique_id AND r.slot_type = s.slot_type;

-- History first: it compares with the holders before this run.
DROP TABLE IF EXISTS pg_temp.changes;
CREATE TEMP TABLE changes ON COMMIT DROP AS
SELECT
    c.company_slot_unique_id,
    c.company_unique_id,
    c.candidate,
    c.title,
    c.slot_confidence,
    c.slot_rule,
    c.source,
    c.observed_at,
    p.person_unique_id AS former,
    p.left_at,
    p.title AS former_title,
    p.slot_confidence AS former_confidence,
    p.slot_rule AS former_rule,
    p.source AS former_source
FROM pg_temp.choices c
LEFT JOIN marketing.people_master p ON p.person_unique_id = c.holder
WHERE c.place = 1 AND c.holder IS DISTINCT FROM c.candidate;

-- Who leaves a slot.
INSERT INTO marketing.contact_enrichment (
    company_slot_unique_id,
    person_unique_id,
    outcome,
    title,
    confidence,
    rule,
    source,
    import_batch_id,
    reason
)
SELECT
    company_slot_unique_id,
    former,
    CASE WHEN left_at IS NULL THEN 'replaced' ELSE 'left' END,
    former_title,
    coalesce(former_confidence, 0),
    coalesce(former_rule, 'no title'),
    former_source,
    %(batch)s,
    CASE
        WHEN left_at IS NOT NULL THEN 'no longer works there'
        WHEN candidate IS NULL THEN 'the title no longer qualifies'
        ELSE 'a better candidate was found'
    END
FROM pg_temp.changes
WHERE former IS NOT NULL;

-- Who comes into one.
INSERT INTO marketing.contact_enrichment (
    company_slot_unique_id,
    person_unique_id,
    outcome,
    title,
    confidence,
    rule,
    source,
    import_batch_id,
    reason
)
SELECT
    company_slot_unique_id,
    candidate,
    'filled',
    title,
    slot_confidence,
    slot_rule,
    source,
    %(batch)s,
    'the best candidate'
FROM pg_temp.changes
WHERE candidate IS NOT NULL;

-- Who else might have: each is noted once for a title and confidence.
INSERT INTO marketing.contact_enrichment (
    company_slot_unique_id,
    person_unique_id,
    outcome,
    title,
    confidence,
    rule,
    source,
    import_batch_id,
    reason
)
SELECT
    c.company_slot_unique_id,
    c.candidate,
    'runner_up',
    c.title,
    c.slot_confidence,
    c.slot_rule,
    c.source,
    %(batch)s,
    c.shortcoming
FROM pg_temp.choices c
WHERE c.place > 1
    AND NOT EXISTS (
        SELECT
        FROM marketing.contact_enrichment e
        WHERE e.company_slot_unique_id = c.company_slot_unique_id
            AND e.person_unique_id = c.candidate
            AND e.outcome = 'runner_up'
            AND e.title IS NOT DISTINCT FROM c.title
            AND e.confidence = c.slot_confidence
    );

-- Executives who go are a buying signal.
INSERT INTO marketing.bit_signals (
    company_id,
    signal_type,
    signal_timestamp,
    observed_at,
    source,
    external_id,
    metadata
)
SELECT
    company_unique_id,
    'executive_departure',
    left_at,
    left_at,
    'slot_history',
    'left:' || former || ':' || left_at::date,
    jsonb_build_object('person_unique_id', former, 'title', former_title)
FROM pg_temp.changes
WHERE left_at IS NOT NULL
ON CONFLICT (source, external_id) DO NOTHING;

-- So are executives who come; a slot that is filled for the first time is not a hire.
INSERT INTO marketing.bit_signals (
    company_id,
    signal_type,
    signal_timestamp,
    observed_at,
    source,
    external_id,
    metadata
)
SELECT
    c.company_unique_id,
    'executive_hire',
    c.observed_at,
    c.observed_at,
    'slot_history',
    'hired:' || c.candidate || ':' || c.observed_at::date,
    jsonb_build_object('person_unique_id', c.candidate, 'title', c.title)
FROM pg_temp.changes c
WHERE c.candidate IS NOT NULL
    AND EXISTS (
        SELECT
        FROM marketing.contact_enrichment e
        WHERE e.company_slot_unique_id = c.company_slot_unique_id AND e.outcome = 'left'
    )
ON CONFLICT (source, external_id) DO NOTHING;

-- The slots get their holders, and whether anybody looked for one.
WITH searched AS (
    SELECT
        a.company_unique_id,
        max(a.answered_at) AS at
    FROM marketing.company_answers a
    JOIN pg_temp.companies b USING (company_unique_id)
    GROUP BY a.company_unique_id
),

standing AS (
    SELECT
        c.*,
        a.at AS searched_at,
        CASE
            WHEN c.equals > 1 THEN 'ambiguous'
            WHEN c.candidate IS NOT NULL THEN 'filled'
            WHEN a.at IS NOT NULL THEN 'vacant'
            ELSE 'not_searched'
        END AS search_state
    FROM pg_temp.choices c
    LEFT JOIN searched a USING (company_unique_id)
    WHERE c.place = 1
)

UPDATE marketing.company_slots s
SET
    person_unique_id = c.candidate,
    is_filled = c.candidate IS NOT NULL,
    fill_confidence = c.slot_confidence,
    filled_at = CASE
        WHEN c.candidate IS NULL THEN NULL
        WHEN c.candidate = c.holder THEN s.filled_at
        ELSE now()
    END,
    search_state = c.search_state,
    searched_at = c.searched_at
FROM standing c
WHERE s.company_slot_unique_id = c.company_slot_unique_id
    AND (s.person_unique_id, s.fill_confidence, s.search_state, s.searched_at)
    IS DISTINCT FROM (c.candidate, c.slot_confidence, c.search_state, c.searched_at);

-- People know the slot they hold, of two the one of their main office.
UPDATE marketing.people_master p
SET company_slot_unique_id = held.company_slot_unique_id
FROM (
    SELECT DISTINCT ON (p.person_unique_id)
        p.person_unique_id,
        s.company_slot_unique_id
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    LEFT JOIN marketing.company_slots s ON s.person_unique_id = p.person_unique_id
    ORDER BY p.person_unique_id, s.slot_type = p.slot_type DESC, s.company_slot_unique_id
) AS held
WHERE p.person_unique_id = held.person_unique_id
    AND p.company_slot_unique_id IS DISTINCT FROM held.company_slot_unique_id;

-- What the stage reports of the slots.
SELECT
    count(*) FILTER (WHERE s.is_filled) AS slots_filled,
    count(*) FILTER (WHERE NOT s.is_filled) AS slots_open,
    count(*) FILTER (WHERE s.search_state = 'vacant') AS slots_vacant,
    count(*) FILTER (WHERE s.search_state = 'not_searched') AS slots_not_searched,
    count(*) FILTER (WHERE s.search_state = 'ambiguous') AS slots_ambiguous
FROM marketing.company_slots s
JOIN pg_temp.companies b USING (company_unique_id);
