-- Roles stay: they belong to the server and other databases may use them.
DROP FUNCTION IF EXISTS marketing.touch_updated_at();
DROP SCHEMA IF EXISTS intake;
-- marketing still holds the migration ledger when the runner does this; then the schema stays, empty otherwise.
DO $$
BEGIN
    IF to_regclass('marketing.schema_migrations') IS NULL THEN
        DROP SCHEMA IF EXISTS marketing;
    END IF;
END
$$;
