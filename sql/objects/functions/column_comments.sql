-- For views that show columns of a table as they are.
CREATE OR REPLACE FUNCTION marketing.copy_column_comments(origin regclass, target regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    described record;
BEGIN
    FOR described IN
        SELECT t.attname AS name, col_description(o.attrelid, o.attnum) AS text
        FROM pg_attribute t JOIN pg_attribute o USING (attname)
        WHERE t.attrelid = target AND o.attrelid = origin AND o.attnum > 0 AND NOT o.attisdropped
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target, described.name, described.text);
    END LOOP;
END
$$;
COMMENT ON FUNCTION marketing.copy_column_comments(regclass, regclass) IS
'Gives the columns of the target the comments of the columns of the same name of the origin';
REVOKE EXECUTE ON FUNCTION marketing.copy_column_comments(regclass, regclass) FROM public;
