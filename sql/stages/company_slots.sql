-- Three slots for every company of the batch; their IDs follow the company's.
INSERT INTO marketing.company_slots (company_slot_unique_id, company_unique_id, slot_type, slot_label)
SELECT
    '04.04.05' || substr(b.company_unique_id, 9, 9) || kind.version,
    b.company_unique_id,
    kind.slot_type,
    kind.slot_label
FROM marketing.company_batches b
CROSS JOIN (
    VALUES
    ('CEO', 'Chief Executive Officer', '.001'),
    ('CFO', 'Chief Financial Officer', '.002'),
    ('HR', 'HR Director', '.003')
) AS kind (slot_type, slot_label, version)
WHERE b.import_batch_id = %(batch)s
    AND NOT EXISTS (
        SELECT
        FROM marketing.company_slots s
        WHERE s.company_unique_id = b.company_unique_id AND s.slot_type = kind.slot_type
    )
ORDER BY b.company_unique_id, kind.version
ON CONFLICT (company_unique_id, slot_type) DO NOTHING;

-- What the stage reports.
SELECT
    count(DISTINCT s.company_unique_id) AS rows_in,
    count(*) AS rows_out,
    0 AS rows_rejected,
    count(*) FILTER (WHERE s.is_filled) AS slots_filled
FROM marketing.company_batches b
JOIN marketing.company_slots s USING (company_unique_id)
WHERE b.import_batch_id = %(batch)s;
