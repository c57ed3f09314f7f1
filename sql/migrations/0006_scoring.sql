-- Signals and outcomes, the scores that are made of them, and the target list.

CREATE TABLE IF NOT EXISTS marketing.bit_signals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    signal_type text NOT NULL,
    bit_intent_score real NOT NULL DEFAULT 1 CHECK (bit_intent_score BETWEEN 0 AND 1),
    signal_timestamp timestamptz NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL DEFAULT 'manual',
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT bit_signals_once UNIQUE (source, external_id)
);
COMMENT ON TABLE marketing.bit_signals IS 'Buyer-intent signals; bit_intent_score is the strength 0..1 of one signal';
COMMENT ON COLUMN marketing.bit_signals.id IS 'Order of recording';
COMMENT ON COLUMN marketing.bit_signals.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.bit_signals.signal_type IS
'Key of scoring.yaml; a type that has no weight there is reported and not scored';
COMMENT ON COLUMN marketing.bit_signals.bit_intent_score IS
'Strength of this one signal 0..1, before weight, confidence and age';
COMMENT ON COLUMN marketing.bit_signals.signal_timestamp IS 'When it happened';
COMMENT ON COLUMN marketing.bit_signals.observed_at IS
'When we learned of it; scores as of an earlier moment ignore it';
COMMENT ON COLUMN marketing.bit_signals.source IS
'Where it comes from (import, manual, hubspot ...); sets the confidence, and with external_id it is recorded once';
COMMENT ON COLUMN marketing.bit_signals.external_id IS
'The source''s own identifier, else a hash of company, type and time; NULL (SQL inserts only) is never a duplicate';
COMMENT ON COLUMN marketing.bit_signals.metadata IS
'signals_raw_intake_id of the row it was read from; empty or free for SQL inserts';

CREATE INDEX IF NOT EXISTS bit_signals_company ON marketing.bit_signals (company_id, signal_timestamp DESC);
-- What the surge view reads of ten million signals: the last fifteen weeks.
CREATE INDEX IF NOT EXISTS bit_signals_recent
ON marketing.bit_signals (signal_timestamp)
INCLUDE (company_id, signal_type, observed_at);

CREATE TABLE IF NOT EXISTS marketing.bit_results (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    bit_score double precision NOT NULL CHECK (bit_score BETWEEN 0 AND 1),
    bit_model_version text NOT NULL,
    last_signal_at timestamptz,
    calculated_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.bit_results IS
'BIT per company over time; the newest row counts. metadata.reasons: each signal''s share';
COMMENT ON COLUMN marketing.bit_results.id IS 'Breaks ties of calculated_at';
COMMENT ON COLUMN marketing.bit_results.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.bit_results.bit_score IS
'Buyer intent 0..1; 0 without signals. A new row only when it moved by more than scoring.yaml''s history_epsilon';
COMMENT ON COLUMN marketing.bit_results.bit_model_version IS 'Version and content hash of scoring.yaml';
COMMENT ON COLUMN marketing.bit_results.last_signal_at IS 'Newest signal that counted; NULL without any';
COMMENT ON COLUMN marketing.bit_results.calculated_at IS 'Moment the score is as of';
COMMENT ON COLUMN marketing.bit_results.metadata IS
'reasons: share of each signal type, adding up to the score; first_party: BIT of the company''s own actions alone';

CREATE INDEX IF NOT EXISTS bit_results_latest ON marketing.bit_results (company_id, calculated_at DESC, id DESC);

CREATE TABLE IF NOT EXISTS marketing.ple_results (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    ple_score double precision NOT NULL CHECK (ple_score BETWEEN 0 AND 1),
    ple_model_version text NOT NULL,
    method text NOT NULL DEFAULT 'rubric' CHECK (method IN ('rubric', 'logistic', 'boosting')),
    p_convert double precision CHECK (p_convert BETWEEN 0 AND 1),
    calculated_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE marketing.ple_results IS
'PLE per company over time; the newest row counts. metadata.reasons add up to the score';
COMMENT ON COLUMN marketing.ple_results.id IS 'Breaks ties of calculated_at';
COMMENT ON COLUMN marketing.ple_results.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.ple_results.ple_score IS
'Lead score 0..1, rubric points / 100; a new row only when it moved by more than scoring.yaml''s history_epsilon';
COMMENT ON COLUMN marketing.ple_results.ple_model_version IS
'rubric- and the version and content hash of scoring.yaml, such as rubric-1-3fa9c2d1';
COMMENT ON COLUMN marketing.ple_results.method IS
'What computed it: rubric (points); logistic and boosting are for learned models';
COMMENT ON COLUMN marketing.ple_results.p_convert IS 'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.ple_results.calculated_at IS 'Moment the score is as of';
COMMENT ON COLUMN marketing.ple_results.metadata IS 'reasons: share of each feature, adding up to the score';

CREATE INDEX IF NOT EXISTS ple_results_latest ON marketing.ple_results (company_id, calculated_at DESC, id DESC);

CREATE TABLE IF NOT EXISTS marketing.outcomes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    outcome_type text NOT NULL CHECK (
        outcome_type IN ('attempt', 'positive_reply', 'meeting', 'opportunity', 'won', 'declined', 'lost')
    ),
    lead_reference text,
    occurred_at timestamptz NOT NULL,
    observed_at timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL DEFAULT 'manual',
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT outcomes_once UNIQUE (source, external_id)
);
COMMENT ON TABLE marketing.outcomes IS
'What became of working on a company: attempts, and what followed. PLE learns from it';
COMMENT ON COLUMN marketing.outcomes.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.outcomes.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.outcomes.outcome_type IS 'attempt: work on the company began. The others followed';
COMMENT ON COLUMN marketing.outcomes.lead_reference IS
'Joins an attempt and what followed; NULL: all of the company''s';
COMMENT ON COLUMN marketing.outcomes.occurred_at IS 'When it happened';
COMMENT ON COLUMN marketing.outcomes.observed_at IS 'When we learned of it';
COMMENT ON COLUMN marketing.outcomes.source IS 'Who says so';
COMMENT ON COLUMN marketing.outcomes.external_id IS 'The source''s own number; the same one counts once';
COMMENT ON COLUMN marketing.outcomes.metadata IS 'Whatever else is known';

CREATE INDEX IF NOT EXISTS outcomes_attempts ON marketing.outcomes (occurred_at) WHERE outcome_type = 'attempt';
CREATE INDEX IF NOT EXISTS outcomes_company ON marketing.outcomes (company_id, occurred_at);

CREATE TABLE IF NOT EXISTS marketing.ple_training_examples (
    id bigint PRIMARY KEY,
    company_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE,
    as_of timestamptz NOT NULL,
    converted boolean NOT NULL,
    features jsonb NOT NULL,
    built_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE marketing.ple_training_examples IS
'The training set as last built: one row per attempt that is old enough to judge';
COMMENT ON COLUMN marketing.ple_training_examples.id IS 'The attempt in marketing.outcomes';
COMMENT ON COLUMN marketing.ple_training_examples.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.ple_training_examples.as_of IS 'Moment of the attempt; features are what was known then';
COMMENT ON COLUMN marketing.ple_training_examples.converted IS 'Whether a positive outcome followed within the horizon';
COMMENT ON COLUMN marketing.ple_training_examples.features IS
'{feature: number, word or null}; @feature: its share of the rubric';
COMMENT ON COLUMN marketing.ple_training_examples.built_at IS 'When the set was built';

CREATE TABLE IF NOT EXISTS marketing.ple_models (
    version text PRIMARY KEY,
    method text NOT NULL CHECK (method IN ('logistic', 'boosting')),
    status text NOT NULL CHECK (status IN ('champion', 'rejected', 'retired')),
    reason text NOT NULL,
    scorecard jsonb NOT NULL,
    report jsonb NOT NULL,
    card text NOT NULL,
    trained_at timestamptz NOT NULL DEFAULT now(),
    trained_until timestamptz NOT NULL,
    retired_at timestamptz
);
COMMENT ON TABLE marketing.ple_models IS
'Every PLE model that was trained, with its report; the champion scores. None: the rubric';
COMMENT ON COLUMN marketing.ple_models.version IS 'Method, date and hash of the scorecard';
COMMENT ON COLUMN marketing.ple_models.method IS 'How the points were learned';
COMMENT ON COLUMN marketing.ple_models.status IS 'champion: scores now; retired: did once; rejected: never';
COMMENT ON COLUMN marketing.ple_models.reason IS 'Why it was published or rejected';
COMMENT ON COLUMN marketing.ple_models.scorecard IS
'Points by feature and bin, calibration and ranks (docs/explanation/learning.md)';
COMMENT ON COLUMN marketing.ple_models.report IS 'Numbers of the model card';
COMMENT ON COLUMN marketing.ple_models.card IS 'Model card in Markdown';
COMMENT ON COLUMN marketing.ple_models.trained_at IS 'When';
COMMENT ON COLUMN marketing.ple_models.trained_until IS 'Newest attempt it has seen';
COMMENT ON COLUMN marketing.ple_models.retired_at IS 'When another model took its place';

CREATE UNIQUE INDEX IF NOT EXISTS ple_models_one_champion ON marketing.ple_models ((true)) WHERE status = 'champion';

CREATE TABLE IF NOT EXISTS marketing.companies_to_score (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_batch_id text NOT NULL,
    company_id text NOT NULL,
    taken boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE marketing.companies_to_score IS
'Companies with a signal that is not in their scores yet; a run takes them at bit_scores and removes them at '
'sniper_targets';
COMMENT ON COLUMN marketing.companies_to_score.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.companies_to_score.import_batch_id IS 'Batch whose run will score it';
COMMENT ON COLUMN marketing.companies_to_score.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.companies_to_score.taken IS 'Whether a run of the batch has come to it';

CREATE INDEX IF NOT EXISTS companies_to_score_batch ON marketing.companies_to_score (import_batch_id, taken);

CREATE TABLE IF NOT EXISTS marketing.sniper_targets (
    company_id text PRIMARY KEY REFERENCES marketing.company_master ON DELETE CASCADE,
    ple_score double precision NOT NULL,
    bit_intent_score double precision NOT NULL,
    reasons jsonb NOT NULL DEFAULT '[]',
    contacts_ready smallint NOT NULL DEFAULT 0,
    contacts_held smallint NOT NULL DEFAULT 0,
    rules_version text NOT NULL,
    ple_updated_at timestamptz,
    last_signal_at timestamptz,
    entered_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    p_convert double precision CHECK (p_convert BETWEEN 0 AND 1),
    previous_ple_score double precision,
    previous_bit_intent_score double precision,
    scores_changed_at timestamptz
);
COMMENT ON TABLE marketing.sniper_targets IS
'Companies on the list now: PLE or BIT above the cut (scoring.yaml); one row each';
COMMENT ON COLUMN marketing.sniper_targets.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.sniper_targets.ple_score IS 'Latest PLE 0..1; 0 when the company has none';
COMMENT ON COLUMN marketing.sniper_targets.bit_intent_score IS
'Latest BIT 0..1 (bit_results.bit_score); 0 when the company has none';
COMMENT ON COLUMN marketing.sniper_targets.reasons IS
'JSON list of phrases: first those of BIT, then those of PLE, each strongest first';
COMMENT ON COLUMN marketing.sniper_targets.contacts_ready IS
'Slot holders with a valid address that is no role account, 0 to 3';
COMMENT ON COLUMN marketing.sniper_targets.contacts_held IS
'Slot holders whose address is neither valid nor invalid (yet) and no role account, 0 to 3';
COMMENT ON COLUMN marketing.sniper_targets.rules_version IS
'Version and content hash of scoring.yaml that set the cuts';
COMMENT ON COLUMN marketing.sniper_targets.ple_updated_at IS
'Calculation of that PLE; NULL without one. Alone it does not change the row';
COMMENT ON COLUMN marketing.sniper_targets.last_signal_at IS 'Newest signal that counted for BIT; NULL without any';
COMMENT ON COLUMN marketing.sniper_targets.entered_at IS
'When the company came on the list; leaving and returning starts anew';
COMMENT ON COLUMN marketing.sniper_targets.updated_at IS 'Last change of scores, reasons or contacts';
COMMENT ON COLUMN marketing.sniper_targets.p_convert IS 'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.sniper_targets.previous_ple_score IS 'PLE before the last change';
COMMENT ON COLUMN marketing.sniper_targets.previous_bit_intent_score IS 'BIT before the last change';
COMMENT ON COLUMN marketing.sniper_targets.scores_changed_at IS 'When PLE or BIT last changed';
