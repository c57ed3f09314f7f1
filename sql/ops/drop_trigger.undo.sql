-- Back from rollback 2: the migrations make every trigger again, and what changed meanwhile is queued. psql -1
-- -v trigger=bit_signals_insert_events -f sql/ops/drop_trigger.undo.sql from the project's folder, as the owner.
\i sql/migrations/0007_triggers.sql
SELECT marketing.catch_up(marketing.end_operation('trigger', :'trigger')) AS batches_queued;
