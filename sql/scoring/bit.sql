-- BIT of the companies of a batch, or of one company, as of a moment: one row per company, no writes.
-- Used by bit_scores (stored), ple_scores (first_party, its engagement points) and explain. docs/scoring.md.
--
-- Evidence of a signal is -ln(1 - p): evidence adds up where probabilities do not, and 1 - exp(-sum) is the noisy-or.
WITH scored AS (
    SELECT b.company_unique_id AS company_id FROM marketing.company_batches b WHERE b.import_batch_id = %(batch)s::text
    UNION
    SELECT %(company)s::text WHERE %(company)s::text IS NOT NULL
), believed AS (
    SELECT source, confidence FROM jsonb_to_recordset(%(bit_rules)s::jsonb -> 'confidence') AS r (source text, confidence float8)
), counted AS MATERIALIZED (
    -- the strongest signal of each company, type, source and duplicate window
    SELECT DISTINCT ON (s.company_id, s.signal_type, s.source, floor(extract(epoch FROM s.signal_timestamp) / (86400 * rule.window_days)))
           s.company_id, s.signal_type, s.signal_timestamp, rule.half_life_days IS NULL AS negative, rule.cap, rule.lasts_days,
           rule.first_party, p.probability
    FROM scored
    JOIN marketing.bit_signals s USING (company_id)
    JOIN (SELECT * FROM jsonb_to_recordset((%(bit_rules)s::jsonb -> 'signals') || (%(bit_rules)s::jsonb -> 'negative_signals'))
              AS r (signal_type text, weight float8, cap float8, half_life_days float8, window_days float8, lasts_days float8,
                    first_party boolean, bot_seconds float8)) rule USING (signal_type)
    LEFT JOIN believed ON believed.source = lower(s.source)
    CROSS JOIN LATERAL (SELECT rule.weight * coalesce(believed.confidence, (%(bit_rules)s::jsonb ->> 'default_confidence')::float8)
            * s.bit_intent_score
            -- capped where 2^-n would underflow, which Postgres treats as an error
            * CASE WHEN rule.half_life_days IS NULL THEN 1 ELSE power(2::float8, -least(900,
                extract(epoch FROM coalesce(%(as_of)s::timestamptz, now()) - s.signal_timestamp) / 86400 / rule.half_life_days)) END
            AS probability) p
    WHERE s.signal_timestamp <= coalesce(%(as_of)s::timestamptz, now()) AND isfinite(s.signal_timestamp)
      AND s.observed_at <= coalesce(%(as_of)s::timestamptz, now())
      AND NOT (rule.bot_seconds IS NOT NULL AND EXISTS (
          SELECT FROM marketing.messages_outbound m
          WHERE m.company_id = s.company_id
            AND s.signal_timestamp BETWEEN m.delivered_at AND m.delivered_at + rule.bot_seconds * interval '1 second'))
    ORDER BY s.company_id, s.signal_type, s.source,
             floor(extract(epoch FROM s.signal_timestamp) / (86400 * rule.window_days)), p.probability DESC, s.signal_timestamp DESC, s.id
), discounts AS (
    -- per positive signal and negative type: the evidence it had and the share of it that is taken away
    SELECT p.company_id, p.signal_type, p.signal_timestamp, p.probability, n.signal_type AS negative_type,
           least(max(n.cap), 1 - exp(sum(ln(1 - n.probability)))) AS share
    FROM counted p
    JOIN counted n ON n.company_id = p.company_id AND n.negative
                  AND p.signal_timestamp <= n.signal_timestamp + n.lasts_days * interval '1 day'
    WHERE NOT p.negative
    GROUP BY p.company_id, p.signal_type, p.signal_timestamp, p.probability, n.signal_type
), kept AS (
    SELECT company_id, signal_type, signal_timestamp, probability, exp(sum(ln(1 - share))) AS share
    FROM discounts GROUP BY company_id, signal_type, signal_timestamp, probability
), positive_types AS (
    SELECT c.company_id, c.signal_type, bool_or(c.first_party) AS first_party, count(*) AS n, max(c.signal_timestamp) AS last_at,
           least(-ln(1 - max(c.cap)), sum(-ln(1 - c.probability))) AS gross,
           least(-ln(1 - max(c.cap)), sum(-ln(1 - c.probability) * coalesce(k.share, 1))) AS evidence
    FROM counted c LEFT JOIN kept k USING (company_id, signal_type, signal_timestamp, probability)
    WHERE NOT c.negative GROUP BY c.company_id, c.signal_type
), negative_types AS (
    SELECT n.company_id, n.signal_type, n.n, n.last_at, coalesce(d.weight, 0) AS weight
    FROM (SELECT company_id, signal_type, count(*) AS n, max(signal_timestamp) AS last_at
          FROM counted WHERE negative GROUP BY company_id, signal_type) n
    LEFT JOIN (SELECT company_id, negative_type, sum(-ln(1 - probability) * -ln(1 - share)) AS weight
               FROM discounts GROUP BY company_id, negative_type) d
        ON d.company_id = n.company_id AND d.negative_type = n.signal_type
), totals AS (
    SELECT company_id, 1 - exp(-sum(gross)) AS gross_score, 1 - exp(-sum(evidence)) AS score, sum(gross) AS gross,
           1 - exp(-coalesce(sum(evidence) FILTER (WHERE first_party), 0)) AS first_party
    FROM positive_types GROUP BY company_id
), shares AS (
    -- Positive types split the score before discounts by their evidence, negative types split what was taken away.
    -- Twelve decimals: below them the order of a floating-point sum shows.
    SELECT p.company_id, p.signal_type, p.n, p.last_at, p.first_party,
           round((t.gross_score * p.gross / nullif(t.gross, 0))::numeric, 12) AS share
    FROM positive_types p JOIN totals t USING (company_id)
    UNION ALL
    SELECT n.company_id, n.signal_type, n.n, n.last_at, false,
           round(((t.score - t.gross_score) * n.weight / nullif(sum(n.weight) OVER (PARTITION BY n.company_id), 0))::numeric, 12)
    FROM negative_types n LEFT JOIN totals t USING (company_id)
), explained AS (
    SELECT company_id, greatest(0, least(1, sum(coalesce(share, 0))))::float8 AS score, max(last_at) AS last_signal_at,
           jsonb_agg(jsonb_build_object('signal_type', signal_type, 'n', n, 'share', coalesce(share, 0), 'last_at', last_at)
                     ORDER BY abs(coalesce(share, 0)) DESC, signal_type) AS reasons,
           string_agg(signal_type, ', ' ORDER BY share DESC, signal_type) FILTER (WHERE first_party AND share > 0) AS first_party_types
    FROM shares GROUP BY company_id
)
SELECT company_id, coalesce(e.score, 0) AS score, e.last_signal_at, coalesce(e.reasons, '[]') AS reasons,
       coalesce(t.first_party, 0) AS first_party, e.first_party_types
FROM scored LEFT JOIN explained e USING (company_id) LEFT JOIN totals t USING (company_id)
