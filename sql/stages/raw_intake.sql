-- Takes stock of what the batch brought; writes nothing.
SELECT
    companies + people + signals + outcomes AS rows_in,
    companies + people + signals + outcomes AS rows_out,
    rejected AS rows_rejected,
    companies,
    people,
    signals,
    outcomes,
    files
FROM (SELECT count(*) AS companies FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s) c
CROSS JOIN (SELECT count(*) AS people FROM intake.people_raw_intake WHERE import_batch_id = %(batch)s) p
CROSS JOIN (SELECT count(*) AS signals FROM intake.signals_raw_intake WHERE import_batch_id = %(batch)s) s
CROSS JOIN (SELECT count(*) AS outcomes FROM intake.outcomes_raw_intake WHERE import_batch_id = %(batch)s) o
CROSS JOIN (
    SELECT
        count(*) AS files,
        coalesce(sum(rows_rejected), 0)::bigint AS rejected
    FROM intake.loaded_files
    WHERE import_batch_id = %(batch)s
) f;
