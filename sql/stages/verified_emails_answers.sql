-- Paid verdicts of the addresses at the batch's companies. ok is valid; on a catch-all domain nobody can tell: risky.
-- One look into the index per address: the ledger may have grown by a million rows since it was analysed last.
WITH addresses AS MATERIALIZED (
    SELECT DISTINCT p.email
    FROM marketing.people_master p
    JOIN pg_temp.companies b USING (company_unique_id)
    WHERE p.email IS NOT NULL
),

answers AS (
    SELECT
        a.email,
        v.environment,
        v.answered_at,
        v.response,
        CASE v.response ->> 'result'
            WHEN 'ok' THEN 'valid'
            WHEN 'catch_all' THEN 'risky'
            WHEN 'unknown' THEN 'unknown'
            ELSE 'invalid'
        END AS status
    FROM addresses a
    CROSS JOIN LATERAL (
        SELECT *
        FROM marketing.vendor_calls c
        WHERE c.input_key = a.email
            AND c.operation = 'verify_email'
            AND c.state = 'settled'
        ORDER BY c.answered_at DESC
        LIMIT 1
    ) v
),

written AS (
    INSERT INTO marketing.email_verification AS known (
        email,
        status,
        reason,
        is_role,
        is_free_mail,
        is_disposable,
        source,
        import_batch_id,
        verified_at,
        metadata
    )
    SELECT
        email,
        status,
        concat_ws(' ', response ->> 'result', nullif(response ->> 'subresult', '')),
        lower(coalesce(response ->> 'role', '')) IN ('true', 'yes', '1'),
        lower(coalesce(response ->> 'free', '')) IN ('true', 'yes', '1'),
        response ->> 'result' = 'disposable',
        CASE environment WHEN 'sandbox' THEN 'sandbox:million_verifier' ELSE 'million_verifier' END,
        %(batch)s,
        answered_at,
        '{}'
    FROM answers
    ORDER BY email
    ON CONFLICT (email) DO UPDATE
        SET
            status = excluded.status,
            reason = excluded.reason,
            source = excluded.source,
            is_role = known.is_role OR excluded.is_role,
            is_free_mail = known.is_free_mail OR excluded.is_free_mail,
            is_disposable = known.is_disposable OR excluded.is_disposable,
            import_batch_id = excluded.import_batch_id,
            verified_at = excluded.verified_at
        WHERE known.source = 'local'
        OR known.verified_at < excluded.verified_at
    RETURNING 1
)

SELECT count(*) AS paid_verdicts FROM written;
