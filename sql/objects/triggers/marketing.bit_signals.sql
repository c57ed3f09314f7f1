-- A signal becomes an event and makes its company's scores stale.

CREATE OR REPLACE TRIGGER bit_signals_insert_events
AFTER INSERT ON marketing.bit_signals
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'signal_recorded'$$,
    'n.id',
    '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
    $$jsonb_build_object('company_id', n.company_id, 'signal_type', n.signal_type)$$
);

CREATE OR REPLACE TRIGGER bit_signals_companies_to_score
AFTER INSERT ON marketing.bit_signals
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.note_companies_to_score();
