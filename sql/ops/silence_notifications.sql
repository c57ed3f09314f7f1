-- Rollback 1: no notifications; the queue goes on, the sensor looks into it every few seconds instead of being woken.
-- psql -1 -f sql/ops/silence_notifications.sql, as the owner. Back: silence_notifications.undo.sql.
SELECT marketing.begin_operation('silence');
