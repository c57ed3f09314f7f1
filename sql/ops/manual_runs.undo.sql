-- Back from rollback 4: the sensors go on with what waits.
SELECT marketing.end_operation('manual');
