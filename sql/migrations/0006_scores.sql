-- E-mail verification, signals, scores, targets and the outbound table other programs write to.
CREATE TABLE IF NOT EXISTS marketing.email_verification (
    email           text PRIMARY KEY,
    status          text NOT NULL CHECK (status IN ('pending', 'valid', 'invalid', 'risky', 'unknown')),
    reason          text,
    is_role         boolean NOT NULL DEFAULT false,
    is_disposable   boolean NOT NULL DEFAULT false,
    is_free_mail    boolean NOT NULL DEFAULT false,
    mx              text,
    source          text NOT NULL,
    rules_version   text,
    import_batch_id text,
    verified_at     timestamptz NOT NULL DEFAULT now(),
    metadata        jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.email_verification IS 'One row per address: the newest verdict; verified is not the same as ready for outreach';
COMMENT ON COLUMN marketing.email_verification.source IS 'local, or the vendor that gave the verdict';

CREATE TABLE IF NOT EXISTS marketing.bit_signals (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id       text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    signal_type      text NOT NULL,
    bit_intent_score real NOT NULL DEFAULT 1 CHECK (bit_intent_score BETWEEN 0 AND 1),
    signal_timestamp timestamptz NOT NULL,
    observed_at      timestamptz NOT NULL DEFAULT now(),
    source           text NOT NULL DEFAULT 'manual',
    external_id      text,
    metadata         jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT bit_signals_once UNIQUE (source, external_id)
);
CREATE INDEX IF NOT EXISTS bit_signals_company ON marketing.bit_signals (company_id, signal_timestamp DESC);
COMMENT ON TABLE marketing.bit_signals IS 'Buyer-intent signals; bit_intent_score is the strength 0..1 of one signal';
COMMENT ON COLUMN marketing.bit_signals.signal_timestamp IS 'When it happened';
COMMENT ON COLUMN marketing.bit_signals.observed_at IS 'When we learned of it; scores as of an earlier moment ignore it';

CREATE TABLE IF NOT EXISTS marketing.bit_results (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id        text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    bit_score         double precision NOT NULL CHECK (bit_score BETWEEN 0 AND 1),
    bit_model_version text NOT NULL,
    last_signal_at    timestamptz,
    calculated_at     timestamptz NOT NULL DEFAULT now(),
    metadata          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS bit_results_latest ON marketing.bit_results (company_id, calculated_at DESC, id DESC);
COMMENT ON TABLE marketing.bit_results IS 'BIT per company over time; the newest row counts. metadata.reasons: each signal''s share';

CREATE TABLE IF NOT EXISTS marketing.ple_results (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id        text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    ple_score         double precision NOT NULL CHECK (ple_score BETWEEN 0 AND 1),
    ple_model_version text NOT NULL,
    method            text NOT NULL DEFAULT 'rubric' CHECK (method IN ('rubric', 'logistic', 'boosting')),
    p_convert         double precision CHECK (p_convert BETWEEN 0 AND 1),
    calculated_at     timestamptz NOT NULL DEFAULT now(),
    metadata          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS ple_results_latest ON marketing.ple_results (company_id, calculated_at DESC, id DESC);
COMMENT ON TABLE marketing.ple_results IS 'PLE per company over time; the newest row counts. metadata.reasons add up to the score';
COMMENT ON COLUMN marketing.ple_results.p_convert IS 'Calibrated probability; NULL until a model has earned one';

CREATE TABLE IF NOT EXISTS marketing.sniper_targets (
    company_id       text PRIMARY KEY REFERENCES marketing.company_master ON DELETE CASCADE,
    ple_score        double precision NOT NULL,
    bit_intent_score double precision NOT NULL,
    reasons          jsonb NOT NULL DEFAULT '[]',
    contacts_ready   smallint NOT NULL DEFAULT 0,
    contacts_held    smallint NOT NULL DEFAULT 0,
    rules_version    text NOT NULL,
    ple_updated_at   timestamptz,
    last_signal_at   timestamptz,
    entered_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.sniper_targets IS 'Companies on the list now: PLE or BIT above the cut (scoring.yaml); one row each';

CREATE TABLE IF NOT EXISTS marketing.messages_outbound (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id       text NOT NULL REFERENCES marketing.company_master,
    person_unique_id text REFERENCES marketing.people_master,
    channel          text NOT NULL DEFAULT 'email',
    recipient        text NOT NULL,
    subject          text,
    status           text NOT NULL DEFAULT 'sent',
    sent_at          timestamptz NOT NULL DEFAULT now(),
    delivered_at     timestamptz,
    metadata         jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.messages_outbound IS 'Messages sent to people at target companies';

CREATE OR REPLACE VIEW marketing.v_sniper_targets AS
SELECT t.company_id, c.company_name, t.ple_score, t.bit_intent_score, t.ple_updated_at, t.last_signal_at,
       c.domain, c.website_url, c.industry, c.employee_count, c.city, c.state, c.import_batch_id,
       t.contacts_ready, t.contacts_held, t.reasons, t.rules_version, t.entered_at, t.updated_at
FROM marketing.sniper_targets t
JOIN marketing.company_master c ON c.company_unique_id = t.company_id
ORDER BY greatest(t.ple_score, t.bit_intent_score) DESC, least(t.ple_score, t.bit_intent_score) DESC, t.company_id;
COMMENT ON VIEW marketing.v_sniper_targets IS 'The target list, one row per company, best first';

CREATE OR REPLACE VIEW marketing.v_event_queue_status AS
SELECT event_type, count(*) AS pending_count, min(created_at) AS oldest_pending, max(created_at) AS newest_pending,
       round(extract(epoch FROM now() - min(created_at)) / 60, 1) AS oldest_age_minutes
FROM marketing.pipeline_events WHERE status = 'pending' GROUP BY event_type;
COMMENT ON VIEW marketing.v_event_queue_status IS 'Pending events by type, with age';

CREATE OR REPLACE VIEW marketing.vw_unresolved_errors AS
SELECT id, event_type, record_id, import_batch_id, error_message, error_details, severity, created_at
FROM marketing.pipeline_errors WHERE NOT resolved
ORDER BY array_position(ARRAY['critical', 'error', 'warning'], severity), created_at DESC;
COMMENT ON VIEW marketing.vw_unresolved_errors IS 'Open errors, worst first';
