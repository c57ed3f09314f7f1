DROP SCHEMA IF EXISTS intake;
-- marketing still holds the ledgers of barton migrate when that does this; then it drops the schema with them.
DO $$
BEGIN
    IF to_regclass('marketing.schema_migrations') IS NULL THEN
        DROP SCHEMA IF EXISTS marketing;
    END IF;
END
$$;
