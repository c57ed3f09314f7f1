CREATE OR REPLACE FUNCTION marketing.count_processed_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO marketing.event_days (date, processed, seconds)
    SELECT (n.created_at AT TIME ZONE 'UTC')::date, count(*), sum(extract(epoch FROM n.processed_at - n.created_at))
    FROM new_rows n JOIN old_rows o USING (id) WHERE n.status = 'processed' AND o.status <> 'processed' GROUP BY 1;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.count_processed_events() IS
'Trigger: adds the events that have just been processed to event_days';
REVOKE EXECUTE ON FUNCTION marketing.count_processed_events() FROM public;

CREATE OR REPLACE FUNCTION marketing.add_up_event_days() RETURNS bigint LANGUAGE sql AS $$
    WITH instalments AS (
        DELETE FROM marketing.event_days WHERE id IN (
            SELECT id FROM marketing.event_days ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING *
    ), days AS (
        INSERT INTO marketing.event_days (date, processed, seconds)
        SELECT date, sum(processed), sum(seconds) FROM instalments
        WHERE date > (now() AT TIME ZONE 'UTC')::date - 400 GROUP BY date RETURNING 1
    )
    SELECT (SELECT count(*) FROM instalments) - (SELECT count(*) FROM days)
$$;
COMMENT ON FUNCTION marketing.add_up_event_days() IS
'One row per day instead of many, and none older than 400 days; rows saved';
REVOKE EXECUTE ON FUNCTION marketing.add_up_event_days() FROM public;
