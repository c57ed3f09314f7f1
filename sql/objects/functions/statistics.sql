-- ANALYZE of the tables of which the planner knows next to nothing: those that were filled since statistics were last
-- taken, as by a restore or the first large batch. Autovacuum would come within minutes; a run begins within a second.
-- The sample is a tenth of the usual, so that it is a second: sizes and orders of magnitude are what was missing.
-- A table that somebody else is at work on is left for the next time. With the owner's rights: ANALYZE needs them.
CREATE OR REPLACE FUNCTION marketing.take_statistics(at_least_rows bigint, share double precision) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET default_statistics_target = 10 AS $$
DECLARE
    name text;
    taken text[] := '{}';
BEGIN
    FOR name IN
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('intake', 'marketing') AND c.relkind = 'r'
          AND (pg_stat_get_mod_since_analyze(c.oid) > greatest(at_least_rows, share * c.reltuples)
               -- a copy of a database has no counts of what was written
               OR (c.relpages = 0 AND pg_relation_size(c.oid) > 100 * at_least_rows))
        ORDER BY 1
    LOOP
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || name;
        taken := taken || name;
    END LOOP;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION marketing.take_statistics(bigint, double precision) IS
'ANALYZE of the tables of which more rows than that, and more than that share of all, are newer than their statistics';
REVOKE EXECUTE ON FUNCTION marketing.take_statistics(bigint, double precision) FROM public;
