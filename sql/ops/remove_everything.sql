-- Rollback 5: everything goes, all data included. Export first: barton backup FILE, or pg_dump -Fc -n intake
-- -n marketing. psql -1 -f sql/ops/remove_everything.sql, as the owner. Back: barton restore FILE. Dagster's own
-- database is not touched.
DROP SCHEMA marketing CASCADE;
DROP SCHEMA intake CASCADE;
