-- What scoring needs besides its tables: safe parsing of dates, and the keys by which a signal waits for its company.
-- Timestamps are ISO 8601; without an offset they are UTC. Garbage is NULL, never an error: one bad row must not stop
-- a million good ones, and a function with an exception handler would cost a subtransaction per row.
CREATE OR REPLACE FUNCTION intake.iso_timestamp(value text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value !~ '^\s*[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)? ?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?\s*$'
            OR btrim(value, E' \t\r\n') LIKE '0000%' THEN NULL
        WHEN substr(btrim(value, E' \t\r\n'), 9, 2)::integer > extract(day FROM make_date(
            left(btrim(value, E' \t\r\n'), 4)::integer, substr(btrim(value, E' \t\r\n'), 6, 2)::integer, 1)
            + interval '1 month - 1 day') THEN NULL
        WHEN value ~ '[Zz]\s*$' OR substr(btrim(value, E' \t\r\n'), 11) ~ '[+-]'
            THEN replace(btrim(value, E' \t\r\n'), ',', '.')::timestamptz
        ELSE (replace(btrim(value, E' \t\r\n'), ',', '.') || '+00')::timestamptz END
$$;
COMMENT ON FUNCTION intake.iso_timestamp(text) IS 'ISO 8601 date or timestamp, UTC unless it says otherwise; NULL for anything else';

ALTER TABLE intake.signals_raw_intake ADD COLUMN IF NOT EXISTS domain text;
ALTER TABLE intake.signals_raw_intake ADD COLUMN IF NOT EXISTS company_name_key text;
COMMENT ON COLUMN intake.signals_raw_intake.domain IS 'Registrable domain of website, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.company_name_key IS 'Normalised name, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.outcome IS 'What bit_scores made of the row; NULL not yet judged';

-- Rows without a company wait here until a batch brings it.
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_domain ON intake.signals_raw_intake (domain)
    WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_name ON intake.signals_raw_intake (company_name_key)
    WHERE outcome IN ('company_unknown', 'company_ambiguous');
CREATE INDEX IF NOT EXISTS signals_raw_intake_waiting_id ON intake.signals_raw_intake (company_unique_id)
    WHERE outcome IN ('company_unknown', 'company_ambiguous');

-- Clicks are compared with the deliveries of the same company.
CREATE INDEX IF NOT EXISTS messages_outbound_delivered ON marketing.messages_outbound (company_id, delivered_at);
