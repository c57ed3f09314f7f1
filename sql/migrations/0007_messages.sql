-- Messages that other programs send and record here.

CREATE TABLE IF NOT EXISTS marketing.messages_outbound (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master DEFERRABLE,
    person_unique_id text REFERENCES marketing.people_master DEFERRABLE,
    channel text NOT NULL DEFAULT 'email',
    recipient text NOT NULL,
    subject text,
    status text NOT NULL DEFAULT 'sent',
    sent_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.messages_outbound IS 'Messages sent to people at target companies';
COMMENT ON COLUMN marketing.messages_outbound.id IS 'Order of sending';
COMMENT ON COLUMN marketing.messages_outbound.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.messages_outbound.person_unique_id IS
'people_master row written to; NULL when the recipient is none of them';
COMMENT ON COLUMN marketing.messages_outbound.channel IS 'email unless said otherwise';
COMMENT ON COLUMN marketing.messages_outbound.recipient IS 'Address or handle it went to';
COMMENT ON COLUMN marketing.messages_outbound.subject IS 'Line above an e-mail; NULL for channels that have none';
COMMENT ON COLUMN marketing.messages_outbound.status IS
'Free text of the sending program, sent by default; the pipeline reads delivered_at instead';
COMMENT ON COLUMN marketing.messages_outbound.sent_at IS 'When it left';
COMMENT ON COLUMN marketing.messages_outbound.delivered_at IS
'When the other side took it; NULL until then. Clicks within seconds of it are mail scanners';
COMMENT ON COLUMN marketing.messages_outbound.metadata IS 'Free for the sending program; the pipeline does not read it';

-- Clicks are compared with the deliveries of the same company.
CREATE INDEX IF NOT EXISTS messages_outbound_delivered ON marketing.messages_outbound (company_id, delivered_at);
CREATE INDEX IF NOT EXISTS messages_outbound_person
ON marketing.messages_outbound (person_unique_id)
WHERE person_unique_id IS NOT NULL;
