-- The ledger of paid calls (docs/explanation/vendors.md).

CREATE TABLE IF NOT EXISTS marketing.vendor_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor text NOT NULL,
    operation text NOT NULL,
    environment text NOT NULL CHECK (environment IN ('real', 'sandbox')),
    state text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'sent', 'settled', 'refused', 'unknown')),
    request_key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    body jsonb NOT NULL DEFAULT '{}',
    reference text,
    response jsonb,
    inputs integer NOT NULL CHECK (inputs > 0),
    estimated_usd numeric(12, 6) NOT NULL CHECK (estimated_usd >= 0),
    actual_usd numeric(12, 6) CHECK (actual_usd >= 0),
    import_batch_id text,
    run_id text,
    holder uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    error text,
    reserved_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT vendor_requests_sent CHECK (sent_at IS NOT NULL OR state IN ('reserved', 'refused')),
    CONSTRAINT vendor_requests_ended CHECK ((ended_at IS NOT NULL) = (state IN ('settled', 'refused'))),
    CONSTRAINT vendor_requests_cost CHECK (state <> 'settled' OR actual_usd IS NOT NULL)
);
COMMENT ON TABLE marketing.vendor_requests IS
'One row per billed request to a vendor: an actor run, a bulk file, a single verification';
COMMENT ON COLUMN marketing.vendor_requests.id IS 'Our number of the request';
COMMENT ON COLUMN marketing.vendor_requests.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_requests.operation IS 'What was asked for; the operations are in vendors.yaml';
COMMENT ON COLUMN marketing.vendor_requests.environment IS 'real, or sandbox: an answer of the sandbox server';
COMMENT ON COLUMN marketing.vendor_requests.state IS
'reserved (not sent), sent, settled, refused (not charged), unknown (sent, outcome lost)';
COMMENT ON COLUMN marketing.vendor_requests.request_key IS 'Our name for the request; part of the name of a bulk file';
COMMENT ON COLUMN marketing.vendor_requests.body IS 'What is sent, without secrets';
COMMENT ON COLUMN marketing.vendor_requests.reference IS 'The vendor''s name for the request: run ID or file ID';
COMMENT ON COLUMN marketing.vendor_requests.response IS 'The vendor''s last word on the request as a whole';
COMMENT ON COLUMN marketing.vendor_requests.inputs IS 'How many rows of vendor_calls it covers';
COMMENT ON COLUMN marketing.vendor_requests.estimated_usd IS
'The most it may cost; counts against budgets until it is settled';
COMMENT ON COLUMN marketing.vendor_requests.actual_usd IS 'What the vendor charged; NULL while unknown';
COMMENT ON COLUMN marketing.vendor_requests.import_batch_id IS 'The batch that first asked';
COMMENT ON COLUMN marketing.vendor_requests.run_id IS 'The Dagster run that first asked';
COMMENT ON COLUMN marketing.vendor_requests.holder IS 'Token of the process that works on it: the fence';
COMMENT ON COLUMN marketing.vendor_requests.lease_until IS 'Until then nobody else takes it up';
COMMENT ON COLUMN marketing.vendor_requests.error IS 'Why it was refused or is unknown';
COMMENT ON COLUMN marketing.vendor_requests.reserved_at IS
'When the money was set aside; the same for all that were reserved together';
COMMENT ON COLUMN marketing.vendor_requests.sent_at IS 'Just before the first byte left';
COMMENT ON COLUMN marketing.vendor_requests.ended_at IS 'When it was settled or refused';

CREATE INDEX IF NOT EXISTS vendor_requests_batch ON marketing.vendor_requests (import_batch_id, vendor);
CREATE INDEX IF NOT EXISTS vendor_requests_open
ON marketing.vendor_requests (vendor, lease_until)
WHERE state IN ('reserved', 'sent', 'unknown');
CREATE INDEX IF NOT EXISTS vendor_requests_spending
ON marketing.vendor_requests (vendor, environment, reserved_at)
INCLUDE (estimated_usd, actual_usd, state, run_id);

CREATE TABLE IF NOT EXISTS marketing.vendor_calls (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES marketing.vendor_requests,
    vendor text NOT NULL,
    operation text NOT NULL,
    environment text NOT NULL CHECK (environment IN ('real', 'sandbox')),
    input_key text NOT NULL,
    freshness_window integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'sent', 'settled', 'refused', 'unknown')),
    input jsonb NOT NULL DEFAULT '{}',
    response jsonb,
    estimated_usd numeric(12, 6) NOT NULL,
    actual_usd numeric(12, 6),
    answered_at timestamptz,
    fresh_until timestamptz,
    CONSTRAINT vendor_calls_once UNIQUE (vendor, operation, environment, input_key, freshness_window),
    CONSTRAINT vendor_calls_answered CHECK (
        (state = 'settled') = (answered_at IS NOT NULL AND response IS NOT NULL AND fresh_until IS NOT NULL)
    )
);
COMMENT ON TABLE marketing.vendor_calls IS
'One row per paid input and freshness window, with its answer; what was answered is not bought again while fresh';
COMMENT ON COLUMN marketing.vendor_calls.id IS 'Our number of the answer; provenance names it as call';
COMMENT ON COLUMN marketing.vendor_calls.request_id IS 'The request that carries it; of a refused call the last one';
COMMENT ON COLUMN marketing.vendor_calls.vendor IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.environment IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.input_key IS
'The normalised input: a domain, a LinkedIn company slug, an address';
COMMENT ON COLUMN marketing.vendor_calls.freshness_window IS
'Counts how often the input was asked for again after its answer had aged';
COMMENT ON COLUMN marketing.vendor_calls.state IS
'As in vendor_requests; an input the vendor left out of a settled request is refused';
COMMENT ON COLUMN marketing.vendor_calls.input IS
'What the input belongs to: company, person, how the address was found';
COMMENT ON COLUMN marketing.vendor_calls.response IS 'The vendor''s answer to this input, as it came';
COMMENT ON COLUMN marketing.vendor_calls.estimated_usd IS 'Its share of the request''s estimate';
COMMENT ON COLUMN marketing.vendor_calls.actual_usd IS 'Its share of what was charged';
COMMENT ON COLUMN marketing.vendor_calls.answered_at IS
'When the answer came: the observation time of everything derived from it';
COMMENT ON COLUMN marketing.vendor_calls.fresh_until IS 'From then on it may be asked for again';

CREATE INDEX IF NOT EXISTS vendor_calls_guessed_for
ON marketing.vendor_calls ((input ->> 'guessed_for'))
WHERE input ->> 'guessed_for' IS NOT NULL;
CREATE INDEX IF NOT EXISTS vendor_calls_input ON marketing.vendor_calls (input_key, operation) WHERE state = 'settled';
CREATE INDEX IF NOT EXISTS vendor_calls_request ON marketing.vendor_calls (request_id);

CREATE TABLE IF NOT EXISTS marketing.vendor_holds (
    import_batch_id text NOT NULL,
    operation text NOT NULL,
    reason text NOT NULL CHECK (
        reason IN ('budget', 'switched_off', 'vendor_trouble', 'in_flight', 'recheck', 'refresh')
    ),
    vendor text NOT NULL,
    inputs integer NOT NULL,
    message text NOT NULL,
    stage text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (import_batch_id, operation, reason)
);
COMMENT ON TABLE marketing.vendor_holds IS
'What a batch still wants to buy and why it waits; the reconciler queues the batch again at retry_at';
COMMENT ON COLUMN marketing.vendor_holds.import_batch_id IS 'Who waits';
COMMENT ON COLUMN marketing.vendor_holds.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_holds.reason IS
'budget, switched_off, vendor_trouble, in_flight (another batch has asked), recheck (an unknown address, once), '
'refresh (an old answer)';
COMMENT ON COLUMN marketing.vendor_holds.vendor IS 'Whom it waits for';
COMMENT ON COLUMN marketing.vendor_holds.inputs IS 'How many inputs wait';
COMMENT ON COLUMN marketing.vendor_holds.message IS 'What happened and what to do';
COMMENT ON COLUMN marketing.vendor_holds.stage IS 'The stage that buys: the batch is run again from there';
COMMENT ON COLUMN marketing.vendor_holds.held_at IS 'Since when it waits';
COMMENT ON COLUMN marketing.vendor_holds.retry_at IS 'When it is tried again';

CREATE INDEX IF NOT EXISTS vendor_holds_due ON marketing.vendor_holds (retry_at);

CREATE TABLE IF NOT EXISTS marketing.vendor_switches (
    vendor text PRIMARY KEY,
    enabled boolean NOT NULL,
    reason text,
    changed_by text NOT NULL DEFAULT session_user,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.vendor_switches IS 'Kill switches; a vendor without a row is on';
COMMENT ON COLUMN marketing.vendor_switches.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_switches.enabled IS 'false: nothing is sent to the vendor';
COMMENT ON COLUMN marketing.vendor_switches.reason IS 'Why, in the words of whoever switched';
COMMENT ON COLUMN marketing.vendor_switches.changed_by IS 'Who switched last';
COMMENT ON COLUMN marketing.vendor_switches.changed_at IS 'When it was switched last';
