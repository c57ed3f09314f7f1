-- Paid verdicts of the addresses at the batch's companies. ok is valid; on a catch-all domain nobody can tell: risky.
WITH answers AS (
    SELECT DISTINCT ON (v.input_key) v.input_key AS email, v.environment, v.answered_at, v.response,
           CASE v.response ->> 'result' WHEN 'ok' THEN 'valid' WHEN 'catch_all' THEN 'risky' WHEN 'unknown' THEN 'unknown'
                ELSE 'invalid' END AS status
    FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
    JOIN marketing.vendor_calls v ON v.input_key = p.email AND v.operation = 'verify_email' AND v.state = 'settled'
    WHERE b.import_batch_id = %(batch)s
    ORDER BY v.input_key, v.answered_at DESC
), written AS (
    INSERT INTO marketing.email_verification AS known
        (email, status, reason, is_role, is_free_mail, is_disposable, source, import_batch_id, verified_at, metadata)
    SELECT email, status, concat_ws(' ', response ->> 'result', nullif(response ->> 'subresult', '')),
           lower(coalesce(response ->> 'role', '')) IN ('true', 'yes', '1'),
           lower(coalesce(response ->> 'free', '')) IN ('true', 'yes', '1'), response ->> 'result' = 'disposable',
           CASE environment WHEN 'sandbox' THEN 'sandbox:million_verifier' ELSE 'million_verifier' END, %(batch)s, answered_at, '{}'
    FROM answers ORDER BY email
    ON CONFLICT (email) DO UPDATE SET status = excluded.status, reason = excluded.reason, source = excluded.source,
        is_role = known.is_role OR excluded.is_role, is_free_mail = known.is_free_mail OR excluded.is_free_mail,
        is_disposable = known.is_disposable OR excluded.is_disposable,
        import_batch_id = excluded.import_batch_id, verified_at = excluded.verified_at
    WHERE known.source = 'local' OR known.verified_at < excluded.verified_at
    RETURNING 1
)
SELECT count(*) AS paid_verdicts FROM written;
