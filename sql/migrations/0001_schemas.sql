-- The schemas.
CREATE SCHEMA IF NOT EXISTS intake;
COMMENT ON SCHEMA intake IS 'Rows exactly as they came from exports and SQL inserts, with their verdicts';
CREATE SCHEMA IF NOT EXISTS marketing;
COMMENT ON SCHEMA marketing IS 'Companies, slots, people, scores, targets, the event queue and its logs';
