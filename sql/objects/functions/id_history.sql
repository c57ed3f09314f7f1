-- An ID, once given, is permanent.
CREATE OR REPLACE FUNCTION marketing.refuse_id_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Barton IDs are permanent: % may not become %', OLD, NEW
        USING HINT = 'Delete the row (its ID is retired) and let the pipeline create a new one.',
              ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION marketing.refuse_id_change() IS 'Row trigger: an ID, once given, is permanent';
REVOKE EXECUTE ON FUNCTION marketing.refuse_id_change() FROM public;

CREATE OR REPLACE FUNCTION marketing.refuse_history_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION marketing.refuse_history_change() IS 'Trigger: the history of IDs is append-only';
REVOKE EXECUTE ON FUNCTION marketing.refuse_history_change() FROM public;

-- A replay by the owner neither gives nor retires IDs: it hands them back to whom they belong.
CREATE OR REPLACE FUNCTION marketing.record_id_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('barton.replay', true) = 'on' AND pg_has_role(session_user, current_user, 'MEMBER') THEN
        RETURN NULL;
    END IF;
    EXECUTE format('INSERT INTO marketing.barton_id_history (barton_id, entity, change) '
                   'SELECT %I, %L, %L FROM changed_rows',
                   TG_ARGV[1], TG_ARGV[0], TG_ARGV[2]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.record_id_history() IS
'Trigger: an ID was given or is retired; arguments: entity, ID column, change';
REVOKE EXECUTE ON FUNCTION marketing.record_id_history() FROM public;
