CREATE OR REPLACE TRIGGER actions_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON marketing.actions
FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_history_change();
