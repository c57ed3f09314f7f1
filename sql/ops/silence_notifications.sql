-- Rollback 1: no notifications; the queue goes on, the sensor looks into it every few seconds instead of being woken.
-- psql -1 -f sql/ops/silence_notifications.sql, as the owner. Back: silence_notifications.undo.sql.
SELECT marketing.begin_operation('silence');
CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NULL;
END
$$;
