-- BIT of the rows of pg_temp.scored (id, company_id, as_of): one row each in pg_temp.bit_now.
-- docs/explanation/scoring.md.
-- Used by bit_scores (stored), ple_scores (its engagement points), the training set and explain.

-- The planner has to know how many companies were chosen: one, or a page of the nightly round.
ANALYZE pg_temp.scored;

-- Evidence of a signal is -ln(1 - p): evidence adds up where probabilities do not, and 1 - exp(-sum) is the noisy-or.
DROP TABLE IF EXISTS pg_temp.bit_now;
CREATE TEMP TABLE bit_now ON COMMIT DROP AS
WITH believed AS (
    SELECT
        source,
        confidence
    FROM jsonb_to_recordset(%(bit_rules)s::jsonb -> 'confidence') AS r (source text, confidence float8)
),

rules AS (
    SELECT *
    FROM jsonb_to_recordset((%(bit_rules)s::jsonb -> 'signals') || (%(bit_rules)s::jsonb -> 'negative_signals')) AS r (
            signal_type text,
            weight float8,
            cap float8,
            half_life_days float8,
            window_days float8,
            lasts_days float8,
            first_party boolean,
            bot_seconds float8
        )
),

counted AS MATERIALIZED (
    -- the strongest signal of each company, type, source and duplicate window
    SELECT DISTINCT ON (
        scored.id,
        s.signal_type,
        s.source,
        floor(extract(EPOCH FROM s.signal_timestamp) / (86400 * rule.window_days))
    )
        scored.id,
        scored.as_of,
        s.signal_type,
        s.signal_timestamp,
        rule.half_life_days IS NULL AS negative,
        rule.cap,
        rule.lasts_days,
        rule.first_party,
        p.probability
    FROM pg_temp.scored
    JOIN marketing.bit_signals s ON s.company_id = scored.company_id
    JOIN rules rule USING (signal_type)
    LEFT JOIN believed ON believed.source = lower(s.source)
    JOIN LATERAL (
        SELECT
            rule.weight
            * coalesce(believed.confidence, (%(bit_rules)s::jsonb ->> 'default_confidence')::float8)
            * s.bit_intent_score
            * CASE
                WHEN rule.half_life_days IS NULL THEN 1
                -- capped where 2^-n would underflow, which Postgres treats as an error
                ELSE
                    power(
                        2::float8,
                        -least(900, extract(EPOCH FROM scored.as_of - s.signal_timestamp) / 86400 / rule.half_life_days)
                    )
            END AS probability
    ) p ON true
    WHERE s.signal_timestamp <= scored.as_of
        AND isfinite(s.signal_timestamp)
        AND s.observed_at <= scored.as_of
        AND NOT (
            rule.bot_seconds IS NOT NULL
            AND EXISTS (
                SELECT
                FROM marketing.messages_outbound m
                WHERE m.company_id = s.company_id
                    AND s.signal_timestamp >= m.delivered_at
                    AND s.signal_timestamp <= m.delivered_at + rule.bot_seconds * interval '1 second'
            )
        )
    ORDER BY
        scored.id,
        s.signal_type,
        s.source,
        floor(extract(EPOCH FROM s.signal_timestamp) / (86400 * rule.window_days)),
        p.probability DESC,
        s.signal_timestamp DESC,
        s.id
),

discounts AS (
    -- per positive signal and negative type: the evidence it had and the share of it that is taken away
    SELECT
        p.id,
        p.signal_type,
        p.signal_timestamp,
        p.probability,
        n.signal_type AS negative_type,
        least(max(n.cap), 1 - exp(sum(ln(1 - n.probability)))) AS share
    FROM counted p
    JOIN counted n
        ON n.id = p.id
        AND n.negative
        AND p.signal_timestamp <= n.signal_timestamp + n.lasts_days * interval '1 day'
    WHERE NOT p.negative
    GROUP BY p.id, p.signal_type, p.signal_timestamp, p.probability, n.signal_type
),

kept AS (
    SELECT
        id,
        signal_type,
        signal_timestamp,
        probability,
        exp(sum(ln(1 - share))) AS share
    FROM discounts
    GROUP BY id, signal_type, signal_timestamp, probability
),

positive_types AS (
    SELECT
        c.id,
        c.signal_type,
        bool_or(c.first_party) AS first_party,
        count(*) AS n,
        max(c.signal_timestamp) AS last_at,
        count(*) FILTER (WHERE c.signal_timestamp > c.as_of - interval '30 days') AS n_30_days,
        least(-ln(1 - max(c.cap)), sum(-ln(1 - c.probability))) AS gross,
        least(-ln(1 - max(c.cap)), sum(-ln(1 - c.probability) * coalesce(k.share, 1))) AS evidence
    FROM counted c
    LEFT JOIN kept k USING (id, signal_type, signal_timestamp, probability)
    WHERE NOT c.negative
    GROUP BY c.id, c.signal_type
),

negative_types AS (
    SELECT
        n.id,
        n.signal_type,
        n.n,
        n.last_at,
        coalesce(d.weight, 0) AS weight
    FROM (
        SELECT
            id,
            signal_type,
            count(*) AS n,
            max(signal_timestamp) AS last_at
        FROM counted
        WHERE negative
        GROUP BY id, signal_type
    ) n
    LEFT JOIN (
        SELECT
            id,
            negative_type,
            sum(-ln(1 - probability) * -ln(1 - share)) AS weight
        FROM discounts
        GROUP BY id, negative_type
    ) d ON d.id = n.id AND d.negative_type = n.signal_type
),

totals AS (
    SELECT
        id,
        1 - exp(-sum(gross)) AS gross_score,
        1 - exp(-sum(evidence)) AS score,
        sum(gross) AS gross,
        1 - exp(-coalesce(sum(evidence) FILTER (WHERE first_party), 0)) AS first_party,
        1 - exp(-coalesce(sum(evidence) FILTER (WHERE NOT first_party), 0)) AS third_party,
        sum(n_30_days) FILTER (WHERE first_party) AS engaged_30_days,
        max(last_at) FILTER (WHERE first_party) AS engaged_at
    FROM positive_types
    GROUP BY id
),

shares AS (
    -- Positive types split the score before discounts by their evidence, negative types split what was taken away.
    -- Twelve decimals: below them the order of a floating-point sum shows.
    SELECT
        p.id,
        p.signal_type,
        p.n,
        p.last_at,
        p.first_party,
        round((t.gross_score * p.gross / nullif(t.gross, 0))::numeric, 12) AS share
    FROM positive_types p
    JOIN totals t USING (id)
    UNION ALL
    SELECT
        n.id,
        n.signal_type,
        n.n,
        n.last_at,
        false,
        round(((t.score - t.gross_score) * n.weight / nullif(sum(n.weight) OVER (PARTITION BY n.id), 0))::numeric, 12)
    FROM negative_types n
    LEFT JOIN totals t USING (id)
),

explained AS (
    SELECT
        id,
        greatest(0, least(1, sum(coalesce(share, 0))))::float8 AS score,
        max(last_at) AS last_signal_at,
        jsonb_agg(
            jsonb_build_object('signal_type', signal_type, 'n', n, 'share', coalesce(share, 0), 'last_at', last_at)
            ORDER BY abs(coalesce(share, 0)) DESC, signal_type
        ) AS reasons,
        string_agg(signal_type, ', ' ORDER BY share DESC, signal_type)
        FILTER (WHERE first_party AND share > 0) AS first_party_types
    FROM shares
    GROUP BY id
)

SELECT
    scored.id,
    scored.company_id,
    scored.as_of,
    coalesce(e.score, 0) AS score,
    e.last_signal_at,
    coalesce(e.reasons, '[]') AS reasons,
    coalesce(t.first_party, 0) AS first_party,
    e.first_party_types,
    coalesce(t.third_party, 0) AS third_party,
    coalesce(t.engaged_30_days, 0) AS engaged_30_days,
    t.engaged_at
FROM pg_temp.scored
LEFT JOIN explained e USING (id)
LEFT JOIN totals t USING (id);
ANALYZE pg_temp.bit_now;
