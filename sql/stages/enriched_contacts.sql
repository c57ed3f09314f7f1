-- Fills the slots of the batch's companies. pg_temp.title_slots says which slot a title qualifies for.
-- Companies that only this batch's people mention may come from other batches; all have their slots already.
-- The slots are locked first, in one order, so that two batches with the same company see each other's choice.
SELECT s.company_slot_unique_id FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id)
WHERE b.import_batch_id = %(batch)s ORDER BY 1 FOR NO KEY UPDATE OF s;

UPDATE marketing.people_master p
SET slot_type = t.slot_type, slot_confidence = t.confidence, slot_rule = t.rule
FROM marketing.company_batches b, pg_temp.title_slots t
WHERE b.import_batch_id = %(batch)s AND b.company_unique_id = p.company_unique_id AND t.title = p.title
  AND (p.slot_type, p.slot_confidence, p.slot_rule) IS DISTINCT FROM (t.slot_type, t.confidence, t.rule);

DROP TABLE IF EXISTS pg_temp.choices;
CREATE TEMP TABLE choices ON COMMIT DROP AS
WITH ranked AS (
    SELECT p.*, row_number() OVER (PARTITION BY p.company_unique_id, p.slot_type ORDER BY p.slot_confidence DESC,
               p.email IS NOT NULL DESC, p.linkedin_url IS NOT NULL DESC, p.person_unique_id) AS place
    FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
    WHERE b.import_batch_id = %(batch)s AND p.slot_type IS NOT NULL AND p.slot_confidence >= %(least_confidence)s
)
SELECT s.company_slot_unique_id, s.person_unique_id AS holder, s.fill_confidence, r.person_unique_id AS candidate,
       coalesce(r.place, 1) AS place, r.title, r.slot_confidence, r.slot_rule, r.source
FROM marketing.company_slots s
JOIN marketing.company_batches b USING (company_unique_id)
LEFT JOIN ranked r ON r.company_unique_id = s.company_unique_id AND r.slot_type = s.slot_type
WHERE b.import_batch_id = %(batch)s;

-- History first: it compares with the holders before this run.
INSERT INTO marketing.contact_enrichment (company_slot_unique_id, person_unique_id, outcome, title, confidence, rule, source, import_batch_id)
SELECT c.company_slot_unique_id, p.person_unique_id, 'replaced', p.title, coalesce(p.slot_confidence, 0),
       coalesce(p.slot_rule, 'no title'), p.source, %(batch)s
FROM pg_temp.choices c JOIN marketing.people_master p ON p.person_unique_id = c.holder
WHERE c.place = 1 AND c.holder IS DISTINCT FROM c.candidate;
INSERT INTO marketing.contact_enrichment (company_slot_unique_id, person_unique_id, outcome, title, confidence, rule, source, import_batch_id)
SELECT company_slot_unique_id, candidate, 'filled', title, slot_confidence, slot_rule, source, %(batch)s
FROM pg_temp.choices WHERE place = 1 AND candidate IS NOT NULL AND holder IS DISTINCT FROM candidate;
INSERT INTO marketing.contact_enrichment (company_slot_unique_id, person_unique_id, outcome, title, confidence, rule, source, import_batch_id)
SELECT c.company_slot_unique_id, c.candidate, 'runner_up', c.title, c.slot_confidence, c.slot_rule, c.source, %(batch)s
FROM pg_temp.choices c
WHERE c.place > 1 AND NOT EXISTS (
    SELECT FROM marketing.contact_enrichment e
    WHERE e.company_slot_unique_id = c.company_slot_unique_id AND e.person_unique_id = c.candidate AND e.outcome = 'runner_up'
      AND e.title IS NOT DISTINCT FROM c.title AND e.confidence = c.slot_confidence);

UPDATE marketing.company_slots s
SET person_unique_id = c.candidate, is_filled = c.candidate IS NOT NULL, fill_confidence = c.slot_confidence,
    filled_at = CASE WHEN c.candidate IS NULL THEN NULL WHEN c.candidate = c.holder THEN s.filled_at ELSE now() END
FROM pg_temp.choices c
WHERE c.place = 1 AND s.company_slot_unique_id = c.company_slot_unique_id
  AND (s.person_unique_id, s.fill_confidence) IS DISTINCT FROM (c.candidate, c.slot_confidence);

UPDATE marketing.people_master p
SET company_slot_unique_id = held.company_slot_unique_id
FROM (SELECT p.person_unique_id, s.company_slot_unique_id
      FROM marketing.people_master p JOIN marketing.company_batches b USING (company_unique_id)
      LEFT JOIN marketing.company_slots s ON s.person_unique_id = p.person_unique_id
      WHERE b.import_batch_id = %(batch)s) AS held
WHERE p.person_unique_id = held.person_unique_id
  AND p.company_slot_unique_id IS DISTINCT FROM held.company_slot_unique_id;

SELECT count(*) FILTER (WHERE s.is_filled) AS slots_filled, count(*) FILTER (WHERE NOT s.is_filled) AS slots_open
FROM marketing.company_slots s JOIN marketing.company_batches b USING (company_unique_id) WHERE b.import_batch_id = %(batch)s;
