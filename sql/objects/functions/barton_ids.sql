-- 04.04.DD.SS.NNNNN.001: number 1 is 84.00001, number 100000 is 85.00001. Never truncates: past 99.99999 it refuses.
CREATE OR REPLACE FUNCTION marketing.barton_id(department text, number bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF number NOT BETWEEN 1 AND 1599984 THEN
        RAISE EXCEPTION 'Barton IDs of department % are exhausted or out of range: number %', department, number
            USING HINT = 'Numbers run from 1 to 1599984 (subsections 84 to 99 of 99999 each).',
                  ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN '04.04.' || department || '.' || (84 + (number - 1) / 99999)
           || '.' || lpad(((number - 1) % 99999 + 1)::text, 5, '0') || '.001';
END
$$;
COMMENT ON FUNCTION marketing.barton_id(text, bigint) IS
'The n-th ID of a department; raises when the grammar is exhausted';
REVOKE EXECUTE ON FUNCTION marketing.barton_id(text, bigint) FROM public;

CREATE OR REPLACE FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, VARIADIC identities text[])
RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce((SELECT barton_id
                     FROM marketing.known_ids JOIN unnest(identities) WITH ORDINALITY AS i (name, place) ON name = identity
                     WHERE entity = entity_ AND parent = parent_ ORDER BY place LIMIT 1),
                    CASE entity_ WHEN 'company' THEN marketing.barton_id('01', nextval('marketing.company_number'))
                                 ELSE marketing.barton_id('02', nextval('marketing.person_number')) END)
$$;
COMMENT ON FUNCTION marketing.known_or_new_id(text, text, text[]) IS
'The next free ID of a company or person, or in a replay the one it had under the first of the identities; the caller '
'holds the advisory lock barton.numbers, shared';
REVOKE EXECUTE ON FUNCTION marketing.known_or_new_id(text, text, text[]) FROM public;

-- A sequence does not roll back, and the ID grammar has 1.6 million numbers: a batch of a million companies whose
-- promotion failed twice would have used them up. Who draws numbers holds 'barton.numbers' shared until it commits;
-- when nobody does, all that was drawn and is in no history was never seen by anybody and is drawn again.
CREATE OR REPLACE FUNCTION marketing.give_back_numbers() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    drawn record;
    highest text;
    used bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('barton.numbers', 0)) THEN
        RETURN;
    END IF;
    FOR drawn IN
        SELECT '04.04.01.' AS prefix, '04.04.02.' AS beyond, 'marketing.company_number'::regclass AS numbers,
               CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last FROM marketing.company_number
        UNION ALL
        SELECT '04.04.02.', '04.04.03.', 'marketing.person_number',
               CASE WHEN is_called THEN last_value ELSE last_value - 1 END
        FROM marketing.person_number
    LOOP
        SELECT max(id) INTO highest FROM (
            SELECT max(barton_id) FROM marketing.barton_id_history
            WHERE barton_id >= drawn.prefix AND barton_id < drawn.beyond
            UNION ALL SELECT max(company_unique_id) FROM marketing.company_master WHERE drawn.prefix = '04.04.01.'
            UNION ALL SELECT max(person_unique_id) FROM marketing.people_master WHERE drawn.prefix = '04.04.02.'
        ) AS given (id);
        used := coalesce((substr(highest, 10, 2)::bigint - 84) * 99999 + substr(highest, 13, 5)::bigint, 0);
        IF used < drawn.last THEN
            PERFORM setval(drawn.numbers, greatest(used, 1), used > 0);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION marketing.give_back_numbers() IS
'Lets numbers that rolled-back work drew be drawn again, unless somebody is drawing';
REVOKE EXECUTE ON FUNCTION marketing.give_back_numbers() FROM public;
