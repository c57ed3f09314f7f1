-- Back from rollback 2: the table's triggers are made again, and what changed meanwhile is queued. psql -1
-- -v trigger=bit_signals_insert_events -v place=marketing.bit_signals -f sql/ops/drop_trigger.undo.sql, as the owner.
\ir ../objects/triggers/:place.sql
SELECT marketing.catch_up(marketing.end_operation('trigger', :'trigger')) AS batches_queued;
