-- Wakes listeners. A transaction that notifies holds a cluster-wide lock until its commit is flushed, so only one
-- open transaction notifies at a time; listeners drain the table and poll, so a skipped wake-up loses nothing.
CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('barton.wake_listeners', 0)) THEN
        PERFORM pg_notify('pipeline_event', jsonb_build_object(
            'event_type', left(event_type, 100), 'import_batch_id', left(import_batch_id, 100), 'rows', n_rows)::text);
    END IF;
END
$$;
COMMENT ON FUNCTION marketing.wake_listeners(text, text, bigint) IS
'Gated pg_notify(pipeline_event): ids and counts only';
REVOKE EXECUTE ON FUNCTION marketing.wake_listeners(text, text, bigint) FROM public;
