-- Timestamps are ISO 8601; without an offset they are UTC. Garbage is NULL, never an error: one bad row must not stop
-- a million good ones, and a function with an exception handler would cost a subtransaction per row.
CREATE OR REPLACE FUNCTION intake.iso_timestamp(value text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value !~ '^\s*[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
                      '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?'
                      ' ?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?\s*$'
            OR btrim(value, E' \t\r\n') LIKE '0000%' THEN NULL
        WHEN substr(btrim(value, E' \t\r\n'), 9, 2)::integer > extract(day FROM make_date(
            left(btrim(value, E' \t\r\n'), 4)::integer, substr(btrim(value, E' \t\r\n'), 6, 2)::integer, 1)
            + interval '1 month - 1 day') THEN NULL
        WHEN value ~ '[Zz]\s*$' OR substr(btrim(value, E' \t\r\n'), 11) ~ '[+-]'
            THEN replace(btrim(value, E' \t\r\n'), ',', '.')::timestamptz
        ELSE (replace(btrim(value, E' \t\r\n'), ',', '.') || '+00')::timestamptz END
$$;
COMMENT ON FUNCTION intake.iso_timestamp(text) IS
'ISO 8601 date or timestamp, UTC unless it says otherwise; NULL for anything else';
