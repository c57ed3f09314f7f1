-- While a row that makes its stage fail is looked for (docs/explanation/event-protocol.md, Poison), two settings
-- narrow what the stage sees of the *_to_process views to a range.

CREATE OR REPLACE FUNCTION intake.first_row() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('barton.first_row', true), '')::bigint, 0)
$$;
COMMENT ON FUNCTION intake.first_row() IS 'Rows before this id are out of sight in this transaction';

CREATE OR REPLACE FUNCTION intake.last_row() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('barton.last_row', true), '')::bigint, 9223372036854775807)
$$;
COMMENT ON FUNCTION intake.last_row() IS 'Rows after this id are out of sight in this transaction';
