-- Back from rollback 3: events again, and every batch that changed meanwhile is queued. psql -1, as the owner.
DO $$
DECLARE
    event_trigger record;
BEGIN
    FOR event_trigger IN
        SELECT tgrelid::regclass AS place, tgname AS name
        FROM pg_trigger WHERE tgfoid = 'marketing.raise_events'::regproc
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', event_trigger.place, event_trigger.name);
    END LOOP;
END
$$;
SELECT marketing.catch_up(marketing.end_operation('pause')) AS batches_queued;
