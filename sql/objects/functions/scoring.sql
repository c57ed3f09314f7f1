-- Rows are only added here, never compared: a unique key would make signals wait for a running stage.
CREATE OR REPLACE FUNCTION marketing.note_companies_to_score() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('barton.replay', true) IS DISTINCT FROM 'on' THEN
        INSERT INTO marketing.companies_to_score (import_batch_id, company_id)
        SELECT DISTINCT coalesce(nullif(current_setting('barton.import_batch_id', true), ''), c.import_batch_id),
               n.company_id
        FROM new_rows n JOIN marketing.company_master c ON c.company_unique_id = n.company_id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.note_companies_to_score() IS 'Trigger: a new signal makes its company''s scores stale';
REVOKE EXECUTE ON FUNCTION marketing.note_companies_to_score() FROM public;

-- Linear between the points (xs rising), constant beyond them; as numpy.interp.
CREATE OR REPLACE FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[])
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN k = 0 THEN ys[1] WHEN k >= cardinality(xs) THEN ys[cardinality(ys)]
                ELSE ys[k] + (ys[k + 1] - ys[k]) * (x - xs[k]) / (xs[k + 1] - xs[k]) END
    FROM (SELECT width_bucket(x, xs) AS k) AS found
$$;
COMMENT ON FUNCTION marketing.interpolate(double precision, double precision[], double precision[]) IS
'y at x on the line through the points (xs, ys)';
REVOKE EXECUTE ON FUNCTION marketing.interpolate(double precision, double precision[], double precision[]) FROM public;
