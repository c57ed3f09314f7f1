-- Under which names a company is found on its domain. What is in it is computed when the functions have been applied
-- (marketing.rekey_companies), because it depends on the rules for names.
CREATE TABLE IF NOT EXISTS marketing.company_aliases (
    domain text NOT NULL,
    name_key text NOT NULL,
    company_unique_id text NOT NULL REFERENCES marketing.company_master ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (domain, name_key)
);
COMMENT ON TABLE marketing.company_aliases IS
'Under which names a company is found on its domain; written before the company, so that two batches that bring it '
'at the same moment in two spellings wait for each other';
COMMENT ON COLUMN marketing.company_aliases.domain IS 'Registrable domain';
COMMENT ON COLUMN marketing.company_aliases.name_key IS
'The name as intake.alias_key leaves it: spelt loosely, or all words behind = for a name that stands apart';
COMMENT ON COLUMN marketing.company_aliases.company_unique_id IS 'The company that is meant';
CREATE INDEX IF NOT EXISTS company_aliases_company ON marketing.company_aliases (company_unique_id);

-- People are recognised by their names as intake/names.py reads them: Jack Ma keeps his surname, John Smith Jr. is not
-- his father, Doe, Jane and Dr. Jane Doe are Jane Doe. Keys follow where nobody else at the company has the new one.
DO $$
BEGIN
    IF to_regprocedure('intake.words(text)') IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('barton.skip_update_events', 'on', true);
    UPDATE marketing.people_master p SET person_key = n.key
    FROM (
        SELECT DISTINCT ON (company_unique_id, key) person_unique_id, company_unique_id, key
        FROM (
            SELECT person_unique_id, company_unique_id, person_key,
                   CASE WHEN words = person_key || ' ' || last
                             AND (last IN ('jr', 'sr', 'ii', 'iii', 'iv')
                                  OR last IN ('ma', 'ba', 'pe', 'bs', 'ms') AND position(' ' IN person_key) = 0)
                        THEN words
                        WHEN full_name ~ '^[^,]+,[^,]+$' AND person_key = words
                             AND intake.words(split_part(full_name, ',', 2)) !~ '^(jr|sr|ii|iii|iv)$'
                        THEN intake.words(split_part(full_name, ',', 2) || ' ' || split_part(full_name, ',', 1))
                        ELSE regexp_replace(person_key, '^((dr|prof|mr|mrs|ms|miss|herr|frau) )+(?=.)', '') END AS key
            FROM (SELECT m.*, intake.words(full_name) AS words, split_part(intake.words(full_name), ' ', -1) AS last
                  FROM marketing.people_master m WHERE full_name IS NOT NULL) AS written
        ) AS read
        WHERE key <> person_key ORDER BY company_unique_id, key, person_unique_id
    ) AS n
    WHERE p.person_unique_id = n.person_unique_id
      AND NOT EXISTS (SELECT FROM marketing.people_master o
                      WHERE o.company_unique_id = n.company_unique_id AND o.person_key = n.key);
    PERFORM set_config('barton.skip_update_events', '', true);
END
$$;
