-- Rollback 3: no table raises events any more; rows still come in. psql -1 -f sql/ops/pause_triggers.sql, as the owner.
-- Waits for open transactions on these tables. Back, with everything caught up: pause_triggers.undo.sql.
SELECT marketing.begin_operation('pause');
