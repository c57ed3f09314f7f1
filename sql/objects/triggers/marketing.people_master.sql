-- IDs are permanent and their history is kept.

CREATE OR REPLACE TRIGGER people_master_id_permanent
BEFORE UPDATE OF person_unique_id ON marketing.people_master
FOR EACH ROW
WHEN (old.person_unique_id IS DISTINCT FROM new.person_unique_id)
EXECUTE FUNCTION marketing.refuse_id_change();

CREATE OR REPLACE TRIGGER people_master_id_given
AFTER INSERT ON marketing.people_master
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'given');

CREATE OR REPLACE TRIGGER people_master_id_retired
AFTER DELETE ON marketing.people_master
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'retired');

CREATE OR REPLACE TRIGGER people_master_touch
BEFORE UPDATE ON marketing.people_master
FOR EACH ROW
EXECUTE FUNCTION marketing.touch_updated_at();
