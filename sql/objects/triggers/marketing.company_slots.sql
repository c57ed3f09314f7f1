-- Three slots a company, IDs are permanent and their history is kept; new and changed slots become events.

CREATE OR REPLACE TRIGGER company_slots_keep_three
AFTER DELETE ON marketing.company_slots
REFERENCING OLD TABLE AS deleted_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.refuse_missing_slot();

CREATE OR REPLACE TRIGGER company_slots_id_retired
AFTER DELETE ON marketing.company_slots
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.record_id_history('slot', 'company_slot_unique_id', 'retired');

CREATE OR REPLACE TRIGGER company_slots_id_permanent
BEFORE UPDATE OF company_slot_unique_id, company_unique_id ON marketing.company_slots
FOR EACH ROW
WHEN (
    (old.company_slot_unique_id, old.company_unique_id)
    IS DISTINCT FROM (new.company_slot_unique_id, new.company_unique_id)
)
EXECUTE FUNCTION marketing.refuse_id_change();

CREATE OR REPLACE TRIGGER company_slots_touch
BEFORE UPDATE ON marketing.company_slots
FOR EACH ROW
EXECUTE FUNCTION marketing.touch_updated_at();

CREATE OR REPLACE TRIGGER company_slots_insert_events
AFTER INSERT ON marketing.company_slots
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'slot_created'$$,
    'n.company_slot_unique_id',
    '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)',
    $$jsonb_build_object('company_unique_id', n.company_unique_id, 'slot_type', n.slot_type)$$
);

CREATE OR REPLACE TRIGGER company_slots_update_events
AFTER UPDATE ON marketing.company_slots
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'slot_updated'$$,
    'n.company_slot_unique_id',
    '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)',
    $$jsonb_build_object(
        'company_unique_id', n.company_unique_id, 'slot_type', n.slot_type, 'is_filled', n.is_filled)$$,
    'slot_type, slot_label, is_filled, person_unique_id',
    'company_slot_unique_id'
);
