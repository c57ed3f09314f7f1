-- New rows become events.

CREATE OR REPLACE TRIGGER outcomes_raw_intake_insert_events
AFTER INSERT ON intake.outcomes_raw_intake
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'outcome_received'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website, 'outcome_type', n.outcome_type)$$
);
