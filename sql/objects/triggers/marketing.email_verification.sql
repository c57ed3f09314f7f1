-- Verdicts become events.

CREATE OR REPLACE TRIGGER email_verification_insert_events
AFTER INSERT ON marketing.email_verification
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$CASE n.status WHEN 'valid' THEN 'email_verified' WHEN 'invalid' THEN 'email_failed' END$$,
    'n.email',
    'n.import_batch_id',
    $$jsonb_build_object('status', n.status, 'reason', n.reason)$$
);

CREATE OR REPLACE TRIGGER email_verification_update_events
AFTER UPDATE ON marketing.email_verification
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$CASE n.status WHEN 'valid' THEN 'email_verified' WHEN 'invalid' THEN 'email_failed' END$$,
    'n.email',
    'n.import_batch_id',
    $$jsonb_build_object('status', n.status, 'reason', n.reason)$$,
    'status',
    'email'
);
