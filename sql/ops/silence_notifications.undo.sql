-- Back from rollback 1. psql -1 -f sql/ops/silence_notifications.undo.sql, as the owner.
\ir ../objects/functions/wake_listeners.sql
SELECT marketing.end_operation('silence');
