-- Sending and delivery become events.

CREATE OR REPLACE TRIGGER messages_outbound_insert_events
AFTER INSERT ON marketing.messages_outbound
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$'message_sent'$$,
    'n.id',
    '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
    $$jsonb_build_object('company_id', n.company_id, 'channel', n.channel)$$
);

CREATE OR REPLACE TRIGGER messages_outbound_update_events
AFTER UPDATE ON marketing.messages_outbound
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION marketing.raise_events(
    $$CASE WHEN n.delivered_at IS NOT NULL THEN 'message_delivered' END$$,
    'n.id',
    '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)',
    $$jsonb_build_object('company_id', n.company_id, 'channel', n.channel)$$,
    'delivered_at',
    'id'
);
