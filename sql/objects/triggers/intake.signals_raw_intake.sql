-- New rows become events.

CREATE OR REPLACE TRIGGER signals_raw_intake_insert_events
AFTER INSERT ON intake.signals_raw_intake
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'signal_received'$$,
    'n.id',
    'n.import_batch_id',
    $$jsonb_build_object('company', n.company, 'website', n.website, 'signal_type', n.signal_type)$$
);
