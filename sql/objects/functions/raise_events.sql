-- Statement-level triggers that turn changes of the pipeline tables into events.
-- Row-level triggers cost 6x a bare insert at a million rows, these 1.0-1.3x (docs/explanation/event-protocol.md).
--
-- TG_ARGV: 0 event type, 1 record id, 2 import batch, 3 payload (SQL expressions over the row n; a NULL event type
-- raises nothing); for updates also 4 the watched columns and 5 the key column, both plain column lists.
-- EXECUTE is revoked from everybody below, so nobody else can attach this owner-rights function with SQL of their own.
CREATE OR REPLACE FUNCTION marketing.raise_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_in_statement bigint;
    source text;
    columns text := 'event_type, payload, import_batch_id, n_rows, first_record_id, last_record_id, raised_by';
    token text := quote_nullable(nullif(current_setting('barton.lease_token', true), ''));
    -- a stage's own writes belong to the batch it runs, whichever batch first brought the company
    batch text := coalesce(quote_literal(nullif(current_setting('barton.import_batch_id', true), '')), TG_ARGV[2]);
    inserted bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('barton.skip_update_events', true) = 'on' THEN
        RETURN NULL;  -- the stage changes verdict columns only; comparing a million rows would find nothing
    END IF;
    SELECT count(*) INTO rows_in_statement FROM (SELECT FROM new_rows LIMIT 101) AS counted;
    IF rows_in_statement = 0 THEN
        RETURN NULL;
    END IF;
    source := 'new_rows n';
    IF TG_OP = 'UPDATE' THEN
        source := format('new_rows n JOIN old_rows o ON o.%1$I = n.%1$I AND (%2$s) IS DISTINCT FROM (%3$s)', TG_ARGV[5],
            (SELECT string_agg('n.' || quote_ident(trim(name)), ', ')
             FROM regexp_split_to_table(TG_ARGV[4], ',') AS name),
            (SELECT string_agg('o.' || quote_ident(trim(name)), ', ')
             FROM regexp_split_to_table(TG_ARGV[4], ',') AS name));
    END IF;
    IF rows_in_statement <= 100 THEN
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type,
                    jsonb_build_object(''record_id'', e.record_id, ''import_batch_id'', e.batch) || e.payload,
                    e.batch, 1, e.record_id::text, e.record_id::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, %s AS payload FROM %s) AS e
             WHERE e.event_type IS NOT NULL', columns, token, TG_ARGV[0], TG_ARGV[1], batch, TG_ARGV[3], source);
    ELSE
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type, jsonb_build_object(''count'', count(*), ''first_record_id'', min(e.record_id),
                    ''last_record_id'', max(e.record_id), ''import_batch_id'', e.batch),
                    e.batch, count(*), min(e.record_id)::text, max(e.record_id)::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, (row_number() OVER () - 1) / 10000 AS chunk
                   FROM %s) AS e
             WHERE e.event_type IS NOT NULL GROUP BY e.event_type, e.batch, e.chunk',
            columns, token, TG_ARGV[0], TG_ARGV[1], batch, source);
    END IF;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted > 0 THEN
        PERFORM marketing.wake_listeners(TG_TABLE_NAME || ' ' || lower(TG_OP), NULL, inserted);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.raise_events() IS
'Trigger: one event per row up to 100 rows a statement, else one per 10,000 rows and batch';
REVOKE EXECUTE ON FUNCTION marketing.raise_events() FROM public;
