-- Rollback 2: drop one trigger that makes trouble. psql -1 -v trigger=bit_signals_insert_events
-- -v place=marketing.bit_signals -f sql/ops/drop_trigger.sql, as the owner. Back: drop_trigger.undo.sql with the same
-- variables.
DROP TRIGGER :"trigger" ON :place;  -- noqa: PRS
SELECT marketing.begin_operation('trigger', :'trigger');
