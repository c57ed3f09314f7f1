-- Nothing that stands in the history of IDs changes or goes.

CREATE OR REPLACE TRIGGER barton_id_history_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON marketing.barton_id_history
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.refuse_history_change();
