-- Rollback 4: sensors start no runs; batches are run by hand (barton run BATCH). Events wait. Back:
-- manual_runs.undo.sql.
SELECT marketing.begin_operation('manual');
