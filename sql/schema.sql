-- The whole schema as pg_dump tells it, for reading: what the files of sql/install.sql make. Written by
-- python -m tools.schema, never by hand; barton migrate makes it.

CREATE SCHEMA intake;
COMMENT ON SCHEMA intake IS 'Rows exactly as they came from exports and SQL inserts, with their verdicts';

CREATE SCHEMA marketing;
COMMENT ON SCHEMA marketing IS 'Companies, slots, people, scores, targets, the event queue and its logs';

CREATE FUNCTION intake.alias_key(domain text, name text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce('=' || (SELECT a.name_words FROM intake.separate_names a
                            WHERE a.domain = alias_key.domain AND a.name_words = intake.words(name)),
                    intake.loose_name_key(name))
$$;
COMMENT ON FUNCTION intake.alias_key(domain text, name text) IS 'What a name is looked for by among the companies of a domain';

CREATE FUNCTION intake.company_name_key(name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    key text := intake.words(name);
BEGIN
    IF key = '' THEN
        RETURN lower(btrim(name));
    END IF;
    RETURN intake.without_legal_forms(CASE WHEN key LIKE 'the _%' THEN substr(key, 5) ELSE key END, name);
END
$$;
COMMENT ON FUNCTION intake.company_name_key(name text) IS 'Company name without case, accents, punctuation, leading The and legal form';

CREATE FUNCTION intake.domains_of_hosts(hosts text[]) RETURNS TABLE(host text, domain text, shared text, owners text[])
    LANGUAGE sql STABLE PARALLEL SAFE
    SET enable_nestloop TO 'off'
    AS $$
    WITH bare AS MATERIALIZED (
        SELECT given,
               CASE WHEN given LIKE 'www.%.%'
                         AND given NOT IN (SELECT s.suffix FROM intake.public_suffix s WHERE s.kind = 'exception')
                    THEN substr(given, 5) ELSE given END AS name
        FROM (SELECT DISTINCT g FROM unnest(hosts) AS g) AS distinct_hosts (given)
    ), registrable AS MATERIALIZED (
        SELECT r.host, r.domain
        FROM intake.registrable_domains(ARRAY(SELECT DISTINCT b.name FROM bare b)) AS r
    )
    SELECT b.given, coalesce(r.domain, whole.name), coalesce(whole.category, below.category),
           CASE WHEN whole.name IS NOT NULL THEN whole.owners ELSE below.owners END
    FROM bare b
    LEFT JOIN registrable r ON r.host = b.name
    LEFT JOIN intake.shared_domains whole ON whole.name = b.name
    LEFT JOIN intake.shared_domains below ON below.name = r.domain AND NOT below.host_only
    WHERE r.domain IS NOT NULL OR whole.name IS NOT NULL
$$;
COMMENT ON FUNCTION intake.domains_of_hosts(hosts text[]) IS 'Registrable domain of each host, and what kind of site it is when the domain is nobody''s own; no row for garbage';

CREATE FUNCTION intake.first_row() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(nullif(current_setting('barton.first_row', true), '')::bigint, 0)
$$;
COMMENT ON FUNCTION intake.first_row() IS 'Rows before this id are out of sight in this transaction';

CREATE FUNCTION intake.fold(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN octet_length(value) = length(value) THEN lower(value) ELSE
        intake.lower_letters(regexp_replace(regexp_replace(regexp_replace(translate(
            regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g'),
            'ØøŁłĐđÐðıÞþ', 'ooLldddditt'), '[ßẞ]', 'ss', 'g'), '[æÆ]', 'ae', 'g'), '[œŒ]', 'oe', 'g')) END
$$;
COMMENT ON FUNCTION intake.fold(value text) IS 'Lower case without accents';

CREATE FUNCTION intake.is_written_as_legal_form(written text, form text, kind text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
DECLARE
    letters text := '(' || array_to_string(string_to_array(replace(form, ' ', ''), NULL), '[./ ]*') || ')';
    found text[] := coalesce(regexp_match(written, '(,?)[\s(]*\m' || letters || '[.)\s]*$', 'i'),
                             regexp_match(written, '(,?)[\s(]*\m' || letters || '\M', 'i'));
BEGIN
    -- a letter with an accent: OÜ
    IF found IS NULL THEN
        RETURN kind = 'ambiguous';
    END IF;
    RETURN found[1] = ',' OR found[2] ~ '[./ ]' OR found[2] ~ '^[A-Z][a-z]+[A-Z]$'
           OR kind = 'ambiguous' AND found[2] !~ '^[A-Z][a-z]+$';
END
$_$;
COMMENT ON FUNCTION intake.is_written_as_legal_form(written text, form text, kind text) IS 'Whether the spelling of a name says that its last words are a legal form; kind is ambiguous or word';

CREATE FUNCTION intake.iso_timestamp(value text) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
    SELECT CASE
        WHEN value !~ '^\s*[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
                      '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?'
                      ' ?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?\s*$'
            OR btrim(value, E' \t\r\n') LIKE '0000%' THEN NULL
        WHEN substr(btrim(value, E' \t\r\n'), 9, 2)::integer > extract(day FROM make_date(
            left(btrim(value, E' \t\r\n'), 4)::integer, substr(btrim(value, E' \t\r\n'), 6, 2)::integer, 1)
            + interval '1 month - 1 day') THEN NULL
        WHEN value ~ '[Zz]\s*$' OR substr(btrim(value, E' \t\r\n'), 11) ~ '[+-]'
            THEN replace(btrim(value, E' \t\r\n'), ',', '.')::timestamptz
        ELSE (replace(btrim(value, E' \t\r\n'), ',', '.') || '+00')::timestamptz END
$_$;
COMMENT ON FUNCTION intake.iso_timestamp(value text) IS 'ISO 8601 date or timestamp, UTC unless it says otherwise; NULL for anything else';

CREATE FUNCTION intake.last_row() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(nullif(current_setting('barton.last_row', true), '')::bigint, 9223372036854775807)
$$;
COMMENT ON FUNCTION intake.last_row() IS 'Rows after this id are out of sight in this transaction';

CREATE FUNCTION intake.leading_legal_form(form text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN form = ANY (
            '{eurl, gmbh, oao, ooo, sarl, sasu, zao, ао, зао, ип, оао, ооо, пао, тов, тоо, чп, 유, 주, 有, 株}'
        ) THEN 'certain'
        WHEN form = ANY (
            '{ab, as, bv, cv, etablissements, ets, fa, firma, nv, ou, oy, pt, sa, sas, sc, sia, srl, too, uab}'
        ) THEN 'ambiguous'
    END
$$;
COMMENT ON FUNCTION intake.leading_legal_form(form text) IS 'Whether words are a legal form that stands before a name: certain or ambiguous; NULL when not';

CREATE FUNCTION intake.legal_form(form text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN form = ANY (
            '{ab, ab publ, abpubl, adsitz, ag i l, ag il, agil, akc spol, akcspol, aktiebolag, aktiengesellschaft,
            aktieselskab, amba, and co, andco, anonim sirketi, anonimsirketi, aps, as, asa, asoy,
            besloten vennootschap, beslotenvennootschap, bhd, bv, bvba, c por a, cia, cic, cie, cjsc, co, commv,
            compania, company, corp, corporation, cpora, cvba, cvoa, dno, doo, dooel, e kfm, e kfr, ead, ehf,
            eireli, eirl, ek, ekfm, ekfr, eood, eurl, fmba, fzco, fze, gbr, gesbr,
            gesellschaft mit beschrankter haftung, gesellschaftmitbeschrankterhaftung, gesmbh, ggmbh, gmbh,
            gmbh and co kg, gmbh i g, gmbh i l, gmbh ig, gmbh il, gmbhandcokg, gmbhig, gmbhil,
            haftungsbeschrankt, inc, incorporated, jdoo, jsc, kabushiki kaisha, kabushikikaisha, kft, kg, kgaa,
            lda, limited, limited liability company, limited sirketi, limitedliabilitycompany, limitedsirketi,
            llc, lllp, llp, lp, ltd, ltd sti, ltda, ltdsti, mbh, mbh and co kg, mbhandcokg, mchj, mepe, nv,
            nyrt, ohg, ojsc, ood, osakeyhtio, ovee, oy, oy ab, oyab, oyj, p ltd, partg, partgmbb, pjsc, plc,
            pllc, pltd, private limited, privatelimited, proprietary limited, proprietarylimited, pte, pte ltd,
            pteltd, pty, pty ltd, ptyltd, pvt, pvt ltd, pvtltd, s de rl, s de rl de cv, s en c, sa, sa de cv,
            sa rl, sadecv, sae, sagl, sal, saoc, saog, sapi, sapi de cv, sapidecv, sarl, sas, sasu, sau, sccl,
            sce i, scei, scpa, scra, scrl, sderl, sderldecv, sdn bhd, sdnbhd, senc, sgps, shpk, sia, sicav,
            slne, slu, smba, soccol, sociedad anonima, sociedad limitada, sociedadanonima, sociedadlimitada,
            societa per azioni, societaperazioni, societe anonyme, societe par actions simplifiee,
            societeanonyme, societeparactionssimplifiee, sp j, sp k, sp z oo, sp zoo, spj, spk, spol s ro,
            spol sro, spolka z oo, spolkazoo, spolsro, sprl, spzoo, srl, srls, sro, sti, tbk, uab, ug,
            ug haftungsbeschrankt, ughaftungsbeschrankt, ulc, ultd, unipessoal, unltd, vea obch spol,
            veaobchspol, vof, wll, yoaj, zrt, επε, ικε, ао, еад, еоод, зао, нао, оао, оод, ооо, пао, тов, тоо,
            בע מ, בעמ, 유, 주, 有, 株}'
        ) THEN 'certain'
        WHEN form = ANY (
            '{ad, ae, ag, ans, bt, cv, da, dd, eg, epe, ev, hb, hf, is, kb, kk, ks, oe, ou, rt, sac, sapa, sca,
            scs, se, sl, snc, αε, οε, ад}'
        ) THEN 'ambiguous'
        WHEN form = ANY (
            '{na, pa, pc, ps, sc, spa}'
        ) THEN 'word'
        WHEN form = ANY (
            '{a, anonima, anonyme, azioni, b, c, d, e, f, g, h, haftung, i, ig, il, j, k, kaisha, kfm, kfr, l,
            limitada, m, n, o, oo, p, publ, r, rl, ro, s, simplifiee, sirketi, spol, t, u, v, vennootschap, y,
            z, zoo, ε, в, д, о, מ, ᅮ, ᅲ}'
        ) THEN 'last word'
    END
$$;
COMMENT ON FUNCTION intake.legal_form(form text) IS 'Whether words are a legal form: certain, ambiguous, word (rather a word), or the last word of one; NULL when not';

CREATE FUNCTION intake.loose_name_key(name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    key text := coalesce(nullif(intake.words(regexp_replace(translate(name, '（）［］【】', '()[][]'), '[(\[][^][()]*[])]', ' ', 'g')), ''),
                         intake.words(name));
BEGIN
    IF key = '' THEN
        RETURN lower(btrim(name));
    END IF;
    key := intake.without_legal_forms(CASE WHEN key LIKE 'the _%' THEN substr(key, 5) ELSE key END, NULL);
    RETURN regexp_replace(key, '([aou])e|(a)a', '\1\2', 'g');
END
$$;
COMMENT ON FUNCTION intake.loose_name_key(name text) IS 'Company name as it is compared among the companies of one domain: also without what stands in brackets and legal forms that may be words, and with u for ue and ü';

CREATE FUNCTION intake.lower_letters(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN octet_length(value) = length(value) THEN lower(value) ELSE translate(
        lower(value COLLATE "C"),
        'ĦŊŒŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǤǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϏϘϚϜϞϠϢϤϦϨϪϬϮϷ'
        'ϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺ'
        'ӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳ'
        'ᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿς',
        'ħŋœŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǥƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏͱͳͷϳαβγδεζηθικλμνξοπρστυφχψωϗϙϛϝϟϡϣϥϧϩϫϭϯϸ'
        'ϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻ'
        'ӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆაბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰჱჲჳ'
        'ჴჵჶჷჸჹჺჽჾჿσ'
    ) END
$$;
COMMENT ON FUNCTION intake.lower_letters(value text) IS 'Small letters in Latin, Greek, Cyrillic, Armenian and Georgian, whatever the locale of the database';

CREATE FUNCTION intake.owns_domain(name_key text, domain text, owners text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(replace(name_key, ' ', '') = split_part(domain, '.', 1)
                    OR replace(name_key, ' ', '') = ANY (owners), false)
$$;
COMMENT ON FUNCTION intake.owns_domain(name_key text, domain text, owners text[]) IS 'Whether a company of this name key is a shared site''s own: Etsy on etsy.com';

CREATE FUNCTION intake.punycode_decode(label text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
DECLARE
    digits constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    delta_part text := split_part(label, '-', -1);
    output text := left(label, greatest(length(label) - length(split_part(label, '-', -1)) - 1, 0));
    code bigint := 128;
    place bigint := 0;
    bias integer := 72;
    position integer := 1;
    started bigint;
    weight bigint;
    threshold integer;
    digit integer;
    delta bigint;
    k integer;
BEGIN
    IF label !~ '^[a-z0-9-]{1,59}$' OR delta_part = '' THEN
        RETURN NULL;
    END IF;
    WHILE position <= length(delta_part) LOOP
        started := place;
        weight := 1;
        k := 36;
        LOOP
            IF position > length(delta_part) OR weight > 1e12 THEN
                RETURN NULL;
            END IF;
            digit := strpos(digits, substr(delta_part, position, 1)) - 1;
            position := position + 1;
            place := place + digit * weight;
            threshold := least(greatest(k - bias, 1), 26);
            EXIT WHEN digit < threshold;
            weight := weight * (36 - threshold);
            k := k + 36;
        END LOOP;
        delta := (place - started) / CASE WHEN started = 0 THEN 700 ELSE 2 END;
        delta := delta + delta / (length(output) + 1);
        k := 0;
        WHILE delta > 455 LOOP
            delta := delta / 35;
            k := k + 36;
        END LOOP;
        bias := k + 36 * delta / (delta + 38);
        code := code + place / (length(output) + 1);
        place := place % (length(output) + 1);
        IF code > 1114111 OR code BETWEEN 55296 AND 57343 THEN
            RETURN NULL;
        END IF;
        output := overlay(output PLACING chr(code::integer) FROM place::integer + 1 FOR 0);
        place := place + 1;
    END LOOP;
    RETURN output;
END
$_$;
COMMENT ON FUNCTION intake.punycode_decode(label text) IS 'A host label after xn--, decoded (RFC 3492); NULL when it is not Punycode';

CREATE FUNCTION intake.registrable_domains(hosts text[]) RETURNS TABLE(host text, domain text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET enable_nestloop TO 'off'
    AS $$
    WITH spelt AS MATERIALIZED (
        SELECT given, CASE WHEN octet_length(given) = length(given) AND given NOT LIKE '%xn--%' THEN given
                           ELSE intake.unicode_host(given) END AS name
        FROM unnest(hosts) AS given
    ), split AS MATERIALIZED (
        SELECT given, name, length(name) - length(replace(name, '.', '')) + 1 AS n, split_part(name, '.', -1) AS last1,
               split_part(name, '.', -2) || '.' || split_part(name, '.', -1) AS last2
        FROM spelt
        WHERE name <> '' AND name !~ '[\x01-\x2c\x2f\x3a-\x60\x7b-\x7f]' AND '.' || name || '.' !~ '\.\.|\.-|-\.'
              AND length(name) <= 253 AND (length(name) < 64 OR name !~ '[^.]{64}')
    ), suffixed AS (
        SELECT given, name, n, last2, coalesce(
            CASE 'exception' WHEN s6.kind THEN 5 WHEN s5.kind THEN 4 WHEN s4.kind THEN 3
                             WHEN s3.kind THEN 2 WHEN s2.kind THEN 1 END,
            greatest(CASE WHEN s6.kind = 'rule' THEN 6 WHEN s6.kind = 'wildcard' AND n > 6 THEN 7 END,
                     CASE WHEN s5.kind = 'rule' THEN 5 WHEN s5.kind = 'wildcard' AND n > 5 THEN 6 END,
                     CASE WHEN s4.kind = 'rule' THEN 4 WHEN s4.kind = 'wildcard' AND n > 4 THEN 5 END,
                     CASE WHEN s3.kind = 'rule' THEN 3 WHEN s3.kind = 'wildcard' AND n > 3 THEN 4 END,
                     CASE WHEN s2.kind = 'rule' THEN 2 WHEN s2.kind = 'wildcard' AND n > 2 THEN 3 END,
                     CASE WHEN s1.kind = 'rule' THEN 1 WHEN s1.kind = 'wildcard' AND n > 1 THEN 2 END)) AS suffix_length
        FROM split
        LEFT JOIN intake.public_suffix s1 ON s1.suffix = last1
        LEFT JOIN intake.public_suffix s2 ON s2.suffix = last2
        LEFT JOIN intake.public_suffix s3
               ON s3.suffix = CASE WHEN n >= 3 THEN split_part(name, '.', -3) || '.' || last2 END
        LEFT JOIN intake.public_suffix s4
               ON s4.suffix = CASE WHEN n >= 4 THEN array_to_string((string_to_array(name, '.'))[n - 3:], '.') END
        LEFT JOIN intake.public_suffix s5
               ON s5.suffix = CASE WHEN n >= 5 THEN array_to_string((string_to_array(name, '.'))[n - 4:], '.') END
        LEFT JOIN intake.public_suffix s6
               ON s6.suffix = CASE WHEN n >= 6 THEN array_to_string((string_to_array(name, '.'))[n - 5:], '.') END
    )
    SELECT given, CASE suffix_length WHEN 1 THEN last2
                       ELSE array_to_string((string_to_array(name, '.'))[n - suffix_length:], '.') END
    FROM suffixed WHERE n > suffix_length
$$;
COMMENT ON FUNCTION intake.registrable_domains(hosts text[]) IS 'Registrable domain of each host; no row for IP addresses, unknown suffixes and malformed names';

CREATE FUNCTION intake.reopen_edited_person() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    IF 'processing_failed' = ANY (OLD.outcome_reasons) THEN
        NEW.outcome := NULL;
        NEW.outcome_reasons := '{}';
        PERFORM intake.settle_set_aside('intake.people_raw_intake', OLD.id, OLD.import_batch_id);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intake.reopen_edited_person() IS 'Row trigger: an edited row that was set aside is tried again';

CREATE FUNCTION intake.reopen_edited_row() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    NEW.validated := NULL;
    NEW.validated_at := NULL;
    IF 'processing_failed' = ANY (OLD.validation_reasons) THEN
        NEW.validation_reasons := '{}';
        PERFORM intake.settle_set_aside('intake.company_raw_intake', OLD.id, OLD.import_batch_id);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intake.reopen_edited_row() IS 'Row trigger: an edited intake row has to be judged again';

CREATE FUNCTION intake.settle_set_aside(place text, row_id bigint, batch text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE marketing.pipeline_events SET status = 'processed', processed_at = now(), error_message = NULL
    WHERE status = 'failed' AND import_batch_id = batch AND first_record_id = row_id::text
      AND payload ->> 'set_aside' = place;
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = marketing.actor(), resolution_notes = 'the row was edited'
    WHERE NOT resolved AND event_type = 'row_set_aside' AND import_batch_id = batch AND record_id = row_id::text
      AND error_details ->> 'table' = place;
END
$$;
COMMENT ON FUNCTION intake.settle_set_aside(place text, row_id bigint, batch text) IS 'Ends the dead letter and the error of a row that was set aside';

CREATE FUNCTION intake.unescaped(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN value LIKE '%&%;%' THEN
        replace(replace(replace(regexp_replace(regexp_replace(value,
            '&(#0*39|#x27|apos|rsquo|#8217);', '''', 'gi'),
            '&(nbsp|#160);', ' ', 'gi'), '&quot;', '"'), '&#38;', '&'), '&amp;', '&')
        ELSE value END
$$;
COMMENT ON FUNCTION intake.unescaped(value text) IS 'Text without the HTML entities that names have';

CREATE FUNCTION intake.unicode_host(host text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN count(*) = count(label) THEN normalize(string_agg(label, '.' ORDER BY place), NFC) END
    FROM (SELECT place,
                 CASE WHEN label LIKE 'xn--%' THEN lower(intake.punycode_decode(substr(label, 5)))
                      ELSE label END AS label
          FROM string_to_table(host, '.') WITH ORDINALITY AS t (label, place)) AS labels
$$;
COMMENT ON FUNCTION intake.unicode_host(host text) IS 'The host with xn-- labels decoded, as the public suffix list spells them';

CREATE FUNCTION intake.website_host(website text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT rtrim(lower(CASE
        -- nearly all websites take one of the first two ways, which cost a quarter of the last
        WHEN website ~ '^https?://[A-Za-z0-9.-]+(/|$)' THEN split_part(website, '/', 3)
        WHEN website ~ '^[A-Za-z0-9.-]+(/|$)' THEN split_part(website, '/', 1)
        WHEN website ~* '^\s*(https?:)?//' OR website !~* '^\s*[a-z][a-z0-9+.-]*:[^0-9]' THEN
            substring(regexp_replace(website, '^\s*(https?:)?//', '', 'i')
                      FROM '^(?:[^/?#@\s]*@)?([^/?#:\s]+)(?::[0-9]*)?(?:[/?#].*)?\s*$') END), '.')
$_$;
COMMENT ON FUNCTION intake.website_host(website text) IS 'Host of an http(s) URL, scheme optional; NULL for other schemes and garbage';

CREATE FUNCTION intake.without_joined_legal_form(key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT coalesce(
        nullif(regexp_replace(key, '^(' || forms || ') ?| ?(' || forms || ')$', ''), ''),
        key
    )
    FROM (VALUES (normalize('股份有限公司|有限责任公司|株式会社|有限会社|合同会社|有限公司|주식회사|유한회사', NFKD))) AS f (forms)
$_$;
COMMENT ON FUNCTION intake.without_joined_legal_form(key text) IS 'A name key without a legal form of a script that puts no space between name and form';

CREATE FUNCTION intake.without_legal_forms(key text, written text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$
DECLARE
    form text;
    kind text;
BEGIN
    <<behind>>
    WHILE intake.legal_form(split_part(key, ' ', -1)) IS NOT NULL LOOP
        -- the longest form first; none has more than five words
        FOR n IN REVERSE 5..1 LOOP
            form := substring(key FROM ' ((?:[^ ]+ ){' || n - 1 || '}[^ ]+)$');
            CONTINUE WHEN form IS NULL;
            -- letters may be spelt out: L. L. C., Sp. z o. o.
            kind := intake.legal_form(CASE WHEN form ~ ' [^ ]$' THEN replace(form, ' ', '') ELSE form END);
            IF kind = 'certain' OR kind IN ('ambiguous', 'word')
               AND (written IS NULL OR intake.is_written_as_legal_form(written, form, kind)) THEN
                key := left(key, - length(form) - 1);
                -- what is left of "& Co." and "y Cía"
                IF form IN ('co', 'company', 'cie', 'cia', 'compania', 'kg', 'kgaa') THEN
                    key := regexp_replace(
                        key, CASE WHEN form IN ('cia', 'compania') THEN '(.) (and|y|e)$' ELSE '(.) (and|und|u|et)$' END, '\1'
                    );
                END IF;
                CONTINUE behind;
            END IF;
        END LOOP;
        EXIT;
    END LOOP;
    FOR n IN REVERSE 4..1 LOOP
        form := substring(key FROM '^((?:[^ ]+ ){' || n - 1 || '}[^ ]+) ');
        CONTINUE WHEN form IS NULL;
        kind := intake.leading_legal_form(CASE WHEN form ~ '^[^ ]( [^ ])+$' THEN replace(form, ' ', '') ELSE form END);
        IF kind = 'certain' OR kind = 'ambiguous' AND written IS NULL THEN
            key := substr(key, length(form) + 2);
            EXIT;
        END IF;
    END LOOP;
    RETURN CASE WHEN octet_length(key) = length(key) THEN key ELSE intake.without_joined_legal_form(key) END;
END
$_$;
COMMENT ON FUNCTION intake.without_legal_forms(key text, written text) IS 'The words of a name without legal forms before and behind it; never nothing';

CREATE FUNCTION intake.words(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT btrim(regexp_replace(replace(translate(intake.fold(intake.unescaped(value)),
        E'.''’‘`´״®™©\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f', ''), '&', ' and '),
        '[ !"#$%()*+,\-/:;<=>?@[\\\]^_{|}~\t\n\r\u00a0«»‹›„“”‟・、。「」『』《》\u2010-\u2014\u2022\u3000]+', ' ', 'g'))
$_$;
COMMENT ON FUNCTION intake.words(value text) IS 'Folded words separated by one space; apostrophes, full stops and what cannot be seen vanish, other punctuation separates';

CREATE FUNCTION marketing.actor() RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce(nullif(current_setting('barton.actor', true), ''), session_user::text)
$$;
COMMENT ON FUNCTION marketing.actor() IS 'Who acts in this transaction: the setting barton.actor, or else the database user of the session';

CREATE FUNCTION marketing.add_up_event_days() RETURNS bigint
    LANGUAGE sql
    AS $$
    WITH instalments AS (
        DELETE FROM marketing.event_days WHERE id IN (
            SELECT id FROM marketing.event_days ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING *
    ), days AS (
        INSERT INTO marketing.event_days (date, processed, seconds)
        SELECT date, sum(processed), sum(seconds) FROM instalments
        WHERE date > (now() AT TIME ZONE 'UTC')::date - 400 GROUP BY date RETURNING 1
    )
    SELECT (SELECT count(*) FROM instalments) - (SELECT count(*) FROM days)
$$;
COMMENT ON FUNCTION marketing.add_up_event_days() IS 'One row per day instead of many, and none older than 400 days; rows saved';

CREATE FUNCTION marketing.barton_id(department text, number bigint) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
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
COMMENT ON FUNCTION marketing.barton_id(department text, number bigint) IS 'The n-th ID of a department; raises when the grammar is exhausted';

CREATE FUNCTION marketing.begin_operation(action text, target text DEFAULT ''::text) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
DECLARE
    operation bigint;
BEGIN
    INSERT INTO marketing.operations (action, target, details)
    SELECT $1, $2, jsonb_build_object('since', least(now(), min(xact_start)) - interval '5 minutes')
    FROM pg_stat_activity
    RETURNING id INTO operation;
    PERFORM marketing.enforce_rollbacks();
    RETURN operation;
END
$_$;
COMMENT ON FUNCTION marketing.begin_operation(action text, target text) IS 'Puts a rollback in force and records it; fails when it is already';

CREATE FUNCTION marketing.catch_up(since timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    AS $$
    WITH changed AS (
        SELECT import_batch_id FROM intake.company_raw_intake WHERE updated_at >= since
        UNION SELECT import_batch_id FROM intake.people_raw_intake
              WHERE updated_at >= since AND vendor_call_id IS NULL
        UNION SELECT import_batch_id FROM intake.signals_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM intake.outcomes_raw_intake WHERE created_at >= since
        UNION SELECT import_batch_id FROM marketing.company_master WHERE updated_at >= since
        UNION SELECT c.import_batch_id
              FROM marketing.company_slots s JOIN marketing.company_master c USING (company_unique_id)
              WHERE s.updated_at >= since
        UNION SELECT c.import_batch_id FROM marketing.email_verification v JOIN marketing.people_master p USING (email)
              JOIN marketing.company_master c USING (company_unique_id) WHERE v.verified_at >= since
        UNION SELECT c.import_batch_id
              FROM marketing.bit_signals s JOIN marketing.company_master c ON c.company_unique_id = s.company_id
              WHERE s.observed_at >= since
        UNION SELECT import_batch_id FROM marketing.companies_to_score
    )
    SELECT count(marketing.notify_pipeline_event(
        'continue_at_raw_intake', '{"reason": "catching up"}', import_batch_id))
    FROM changed
$$;
COMMENT ON FUNCTION marketing.catch_up(since timestamp with time zone) IS 'Queues every batch with changes since then, seen or not; returns how many';

CREATE FUNCTION marketing.company_named(domain text, name_key text, alias text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce((SELECT c.company_unique_id FROM marketing.company_master c
                     WHERE c.domain = company_named.domain AND c.company_name_key = company_named.name_key),
                    (SELECT a.company_unique_id FROM marketing.company_aliases a
                     WHERE a.domain = company_named.domain AND a.name_key = company_named.alias))
$$;
COMMENT ON FUNCTION marketing.company_named(domain text, name_key text, alias text) IS 'The company of a domain that has the name: by intake.company_name_key, else by intake.alias_key; NULL when none has';

CREATE FUNCTION marketing.copy_column_comments(origin regclass, target regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    described record;
BEGIN
    FOR described IN
        SELECT t.attname AS name, col_description(o.attrelid, o.attnum) AS text
        FROM pg_attribute t JOIN pg_attribute o USING (attname)
        WHERE t.attrelid = target AND o.attrelid = origin AND o.attnum > 0 AND NOT o.attisdropped
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', target, described.name, described.text);
    END LOOP;
END
$$;
COMMENT ON FUNCTION marketing.copy_column_comments(origin regclass, target regclass) IS 'Gives the columns of the target the comments of the columns of the same name of the origin';

CREATE FUNCTION marketing.count_processed_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO marketing.event_days (date, processed, seconds)
    SELECT (n.created_at AT TIME ZONE 'UTC')::date, count(*), sum(extract(epoch FROM n.processed_at - n.created_at))
    FROM new_rows n JOIN old_rows o USING (id) WHERE n.status = 'processed' AND o.status <> 'processed' GROUP BY 1;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.count_processed_events() IS 'Trigger: adds the events that have just been processed to event_days';

CREATE FUNCTION marketing.empty_what_rows_told(company text, rows bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $_$
DECLARE
    emptied text;
BEGIN
    SELECT string_agg(DISTINCT format('%I = NULL', told.name), ', ') INTO emptied
    FROM intake.company_facts f
    CROSS JOIN jsonb_each_text(to_jsonb(f)) AS told (name, value)
    JOIN marketing.company_master c ON c.company_unique_id = company AND to_jsonb(c) ->> told.name = told.value
    WHERE f.intake_id = ANY (rows) AND told.name = ANY (marketing.told_columns());
    IF emptied IS NOT NULL THEN
        EXECUTE format('UPDATE marketing.company_master SET %s WHERE company_unique_id = $1', emptied) USING company;
    END IF;
END
$_$;
COMMENT ON FUNCTION marketing.empty_what_rows_told(company text, rows bigint[]) IS 'Empties the columns of a company whose value one of these intake rows told';

CREATE FUNCTION marketing.end_operation(action text, target text DEFAULT ''::text) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
DECLARE
    since timestamptz;
BEGIN
    UPDATE marketing.operations o SET ended_at = now(), ended_by = marketing.actor()
    WHERE o.action = end_operation.action AND o.target = end_operation.target AND o.ended_at IS NULL
    RETURNING (o.details ->> 'since')::timestamptz INTO since;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Rollback % % is not in force', action, target USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM marketing.enforce_rollbacks();
    RETURN since;
END
$$;
COMMENT ON FUNCTION marketing.end_operation(action text, target text) IS 'Records that a rollback was reversed; the others stay in force. Returns from when changes have to be caught up';

CREATE FUNCTION marketing.enforce_rollbacks() RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    event_trigger record;
BEGIN
    IF EXISTS (SELECT FROM marketing.operations WHERE action = 'silence' AND ended_at IS NULL)
       AND EXISTS (SELECT FROM pg_proc
                   WHERE oid = 'marketing.wake_listeners'::regproc AND prosrc LIKE '%pg_notify%') THEN
        CREATE OR REPLACE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS 'BEGIN NULL; END';
    END IF;
    FOR event_trigger IN
        SELECT t.tgrelid::regclass AS place, t.tgname AS name, bool_or(o.action = 'trigger') AS dropped
        FROM pg_trigger t
        JOIN marketing.operations o
          ON o.action = 'trigger' AND o.target = t.tgname OR o.action = 'pause' AND t.tgenabled <> 'D'
        WHERE t.tgfoid = 'marketing.raise_events'::regproc AND o.ended_at IS NULL
        GROUP BY t.tgrelid, t.tgname
        ORDER BY min(t.oid)
    LOOP
        IF event_trigger.dropped THEN
            EXECUTE format('DROP TRIGGER %I ON %s', event_trigger.name, event_trigger.place);
        ELSE
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', event_trigger.place, event_trigger.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION marketing.enforce_rollbacks() IS 'Silences, drops and disables what marketing.operations says is silenced, dropped and paused; needs the owner';

CREATE FUNCTION marketing.error_fingerprint(message text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
DECLARE
    cause text COLLATE "C" := message;  -- the same characters count as letters and blanks in every database
BEGIN
    -- quoted text; an apostrophe inside a word opens and closes nothing. Values as Postgres tells them: Key (domain)=(acme.com)
    cause := regexp_replace(cause, $re$"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`|(?<![[:alnum:]])'([^']|'(?=[[:alnum:]]))*'(?![[:alnum:]])|=\((\([^()]*\)|[^)])*\)$re$, '#', 'g');
    -- addresses, URLs and paths
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;:"'=|]+@[^[:space:]<>(){},;:"'=|]+$re$, '#', 'g');
    cause := regexp_replace(cause, $re$[^[:space:]<>(){},;"'=|]*[/\\][^[:space:]<>(){},;"'=|]*$re$, '#', 'g');
    -- a batch key may be a plain word: known by what stands before it
    cause := regexp_replace(cause, '(\m[Bb]atch(?:es)?|\mbarton (?:retry|run|status|undo|plan|backfill)|--batch) +[A-Za-z0-9][A-Za-z0-9._-]*', '\1 #', 'g');
    -- everything with a digit in it: numbers, moments, Barton IDs, UUIDs, batch keys; punctuation other than . _ - ends it
    cause := regexp_replace(cause, '[^[:space:]!-,/:-@[-^`{-~]*[0-9][^[:space:]!-,/:-@[-^`{-~]*', '#', 'g');
    -- a list of such things is one of them
    cause := regexp_replace(cause, '#([[:space:],:;+/-]*#)+', '#', 'g');
    cause := btrim(regexp_replace(cause, '[[:space:]]+', ' ', 'g'));
    RETURN left(encode(sha256(convert_to(cause, 'UTF8')), 'hex'), 12);
END
$_$;
COMMENT ON FUNCTION marketing.error_fingerprint(message text) IS 'The cause of an error as 12 hexadecimal digits: the same for messages that differ only in numbers, IDs, batch keys, quoted text, addresses and paths';

CREATE FUNCTION marketing.events_of_error(details jsonb, batch text) RETURNS SETOF bigint
    LANGUAGE sql STABLE
    AS $_$
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.id IN (
        SELECT jsonb_path_query(details, '$.event_id ? (@.type() == "number")')::bigint
        UNION SELECT jsonb_path_query(details, '$.event_ids[*] ? (@.type() == "number")')::bigint)
    UNION
    SELECT e.id FROM marketing.pipeline_events e
    WHERE e.status = 'failed' AND e.import_batch_id = batch AND jsonb_path_exists(details, '$ ? (@.events > @.event_ids.size())')
$_$;
COMMENT ON FUNCTION marketing.events_of_error(details jsonb, batch text) IS 'The dead letters that an error tells of, by its details and batch; all of the batch when it tells of more than it lists';

CREATE FUNCTION marketing.fill_company_gaps(companies text[], rows bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
DECLARE
    n bigint;
BEGIN
    EXECUTE (
        SELECT format(
            'WITH told AS (
                SELECT m.company_unique_id, %s
                FROM unnest($1, $2) WITH ORDINALITY AS m (company_unique_id, intake_id, place)
                JOIN intake.company_facts f USING (intake_id)
                GROUP BY m.company_unique_id
            ), gaps AS (
                SELECT t.* FROM marketing.company_master c JOIN told t USING (company_unique_id)
                WHERE %s
                ORDER BY c.company_unique_id FOR NO KEY UPDATE OF c
            )
            UPDATE marketing.company_master c SET %s FROM gaps t WHERE c.company_unique_id = t.company_unique_id',
            string_agg(format('(array_agg(f.%1$I ORDER BY m.place) FILTER (WHERE f.%1$I IS NOT NULL))[1] AS %1$I',
                              name), ', '),
            string_agg(format('c.%1$I IS NULL AND t.%1$I IS NOT NULL', name), ' OR '),
            string_agg(format('%1$I = coalesce(c.%1$I, t.%1$I)', name), ', '))
        FROM unnest(marketing.told_columns()) AS name
    ) USING companies, rows;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$_$;
COMMENT ON FUNCTION marketing.fill_company_gaps(companies text[], rows bigint[]) IS 'Fills empty columns of companies from intake rows, never overwrites; returns how many companies changed';

CREATE FUNCTION marketing.forget_person(wanted text, reason text) RETURNS TABLE(place text, n bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    hashes text[];
    people text[];
    addresses text[];
    domains text[];
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS forgotten_people
        (person_unique_id text, email text, linkedin_url text, full_name text, domain text) ON COMMIT DROP;
    TRUNCATE forgotten_people;
    INSERT INTO forgotten_people
    SELECT p.person_unique_id, p.email, p.linkedin_url, p.full_name, c.domain
    FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
    WHERE p.person_unique_id = wanted OR lower(p.email) = lower(btrim(wanted))
       OR marketing.plain_address(p.email) = marketing.plain_address(wanted)
       OR marketing.person_hashes(NULL, p.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    INSERT INTO forgotten_people
    SELECT NULL, r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
    FROM intake.people_raw_intake r
    WHERE lower(btrim(r.email)) = lower(btrim(wanted))
       OR marketing.plain_address(r.email) = marketing.plain_address(wanted)
       OR marketing.person_hashes(NULL, r.linkedin_url, NULL, NULL) = marketing.person_hashes(NULL, wanted, NULL, NULL);
    hashes := ARRAY(SELECT DISTINCT h
                    FROM forgotten_people f,
                         unnest(marketing.kept_hashes(f.email, f.linkedin_url, f.full_name, f.domain)) AS h
                    UNION
                    SELECT unnest(marketing.kept_hashes(
                        CASE WHEN wanted LIKE '%@%' THEN wanted END, wanted, NULL, NULL)));
    IF cardinality(hashes) = 0 THEN
        RAISE EXCEPTION 'Nobody is known as %', wanted
            USING HINT = 'Give a person ID, an address, or the URL of a LinkedIn profile.', ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO marketing.suppressed_people (identity_hash, reason)
    SELECT unnest(hashes), forget_person.reason ON CONFLICT DO NOTHING;

    -- everybody who is recognised by one of the hashes: the same person at another company too
    people := ARRAY(SELECT p.person_unique_id
                    FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                    WHERE marketing.person_hashes(p.email, p.linkedin_url, p.full_name, c.domain) && hashes);
    addresses := ARRAY(SELECT lower(btrim(wanted)) WHERE wanted LIKE '%@%'
                       UNION SELECT lower(email) FROM forgotten_people WHERE email IS NOT NULL
                       UNION SELECT v.input_key FROM marketing.vendor_calls v
                       WHERE v.input ->> 'guessed_for' = ANY (people)
                       UNION SELECT p.provenance #>> '{email,replaces}' FROM marketing.people_master p
                       WHERE p.person_unique_id = ANY (people) AND p.provenance #>> '{email,replaces}' IS NOT NULL);
    domains := ARRAY(SELECT DISTINCT c.domain
                     FROM marketing.people_master p JOIN marketing.company_master c USING (company_unique_id)
                     WHERE p.person_unique_id = ANY (people)
                     UNION SELECT f.domain FROM forgotten_people f WHERE f.domain IS NOT NULL);

    DELETE FROM intake.people_raw_intake r
    WHERE marketing.person_hashes(
              r.email, r.linkedin_url, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), r.domain
          ) && hashes
       -- a row that names the company instead of its domain
       OR EXISTS (SELECT FROM marketing.company_master c
                  WHERE c.company_name_key = r.company_name_key AND c.domain = ANY (domains)
                    AND marketing.person_hashes(
                            NULL, NULL, coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)), c.domain
                        ) && hashes);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'intake rows';
    RETURN NEXT;
    UPDATE marketing.company_slots
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL, search_state = 'vacant'
    WHERE person_unique_id = ANY (people);
    UPDATE marketing.messages_outbound
    SET person_unique_id = NULL, recipient = 'forgotten', subject = NULL, metadata = '{}'
    WHERE person_unique_id = ANY (people) OR lower(recipient) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'messages made anonymous';
    RETURN NEXT;
    UPDATE marketing.bit_signals SET metadata = metadata - 'person_unique_id' - 'title'
    WHERE metadata ->> 'person_unique_id' = ANY (people);
    DELETE FROM marketing.people_master WHERE person_unique_id = ANY (people);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people';
    RETURN NEXT;
    DELETE FROM marketing.email_verification WHERE lower(email) = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'addresses';
    RETURN NEXT;
    UPDATE marketing.vendor_requests q SET response = '{}'
    FROM marketing.vendor_calls v
    WHERE v.request_id = q.id AND v.operation = 'verify_email' AND v.input_key = ANY (addresses);
    UPDATE marketing.vendor_calls
    SET input_key = 'forgotten:' || encode(sha256(convert_to('email:' || lower(btrim(input_key)), 'UTF8')), 'hex'),
        input = '{}',
        response = CASE WHEN response IS NOT NULL THEN jsonb_build_object('result', response -> 'result') END
    WHERE operation = 'verify_email' AND input_key = ANY (addresses);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'paid verifications made anonymous';
    RETURN NEXT;
    n := marketing.scrub_answers(domains);
    place := 'paid answers scrubbed';
    RETURN NEXT;
    UPDATE marketing.pipeline_events SET first_record_id = 'forgotten', last_record_id = 'forgotten',
        payload = payload || '{"record_id": "forgotten"}'
    WHERE event_type IN ('email_verified', 'email_failed') AND lower(first_record_id) = ANY (addresses);
    UPDATE marketing.pipeline_errors SET error_message = 'removed on request', error_details = '{}', record_id = NULL
    WHERE lower(record_id) = ANY (addresses)
       OR EXISTS (SELECT FROM unnest(addresses) AS a
                  WHERE position(a IN lower(error_message || error_details::text)) > 0);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'error messages removed';
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION marketing.forget_person(wanted text, reason text) IS 'Deletes what is known of a person everywhere and keeps hashes that stop a return; what was changed where';

CREATE FUNCTION marketing.give_back_numbers() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
COMMENT ON FUNCTION marketing.give_back_numbers() IS 'Lets numbers that rolled-back work drew be drawn again, unless somebody is drawing';

CREATE FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN k = 0 THEN ys[1] WHEN k >= cardinality(xs) THEN ys[cardinality(ys)]
                ELSE ys[k] + (ys[k + 1] - ys[k]) * (x - xs[k]) / (xs[k + 1] - xs[k]) END
    FROM (SELECT width_bucket(x, xs) AS k) AS found
$$;
COMMENT ON FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[]) IS 'y at x on the line through the points (xs, ys)';

CREATE FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (SELECT FROM marketing.suppressed_people s
                   WHERE s.identity_hash = ANY (marketing.person_hashes(email, linkedin_url, full_name, domain)))
$$;
COMMENT ON FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text) IS 'Whether the person asked to be forgotten';

CREATE FUNCTION marketing.kept_hashes(email text, linkedin_url text, full_name text, domain text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex'))
    FROM (SELECT marketing.plain_name(full_name) AS name) AS plain,
         LATERAL (SELECT regexp_replace(name, '^(\S)\S* ', '\1 ') AS short) AS initials,
         LATERAL (VALUES
             ('email:' || lower(btrim(email))),
             ('email:' || marketing.plain_address(email)),
             ('linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
             ('name:' || nullif(intake.words(full_name), '') || '@' || lower(domain)),
             ('name:' || name || '@' || lower(domain)),
             (CASE WHEN short LIKE '_ %' AND short <> name THEN 'initial:' || short || '@' || lower(domain) END)
         ) AS given (identity)
    WHERE identity IS NOT NULL
$$;
COMMENT ON FUNCTION marketing.kept_hashes(email text, linkedin_url text, full_name text, domain text) IS 'SHA-256 of what is kept of a forgotten person: address, profile, name and company domain; NULL without any';

CREATE FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, VARIADIC identities text[]) RETURNS text
    LANGUAGE sql
    AS $$
    SELECT coalesce((SELECT barton_id
                     FROM marketing.known_ids JOIN unnest(identities) WITH ORDINALITY AS i (name, place) ON name = identity
                     WHERE entity = entity_ AND parent = parent_ ORDER BY place LIMIT 1),
                    CASE entity_ WHEN 'company' THEN marketing.barton_id('01', nextval('marketing.company_number'))
                                 ELSE marketing.barton_id('02', nextval('marketing.person_number')) END)
$$;
COMMENT ON FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, VARIADIC identities text[]) IS 'The next free ID of a company or person, or in a replay the one it had under the first of the identities; the caller holds the advisory lock barton.numbers, shared';

CREATE FUNCTION marketing.linkedin_slug(url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT lower((regexp_match(url, 'linkedin\.com/(?:company|school|showcase)/([^/?#\s]+)', 'i'))[1])
$$;
COMMENT ON FUNCTION marketing.linkedin_slug(url text) IS 'acme-corp of https://www.linkedin.com/company/acme-corp/; NULL for anything else';

CREATE FUNCTION marketing.log_pipeline_error(event_type text, record_id text, error_message text, error_details jsonb DEFAULT '{}'::jsonb, severity text DEFAULT 'error'::text, import_batch_id text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE sql
    AS $_$
    INSERT INTO marketing.pipeline_errors
        (event_type, record_id, error_message, error_details, severity, import_batch_id)
    VALUES ($1, $2, $3, coalesce($4, '{}'), $5, coalesce($6, $4->>'import_batch_id'))
    RETURNING id
$_$;
COMMENT ON FUNCTION marketing.log_pipeline_error(event_type text, record_id text, error_message text, error_details jsonb, severity text, import_batch_id text) IS 'Adds to the error log; returns the id';

CREATE FUNCTION marketing.mark_event_failed(event_id bigint, message text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    event marketing.pipeline_events;
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'failed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = message
    WHERE id = event_id AND status IN ('pending', 'processing')
    RETURNING * INTO event;
    IF event.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM marketing.log_pipeline_error(event.event_type, event.first_record_id, message,
        jsonb_build_object('event_id', event.id, 'attempts', event.attempts), 'error', event.import_batch_id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_failed(event_id bigint, message text) IS 'Dead-letters an open event and logs the error';

CREATE FUNCTION marketing.mark_event_processed(event_id bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE marketing.pipeline_events
    SET status = 'processed', processed_at = now(), lease_token = NULL, lease_until = NULL, error_message = NULL
    WHERE id = event_id AND status IN ('pending', 'processing');
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.mark_event_processed(event_id bigint) IS 'Ends an open event as processed; false when it was not open';

CREATE FUNCTION marketing.match_companies(domains text[], names text[]) RETURNS TABLE(domain text, name text, name_key text, company_unique_id text, rule text)
    LANGUAGE sql STABLE
    AS $$
    WITH given AS MATERIALIZED (
        SELECT DISTINCT d AS domain, n AS name FROM unnest(domains, names) AS pair (d, n)
    ), keyed AS MATERIALIZED (
        SELECT g.*, coalesce(
                   CASE WHEN g.domain IN (SELECT s.domain FROM intake.separate_names s) THEN
                       (SELECT apart.name_words FROM intake.separate_names apart
                        WHERE apart.domain = g.domain AND apart.name_words = intake.words(g.name)) END,
                   intake.company_name_key(g.name)) AS name_key,
               CASE WHEN g.domain IS NOT NULL THEN intake.alias_key(g.domain, g.name) END AS alias
        FROM given g
    ), by_domain AS (
        SELECT c.domain, count(*) AS companies, min(c.company_unique_id) AS company_unique_id
        FROM marketing.company_master c
        WHERE c.domain IN (SELECT k.domain FROM keyed k) GROUP BY c.domain
    ), by_name AS (
        SELECT c.company_name_key, count(*) AS companies, min(c.company_unique_id) AS company_unique_id
        FROM marketing.company_master c
        WHERE c.company_name_key IN (SELECT k.name_key FROM keyed k) GROUP BY c.company_name_key
    )
    SELECT k.domain, k.name, k.name_key,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN exact.company_unique_id
                WHEN n.companies = 1 THEN n.company_unique_id
                WHEN d.companies = 1 AND n.companies IS NULL THEN d.company_unique_id END,
           CASE WHEN exact.company_unique_id IS NOT NULL THEN 'by_domain_and_name'
                WHEN n.companies = 1 THEN 'by_name' WHEN n.companies > 1 THEN 'name_shared_by_companies'
                WHEN d.companies = 1 THEN 'by_domain' WHEN d.companies > 1 THEN 'domain_shared_by_companies'
                ELSE 'no_such_company' END
    FROM keyed k
    LEFT JOIN LATERAL (SELECT marketing.company_named(k.domain, k.name_key, k.alias) AS company_unique_id) exact ON true
    LEFT JOIN by_domain d ON d.domain = k.domain
    LEFT JOIN by_name n ON n.company_name_key = k.name_key AND (k.domain IS NULL OR d.companies > 0)
$$;
COMMENT ON FUNCTION marketing.match_companies(domains text[], names text[]) IS 'The company each pair of registrable domain (or NULL) and written name means, and by which rule; parallel arrays';

CREATE FUNCTION marketing.name_core(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT btrim(regexp_replace(regexp_replace(intake.words(name),
        '^((dr|prof|professor|mr|mrs|ms|miss|mx|sir|dame|rev|reverend|hon|herr|frau|ing|dipl|mag|dott|dra|sra|eng) )+',
        ''),
        '( |^)(phd|md|mba|emba|cpa|cfa|cfp|cma|pharmd|esq|jd|llm|dds|dmd|rn|pe|pmp|phr|sphr|shrm cp|shrm scp|cebs'
        '|ms|msc|bsc|bs|he him|she her|they them)(?= |$)', '', 'g'))
$_$;
COMMENT ON FUNCTION marketing.name_core(name text) IS 'The words of a name without titles before it and degrees after it';

CREATE FUNCTION marketing.note_companies_to_score() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF current_setting('barton.replay', true) IS DISTINCT FROM 'on' THEN
        INSERT INTO marketing.companies_to_score (import_batch_id, company_id)
        SELECT DISTINCT coalesce(nullif(current_setting('barton.import_batch_id', true), ''), c.import_batch_id),
               n.company_id
        FROM new_rows n JOIN marketing.company_master c ON c.company_unique_id = n.company_id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.note_companies_to_score() IS 'Trigger: a new signal makes its company''s scores stale';

CREATE FUNCTION marketing.notify_pipeline_event(event_type text, payload jsonb DEFAULT '{}'::jsonb, import_batch_id text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    batch text := coalesce(import_batch_id, payload->>'import_batch_id');
    event_id bigint;
BEGIN
    INSERT INTO marketing.pipeline_events
        (event_type, payload, import_batch_id, first_record_id, last_record_id, raised_by)
    VALUES (event_type, coalesce(payload, '{}'), batch, payload->>'record_id', payload->>'record_id',
            nullif(current_setting('barton.lease_token', true), '')::uuid)
    RETURNING id INTO event_id;
    PERFORM marketing.wake_listeners(event_type, batch, 1);
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION marketing.notify_pipeline_event(event_type text, payload jsonb, import_batch_id text) IS 'Queues one event by hand; returns its id';

CREATE FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT array_agg(encode(sha256(convert_to(identity, 'UTF8')), 'hex')) FROM (
        SELECT DISTINCT ON (identity) place, identity
        FROM (SELECT marketing.plain_name(full_name) AS name) AS plain,
             LATERAL (SELECT regexp_replace(name, '^(.*) (\S+)$', '\2 \1') AS turned,
                             regexp_replace(name, '^(\S)\S* ', '\1 ') AS short) AS orders,
             LATERAL (VALUES
                 (1, 'email:' || lower(btrim(email))),
                 (2, 'email:' || marketing.plain_address(email)),
                 (3, 'linkedin:' || lower((regexp_match(linkedin_url, 'linkedin\.com/in/([^/?#\s]+)', 'i'))[1])),
                 (4, 'name:' || nullif(intake.words(full_name), '') || '@' || lower(domain)),
                 (5, 'name:' || name || '@' || lower(domain)),
                 (6, 'name:' || turned || '@' || lower(domain)),
                 (7, CASE WHEN short LIKE '_ %' AND short <> name THEN 'name:' || short || '@' || lower(domain) END),
                 (8, CASE WHEN short LIKE '_ %' AND short = name THEN 'initial:' || short || '@' || lower(domain) END)
             ) AS given (place, identity)
        WHERE identity IS NOT NULL ORDER BY identity, place) AS identities
$_$;
COMMENT ON FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text) IS 'SHA-256 of every spelling by which a person is asked for: address, profile, name and company domain; NULL without any';

CREATE FUNCTION marketing.plain_address(email text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT CASE WHEN domain IN ('gmail.com', 'googlemail.com') THEN replace(local, '.', '') || '@gmail.com'
                WHEN domain IN ('proton.me', 'protonmail.com', 'pm.me') THEN translate(local, '._-', '') || '@proton.me'
                ELSE local || '@' || domain END
    FROM (SELECT CASE WHEN split_part(split_part(address, '@', 1), '+', 1) = '' THEN split_part(address, '@', 1)
                      ELSE split_part(split_part(address, '@', 1), '+', 1) END AS local,
                 rtrim(split_part(address, '@', 2), '.') AS domain
          FROM (SELECT split_part(regexp_replace(
                           btrim(lower(coalesce(substring(email FROM '<\s*([^<>]+@[^<>]+)>'), email)),
                                 E' \t\r\n\u00a0\u200b\ufeff\'"`<>()[];,'),
                           '^mailto:\s*', ''), '?', 1) AS address) AS unwrapped
          WHERE address ~ '^[^@]+@[^@]+$') AS parts
$_$;
COMMENT ON FUNCTION marketing.plain_address(email text) IS 'An address as suppression compares it: unwrapped, lower case, no +tag; NULL when it is none';

CREATE FUNCTION marketing.plain_name(full_name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    SELECT nullif(regexp_replace(regexp_replace(regexp_replace(
               marketing.name_core(CASE
                   WHEN full_name LIKE '%,%' AND marketing.name_core(substr(full_name, strpos(full_name, ',') + 1)) <>
                        ''
                       AND intake.words(substr(full_name, strpos(full_name, ',') + 1)) !~ '^(jr|sr|ii|iii|iv)$'
                       THEN split_part(full_name, ',', 2) || ' ' || split_part(full_name, ',', 1) || ' '
                            || substr(full_name, strpos(full_name, ',') + 1 + length(split_part(full_name, ',', 2)))
                   ELSE full_name END),
               '(?<=. )([a-z] )+(?=.)', '', 'g'), '\s+', ' ', 'g'), '^ | $', '', 'g'), '')
$_$;
COMMENT ON FUNCTION marketing.plain_name(full_name text) IS 'A name as suppression compares it: given name first, no titles, degrees and middle initials; NULL without a name';

CREATE FUNCTION marketing.purge_errors(before timestamp with time zone, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM marketing.pipeline_errors WHERE id = ANY (ARRAY(
        SELECT id FROM marketing.pipeline_errors WHERE created_at < before AND resolved AND resolved_at < before
        ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION marketing.purge_errors(before timestamp with time zone, at_most integer) IS 'Deletes up to so many errors that were resolved before then; how many';

CREATE FUNCTION marketing.purge_events(before timestamp with time zone, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM marketing.pipeline_events WHERE id = ANY (ARRAY(
        SELECT id FROM marketing.pipeline_events
        -- nothing ends before it begins, so the index on created_at finds it
        WHERE created_at < before AND status = 'processed' AND processed_at < before
        ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION marketing.purge_events(before timestamp with time zone, at_most integer) IS 'Deletes up to so many events that were processed before then; how many';

CREATE FUNCTION marketing.raise_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    rows_in_statement bigint;
    source text;
    columns text := 'event_type, payload, import_batch_id, n_rows, first_record_id, last_record_id, raised_by';
    token text := quote_nullable(nullif(current_setting('barton.lease_token', true), ''));
    -- a stage's own writes belong to the batch it runs, whichever batch first brought the company
    batch text := coalesce(quote_literal(nullif(current_setting('barton.import_batch_id', true), '')), TG_ARGV[2]);
    inserted bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('barton.skip_update_events', true) = 'on' THEN
        RETURN NULL;  -- the stage changes verdict columns only; comparing a million rows would find nothing
    END IF;
    SELECT count(*) INTO rows_in_statement FROM (SELECT FROM new_rows LIMIT 101) AS counted;
    IF rows_in_statement = 0 THEN
        RETURN NULL;
    END IF;
    source := 'new_rows n';
    IF TG_OP = 'UPDATE' THEN
        source := format('new_rows n JOIN old_rows o ON o.%1$I = n.%1$I AND (%2$s) IS DISTINCT FROM (%3$s)', TG_ARGV[5],
            (SELECT string_agg('n.' || quote_ident(trim(name)), ', ')
             FROM regexp_split_to_table(TG_ARGV[4], ',') AS name),
            (SELECT string_agg('o.' || quote_ident(trim(name)), ', ')
             FROM regexp_split_to_table(TG_ARGV[4], ',') AS name));
    END IF;
    IF rows_in_statement <= 100 THEN
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type,
                    jsonb_build_object(''record_id'', e.record_id, ''import_batch_id'', e.batch) || e.payload,
                    e.batch, 1, e.record_id::text, e.record_id::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, %s AS payload FROM %s) AS e
             WHERE e.event_type IS NOT NULL', columns, token, TG_ARGV[0], TG_ARGV[1], batch, TG_ARGV[3], source);
    ELSE
        EXECUTE format(
            'INSERT INTO marketing.pipeline_events (%s)
             SELECT e.event_type, jsonb_build_object(''count'', count(*), ''first_record_id'', min(e.record_id),
                    ''last_record_id'', max(e.record_id), ''import_batch_id'', e.batch),
                    e.batch, count(*), min(e.record_id)::text, max(e.record_id)::text, %s::uuid
             FROM (SELECT %s AS event_type, %s AS record_id, %s AS batch, (row_number() OVER () - 1) / 10000 AS chunk
                   FROM %s) AS e
             WHERE e.event_type IS NOT NULL GROUP BY e.event_type, e.batch, e.chunk',
            columns, token, TG_ARGV[0], TG_ARGV[1], batch, source);
    END IF;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted > 0 THEN
        PERFORM marketing.wake_listeners(TG_TABLE_NAME || ' ' || lower(TG_OP), NULL, inserted);
    END IF;
    RETURN NULL;
END
$_$;
COMMENT ON FUNCTION marketing.raise_events() IS 'Trigger: one event per row up to 100 rows a statement, else one per 10,000 rows and batch';

CREATE FUNCTION marketing.record_id_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF current_setting('barton.replay', true) = 'on' AND pg_has_role(session_user, current_user, 'MEMBER') THEN
        RETURN NULL;
    END IF;
    EXECUTE format('INSERT INTO marketing.barton_id_history (barton_id, entity, change) '
                   'SELECT %I, %L, %L FROM changed_rows',
                   TG_ARGV[1], TG_ARGV[0], TG_ARGV[2]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.record_id_history() IS 'Trigger: an ID was given or is retired; arguments: entity, ID column, change';

CREATE FUNCTION marketing.refuse_history_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION marketing.refuse_history_change() IS 'Trigger: the history of IDs is append-only';

CREATE FUNCTION marketing.refuse_id_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'Barton IDs are permanent: % may not become %', OLD, NEW
        USING HINT = 'Delete the row (its ID is retired) and let the pipeline create a new one.',
              ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION marketing.refuse_id_change() IS 'Row trigger: an ID, once given, is permanent';

CREATE FUNCTION marketing.refuse_missing_slot() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    orphan text;
BEGIN
    SELECT company_unique_id INTO orphan
    FROM deleted_rows JOIN marketing.company_master USING (company_unique_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Company % must keep its three slots', orphan
            USING HINT = 'Delete the company; its slots go with it.', ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION marketing.refuse_missing_slot() IS 'Trigger: a company keeps its three slots; they go when it goes';

CREATE FUNCTION marketing.rekey_companies() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    changed bigint;
BEGIN
    PERFORM set_config('barton.skip_update_events', 'on', true);
    UPDATE marketing.company_master c SET company_name_key = n.name_key
    FROM (SELECT DISTINCT ON (domain, name_key) company_unique_id, domain, name_key
          FROM (SELECT m.*, intake.company_name_key(company_name) AS name_key FROM marketing.company_master m) AS named
          WHERE name_key <> company_name_key
            AND NOT EXISTS (SELECT FROM intake.separate_names s
                            WHERE s.domain = named.domain AND s.name_words = company_name_key)
          ORDER BY domain, name_key, company_unique_id) AS n
    WHERE c.company_unique_id = n.company_unique_id
      AND NOT EXISTS (SELECT FROM marketing.company_master o WHERE o.domain = n.domain AND o.company_name_key = n.name_key);
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO marketing.company_aliases (domain, name_key, company_unique_id)
    SELECT domain, intake.alias_key(domain, company_name), company_unique_id
    FROM marketing.company_master ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    -- who waits for a company waits for it under its name of today
    UPDATE intake.people_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    UPDATE intake.signals_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    UPDATE intake.outcomes_raw_intake SET company_name_key = intake.company_name_key(company)
    WHERE outcome IN ('company_unknown', 'company_ambiguous') AND company_name_key <> intake.company_name_key(company);
    PERFORM set_config('barton.skip_update_events', '', true);
    RETURN changed;
END
$$;
COMMENT ON FUNCTION marketing.rekey_companies() IS 'Brings stored name keys and aliases up to the rules of today (barton migrate); returns how many keys changed';

CREATE FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE marketing.pipeline_errors
    SET resolved = true, resolved_at = now(), resolved_by = by_whom, resolution_notes = notes
    WHERE id = error_id AND NOT resolved;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text) IS 'Closes an open error; false when it was not open';

CREATE FUNCTION marketing.scrub_answers(domains text[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    scrubbed bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM marketing.suppressed_people) THEN
        RETURN 0;
    END IF;
    UPDATE marketing.vendor_calls v
    SET response = jsonb_set(v.response, '{items}', (
            SELECT coalesce(jsonb_agg(i.item ORDER BY i.place) FILTER (WHERE NOT i.suppressed), '[]')
            FROM (SELECT item, place, marketing.is_suppressed(
                             item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                             coalesce(item ->> 'full_name',
                                      concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                                coalesce(item ->> 'last_name', item ->> 'lastName'))),
                             c.domain) AS suppressed
                  FROM jsonb_array_elements(v.response -> 'items') WITH ORDINALITY AS e (item, place)) AS i))
    FROM marketing.company_answers a JOIN marketing.company_master c USING (company_unique_id)
    WHERE c.domain = ANY (domains) AND v.id = a.call_id AND EXISTS (
        SELECT FROM jsonb_array_elements(v.response -> 'items') AS item
        WHERE marketing.is_suppressed(
                  item ->> 'email', coalesce(item ->> 'linkedin', item ->> 'linkedinUrl'),
                  coalesce(item ->> 'full_name',
                           concat_ws(' ', coalesce(item ->> 'first_name', item ->> 'firstName'),
                                     coalesce(item ->> 'last_name', item ->> 'lastName'))),
                  c.domain));
    GET DIAGNOSTICS scrubbed = ROW_COUNT;
    RETURN scrubbed;
END
$$;
COMMENT ON FUNCTION marketing.scrub_answers(domains text[]) IS 'Removes suppressed people from stored paid answers about these domains; returns how many changed';

CREATE FUNCTION marketing.take_statistics(at_least_rows bigint, share double precision) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET default_statistics_target TO '10'
    AS $$
DECLARE
    name text;
    taken text[] := '{}';
BEGIN
    FOR name IN
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('intake', 'marketing') AND c.relkind = 'r'
          AND (pg_stat_get_mod_since_analyze(c.oid) > greatest(at_least_rows, share * c.reltuples)
               -- a copy of a database has no counts of what was written
               OR (c.relpages = 0 AND pg_relation_size(c.oid) > 100 * at_least_rows))
        ORDER BY 1
    LOOP
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || name;
        taken := taken || name;
    END LOOP;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION marketing.take_statistics(at_least_rows bigint, share double precision) IS 'ANALYZE of the tables of which more rows than that, and more than that share of all, are newer than their statistics';

CREATE FUNCTION marketing.told_columns() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT ARRAY['company_name_for_emails', 'industry', 'employee_count', 'founded_year', 'phone', 'address', 'city',
                 'state', 'postal_code', 'country', 'linkedin_url', 'facebook_url', 'twitter_url', 'sic_codes']
$$;
COMMENT ON FUNCTION marketing.told_columns() IS 'Columns of company_master that any row of the company may fill; the others come from the row that created it';

CREATE FUNCTION marketing.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION marketing.touch_updated_at() IS 'Row trigger: stamps updated_at';

CREATE FUNCTION marketing.undo_batch(batch text, reason text) RETURNS TABLE(place text, n bigint)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    operation bigint;
    done jsonb := '{}';
    others text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('barton.batch:' || batch, 0));
    IF EXISTS (SELECT FROM marketing.pipeline_events e WHERE e.import_batch_id = batch AND e.status = 'processing') THEN
        RAISE EXCEPTION 'A run is at work on batch %', batch
            USING HINT = 'Terminate it or wait for it, then undo.', ERRCODE = 'object_in_use';
    END IF;
    IF NOT EXISTS (SELECT FROM marketing.company_batches b WHERE b.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.loaded_files f WHERE f.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.company_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.people_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.signals_raw_intake r WHERE r.import_batch_id = batch)
       AND NOT EXISTS (SELECT FROM intake.outcomes_raw_intake r WHERE r.import_batch_id = batch) THEN
        RAISE EXCEPTION 'Batch % has nothing to undo', batch USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO marketing.operations (action, target, details, ended_at, ended_by)
    VALUES ('undo_batch', batch, jsonb_build_object('reason', reason), now(), marketing.actor()) RETURNING id INTO operation;
    PERFORM set_config('barton.skip_update_events', 'on', true);

    CREATE TEMP TABLE IF NOT EXISTS undone_companies (company_id text PRIMARY KEY, stays boolean) ON COMMIT DROP;
    TRUNCATE undone_companies;
    INSERT INTO undone_companies
    SELECT b.company_unique_id,
           EXISTS (SELECT FROM marketing.company_batches o
                   WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch)
           OR EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.company_id = b.company_unique_id)
    FROM marketing.company_batches b WHERE b.import_batch_id = batch;
    done := done || jsonb_build_object('company_ids', (SELECT coalesce(jsonb_agg(company_id ORDER BY company_id), '[]')
                                                       FROM undone_companies WHERE NOT stays));
    others := ARRAY(SELECT DISTINCT b.import_batch_id
                    FROM undone_companies u
                    JOIN marketing.company_batches b ON b.company_unique_id = u.company_id
                    WHERE u.stays AND b.import_batch_id <> batch);

    DELETE FROM marketing.bit_signals s USING intake.signals_raw_intake r
    WHERE r.import_batch_id = batch AND s.metadata ->> 'signals_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'signals';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.outcomes o USING intake.outcomes_raw_intake r
    WHERE r.import_batch_id = batch AND o.metadata ->> 'outcomes_raw_intake_id' = r.id::text;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'outcomes';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    -- people of companies that stay, whom no other batch's rows name
    CREATE TEMP TABLE IF NOT EXISTS undone_people (person_id text PRIMARY KEY) ON COMMIT DROP;
    TRUNCATE undone_people;
    INSERT INTO undone_people
    SELECT p.person_unique_id
    FROM marketing.people_master p
    JOIN undone_companies u ON u.company_id = p.company_unique_id AND u.stays
    JOIN marketing.company_master c ON c.company_unique_id = p.company_unique_id
    WHERE p.import_batch_id = batch
      AND NOT EXISTS (SELECT FROM intake.people_raw_intake r
                      WHERE r.import_batch_id <> batch
                        AND (r.domain = c.domain OR r.company_name_key = c.company_name_key)
                        AND (lower(btrim(r.email)) = lower(p.email)
                             OR lower(coalesce(r.full_name, concat_ws(' ', r.first_name, r.last_name)))
                                = lower(p.full_name)))
      AND NOT EXISTS (SELECT FROM marketing.messages_outbound m WHERE m.person_unique_id = p.person_unique_id);
    UPDATE marketing.company_slots s
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL,
        search_state = 'not_searched', searched_at = NULL
    FROM undone_people u WHERE s.person_unique_id = u.person_id;
    DELETE FROM marketing.people_master p USING undone_people u WHERE p.person_unique_id = u.person_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people of companies that stay';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    UPDATE marketing.company_slots s
    SET person_unique_id = NULL, is_filled = false, filled_at = NULL, fill_confidence = NULL
    FROM undone_companies u WHERE s.company_unique_id = u.company_id AND NOT u.stays AND s.is_filled;
    DELETE FROM marketing.company_master c USING undone_companies u
    WHERE c.company_unique_id = u.company_id AND NOT u.stays;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'companies';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.company_batches b
    WHERE b.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches o
                  WHERE o.company_unique_id = b.company_unique_id AND o.import_batch_id <> batch);
    UPDATE marketing.company_master c SET import_batch_id = (
        SELECT b.import_batch_id FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id
        ORDER BY b.first_seen_at, b.import_batch_id LIMIT 1)
    FROM undone_companies u
    WHERE c.company_unique_id = u.company_id AND c.import_batch_id = batch
      AND EXISTS (SELECT FROM marketing.company_batches b WHERE b.company_unique_id = c.company_unique_id);
    SELECT count(*) INTO n FROM undone_companies WHERE stays;
    place := 'companies that stay';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM marketing.email_verification v
    WHERE v.import_batch_id = batch AND NOT EXISTS (SELECT FROM marketing.people_master p WHERE p.email = v.email);
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'addresses';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;

    DELETE FROM intake.company_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'company rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.people_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'people rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.signals_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'signal rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.outcomes_raw_intake WHERE import_batch_id = batch;
    GET DIAGNOSTICS n = ROW_COUNT;
    place := 'outcome rows';
    done := done || jsonb_build_object(place, n);
    RETURN NEXT;
    DELETE FROM intake.rejected_rows r USING intake.loaded_files f WHERE r.file_id = f.id AND f.import_batch_id = batch;
    DELETE FROM intake.loaded_files f WHERE f.import_batch_id = batch;
    DELETE FROM marketing.vendor_holds h WHERE h.import_batch_id = batch;
    DELETE FROM marketing.batch_stages s WHERE s.import_batch_id = batch;
    DELETE FROM marketing.companies_to_score t WHERE t.import_batch_id = batch;
    UPDATE marketing.pipeline_events e
    SET status = 'processed', processed_at = now(), error_message = 'The batch was undone'
    WHERE e.import_batch_id = batch AND e.status IN ('pending', 'failed');
    PERFORM marketing.notify_pipeline_event(
        'continue_at_company_master', jsonb_build_object('reason', 'batch ' || batch || ' was undone'), other)
    FROM unnest(others) AS other;
    UPDATE marketing.operations SET details = details || done || jsonb_build_object('run_again', to_jsonb(others))
    WHERE id = operation;
END
$$;
COMMENT ON FUNCTION marketing.undo_batch(batch text, reason text) IS 'Removes what only this batch brought; IDs stay retired, paid answers and the record of it stay; what was removed where';

CREATE FUNCTION marketing.unmatch_company(row_id bigint, by_whom text DEFAULT marketing.actor(), notes text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    match record;
    separated bigint[];
BEGIN
    SELECT m.rule, r.company, r.domain, c.company_unique_id, c.company_name, intake.words(r.company) AS name_words
    INTO match
    FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
    JOIN marketing.company_master c USING (company_unique_id) WHERE m.intake_id = row_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Intake row % is matched to no company', row_id
            USING HINT = 'See the matches in marketing.company_matches.', ERRCODE = 'no_data_found';
    ELSIF match.name_words = intake.words(match.company_name) THEN
        RAISE EXCEPTION 'Intake row % is written like company %: % on %',
            row_id, match.company_unique_id, match.company_name, match.domain
            USING HINT = 'Name and domain are all that tells companies apart: '
                         'correct the name or the website of the row.',
                  ERRCODE = 'check_violation';
    END IF;
    INSERT INTO intake.separate_names (domain, name_words, notes, created_by)
    VALUES (match.domain, match.name_words, notes, by_whom) ON CONFLICT DO NOTHING;

    separated := ARRAY(SELECT r.id
                       FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
                       WHERE m.company_unique_id = match.company_unique_id
                         AND intake.words(r.company) = match.name_words);
    -- what the separated rows told of the company was not true of it, unless one of the others tells it too
    PERFORM marketing.empty_what_rows_told(match.company_unique_id, separated);
    PERFORM marketing.fill_company_gaps(
        array_agg(m.company_unique_id),
        array_agg(m.intake_id ORDER BY b.arrived_at, b.import_batch_id, f.filled DESC, m.intake_id))
    FROM marketing.company_matches m
    JOIN intake.company_facts f USING (intake_id)
    JOIN intake.batches b USING (import_batch_id)
    WHERE m.company_unique_id = match.company_unique_id AND m.intake_id <> ALL (separated);

    UPDATE intake.company_raw_intake SET validated = NULL, validated_at = NULL WHERE id = ANY (separated);
    DELETE FROM marketing.company_batches b
    WHERE b.company_unique_id = match.company_unique_id AND b.mentioned_by = 'companies'
      AND EXISTS (SELECT FROM intake.company_raw_intake r
                  WHERE r.import_batch_id = b.import_batch_id AND r.id = ANY (separated))
      AND NOT EXISTS (SELECT FROM marketing.company_matches m
                      JOIN intake.company_raw_intake r ON r.id = m.intake_id
                      WHERE m.company_unique_id = b.company_unique_id AND r.import_batch_id = b.import_batch_id
                        AND r.id <> ALL (separated));
    PERFORM marketing.notify_pipeline_event(
        'continue_at_validated_companies', jsonb_build_object('record_id', row_id), batch)
    FROM (SELECT DISTINCT import_batch_id AS batch FROM intake.company_raw_intake
          WHERE id = ANY (separated)) AS batches;
    RETURN cardinality(separated);
END
$$;
COMMENT ON FUNCTION marketing.unmatch_company(row_id bigint, by_whom text, notes text) IS 'Undoes the match of an intake row and of all rows written like it: they become a company of their own. Returns how many rows';

CREATE FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('barton.wake_listeners', 0)) THEN
        PERFORM pg_notify('pipeline_event', jsonb_build_object(
            'event_type', left(event_type, 100), 'import_batch_id', left(import_batch_id, 100), 'rows', n_rows)::text);
    END IF;
END
$$;
COMMENT ON FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) IS 'Gated pg_notify(pipeline_event): ids and counts only';

CREATE TABLE intake.company_raw_intake (
    id bigint NOT NULL,
    company text,
    company_name_for_emails text,
    website text,
    company_linkedin_url text,
    industry text,
    num_employees text,
    company_street text,
    company_city text,
    company_state text,
    company_postal_code text,
    company_country text,
    company_address text,
    company_phone text,
    sic_codes text,
    founded_year text,
    facebook_url text,
    twitter_url text,
    state_abbrev text,
    import_batch_id text NOT NULL,
    validated boolean,
    validation_reasons text[] DEFAULT '{}'::text[] NOT NULL,
    validation_notes text,
    validated_at timestamp with time zone,
    validated_by text,
    domain text,
    company_name_key text,
    employee_count integer,
    founded integer,
    phone text,
    linkedin_url text,
    source_system text,
    source_record_id text,
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    phone_extension text,
    CONSTRAINT company_raw_intake_batch_key CHECK (((length(import_batch_id) <= 100) AND (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'::text))),
    CONSTRAINT company_raw_intake_judged CHECK (((validated IS NULL) = (validated_at IS NULL)))
);
COMMENT ON TABLE intake.company_raw_intake IS 'Raw companies; only company, website and import_batch_id need be given';
COMMENT ON COLUMN intake.company_raw_intake.id IS 'Order of arrival; names the row in messages, matches and barton unmatch';
COMMENT ON COLUMN intake.company_raw_intake.company IS 'Name as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_name_for_emails IS 'Short form for a salutation, where the export offers one';
COMMENT ON COLUMN intake.company_raw_intake.website IS 'As the file had it, scheme optional; judged by validated_companies';
COMMENT ON COLUMN intake.company_raw_intake.company_linkedin_url IS 'As the file had it; the usable form is linkedin_url';
COMMENT ON COLUMN intake.company_raw_intake.industry IS 'Free text of the export';
COMMENT ON COLUMN intake.company_raw_intake.num_employees IS 'Number or band as the file had it; parsed into employee_count';
COMMENT ON COLUMN intake.company_raw_intake.company_street IS 'Street and number, as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_city IS 'Town of the head office, as the file had it';
COMMENT ON COLUMN intake.company_raw_intake.company_state IS 'State or region, written out or abbreviated as the export does';
COMMENT ON COLUMN intake.company_raw_intake.company_postal_code IS 'Postal code, as text';
COMMENT ON COLUMN intake.company_raw_intake.company_country IS 'Country, as the export names it';
COMMENT ON COLUMN intake.company_raw_intake.company_address IS 'The whole address in one line; where given it wins over the parts';
COMMENT ON COLUMN intake.company_raw_intake.company_phone IS 'As the file had it; parsed into phone';
COMMENT ON COLUMN intake.company_raw_intake.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN intake.company_raw_intake.founded_year IS 'As the file had it; parsed into founded';
COMMENT ON COLUMN intake.company_raw_intake.facebook_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_raw_intake.twitter_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_raw_intake.state_abbrev IS 'State code; used where company_state is NULL';
COMMENT ON COLUMN intake.company_raw_intake.import_batch_id IS 'Batch the row came with: the Dagster partition, e.g. 20251024-WV-B1';
COMMENT ON COLUMN intake.company_raw_intake.validated IS 'true valid, false invalid, NULL not yet judged';
COMMENT ON COLUMN intake.company_raw_intake.validation_reasons IS 'Reason codes; see docs/explanation/validation.md';
COMMENT ON COLUMN intake.company_raw_intake.validation_notes IS 'The reason codes as sentences, with what to do; NULL when there are none';
COMMENT ON COLUMN intake.company_raw_intake.validated_at IS 'When the present verdict was first given; NULL not yet judged, or edited since';
COMMENT ON COLUMN intake.company_raw_intake.validated_by IS 'Version of the rules that judged, e.g. rules 3';
COMMENT ON COLUMN intake.company_raw_intake.domain IS 'Registrable domain of website, set by validated_companies';
COMMENT ON COLUMN intake.company_raw_intake.company_name_key IS 'Normalised name, half of the company identity';
COMMENT ON COLUMN intake.company_raw_intake.employee_count IS 'Head count read from num_employees (lower bound of a band); NULL when unreadable';
COMMENT ON COLUMN intake.company_raw_intake.founded IS 'Year read from founded_year; NULL when unreadable, before 1000 or after next year';
COMMENT ON COLUMN intake.company_raw_intake.phone IS 'Read from company_phone: E.164 with + where the number or the row says the country, else national digits of the default region; NULL when unreadable';
COMMENT ON COLUMN intake.company_raw_intake.linkedin_url IS 'https://www.linkedin.com/(company|school|showcase)/name, read from company_linkedin_url; NULL when it is none';
COMMENT ON COLUMN intake.company_raw_intake.source_system IS 'The file''s own source system column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for SQL inserts that give none';
COMMENT ON COLUMN intake.company_raw_intake.source_record_id IS 'Identifier of the row in the system it came from';
COMMENT ON COLUMN intake.company_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.company_raw_intake.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.company_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.company_raw_intake.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.company_raw_intake.updated_at IS 'Last edit of what the row says; verdicts do not count';
COMMENT ON COLUMN intake.company_raw_intake.phone_extension IS 'Extension read from company_phone: digits, kept apart from phone; NULL when there is none';

CREATE TABLE intake.outcomes_raw_intake (
    id bigint NOT NULL,
    company text,
    website text,
    company_unique_id text,
    outcome_type text,
    lead_reference text,
    occurred_at text,
    source_system text,
    external_id text,
    domain text,
    company_name_key text,
    import_batch_id text NOT NULL,
    judged_at timestamp with time zone,
    outcome text,
    outcome_reasons text[] DEFAULT '{}'::text[] NOT NULL,
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT outcomes_raw_intake_batch_key CHECK (((length(import_batch_id) <= 100) AND (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'::text))),
    CONSTRAINT outcomes_raw_intake_outcome_check CHECK ((outcome = ANY (ARRAY['recorded'::text, 'duplicate'::text, 'company_unknown'::text, 'company_ambiguous'::text, 'invalid'::text])))
);
COMMENT ON TABLE intake.outcomes_raw_intake IS 'Raw sales outcomes, judged and recorded by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.id IS 'Row number, given by the database';
COMMENT ON COLUMN intake.outcomes_raw_intake.company IS 'Name as given';
COMMENT ON COLUMN intake.outcomes_raw_intake.website IS 'As given';
COMMENT ON COLUMN intake.outcomes_raw_intake.company_unique_id IS 'Barton ID, when the source knows it';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome_type IS 'attempt, positive_reply, meeting, opportunity, won, declined or lost';
COMMENT ON COLUMN intake.outcomes_raw_intake.lead_reference IS 'The source''s name for the lead, deal or thread; joins an attempt and what followed';
COMMENT ON COLUMN intake.outcomes_raw_intake.occurred_at IS 'When it happened, ISO 8601';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_system IS 'Who says so';
COMMENT ON COLUMN intake.outcomes_raw_intake.external_id IS 'The source''s own number of the row';
COMMENT ON COLUMN intake.outcomes_raw_intake.domain IS 'Registrable domain of website, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.company_name_key IS 'Normalised name, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_raw_intake.import_batch_id IS 'Batch the row came with';
COMMENT ON COLUMN intake.outcomes_raw_intake.judged_at IS 'When ple_scores judged it';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome IS 'What ple_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.outcomes_raw_intake.outcome_reasons IS 'Reason codes';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_file IS 'File it was loaded from';
COMMENT ON COLUMN intake.outcomes_raw_intake.source_row IS 'Line of that file';
COMMENT ON COLUMN intake.outcomes_raw_intake.raw IS 'The row exactly as the file had it';
COMMENT ON COLUMN intake.outcomes_raw_intake.created_at IS 'When it was loaded';

CREATE TABLE intake.people_raw_intake (
    id bigint NOT NULL,
    first_name text,
    last_name text,
    full_name text,
    title text,
    email text,
    email_status text,
    linkedin_url text,
    phone text,
    mobile_phone text,
    seniority text,
    departments text,
    company text,
    website text,
    company_linkedin_url text,
    city text,
    state text,
    country text,
    source_system text,
    source_record_id text,
    import_batch_id text NOT NULL,
    domain text,
    company_name_key text,
    judged_at timestamp with time zone,
    outcome text,
    outcome_reasons text[] DEFAULT '{}'::text[] NOT NULL,
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    vendor_call_id bigint,
    observed_at timestamp with time zone,
    position_ended boolean DEFAULT false NOT NULL,
    CONSTRAINT people_raw_intake_batch_key CHECK (((length(import_batch_id) <= 100) AND (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'::text))),
    CONSTRAINT people_raw_intake_outcome_check CHECK ((outcome = ANY (ARRAY['matched'::text, 'company_unknown'::text, 'company_ambiguous'::text, 'invalid'::text])))
);
COMMENT ON TABLE intake.people_raw_intake IS 'Raw people from imports, matched to companies by enriched_contacts';
COMMENT ON COLUMN intake.people_raw_intake.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.people_raw_intake.first_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_raw_intake.last_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_raw_intake.full_name IS 'As the file had it; when NULL enriched_contacts joins first and last name';
COMMENT ON COLUMN intake.people_raw_intake.title IS 'Job title as the file had it; titles.yaml decides the slot';
COMMENT ON COLUMN intake.people_raw_intake.email IS 'Address as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.email_status IS 'The export''s claim about the address; never taken as a verification';
COMMENT ON COLUMN intake.people_raw_intake.linkedin_url IS 'Profile of the person';
COMMENT ON COLUMN intake.people_raw_intake.phone IS 'Direct or company number, as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.mobile_phone IS 'Used when there is no phone';
COMMENT ON COLUMN intake.people_raw_intake.seniority IS 'The export''s own grading';
COMMENT ON COLUMN intake.people_raw_intake.departments IS 'The export''s own department list';
COMMENT ON COLUMN intake.people_raw_intake.company IS 'Employer as the file had it; with website it finds the company';
COMMENT ON COLUMN intake.people_raw_intake.website IS 'Employer''s site as the file had it';
COMMENT ON COLUMN intake.people_raw_intake.company_linkedin_url IS 'Employer''s page, as the file had it; kept, not used for matching';
COMMENT ON COLUMN intake.people_raw_intake.city IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.state IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.country IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_raw_intake.source_system IS 'The file''s own source column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for SQL inserts that give none';
COMMENT ON COLUMN intake.people_raw_intake.source_record_id IS 'Identifier of the person in the system it came from';
COMMENT ON COLUMN intake.people_raw_intake.import_batch_id IS 'Batch the row came with; its run matches the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.people_raw_intake.domain IS 'Registrable domain of website, else of an address that is not free mail; set by enriched_contacts';
COMMENT ON COLUMN intake.people_raw_intake.company_name_key IS 'Normalised employer name, by which the row waits for its company';
COMMENT ON COLUMN intake.people_raw_intake.judged_at IS 'When enriched_contacts last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.people_raw_intake.outcome IS 'What enriched_contacts made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.people_raw_intake.outcome_reasons IS 'Rule that matched, or why nothing did; see docs/explanation/contacts.md';
COMMENT ON COLUMN intake.people_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_raw_intake.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.people_raw_intake.created_at IS 'When the row arrived; the newer sighting of a person wins';
COMMENT ON COLUMN intake.people_raw_intake.updated_at IS 'Last edit of name, title, email, company or website';
COMMENT ON COLUMN intake.people_raw_intake.vendor_call_id IS 'The paid answer the row was read from; NULL for imports';
COMMENT ON COLUMN intake.people_raw_intake.observed_at IS 'When the source saw it; NULL means when the row arrived';
COMMENT ON COLUMN intake.people_raw_intake.position_ended IS 'The source says that the person no longer works there';

CREATE TABLE intake.signals_raw_intake (
    id bigint NOT NULL,
    company text,
    website text,
    company_unique_id text,
    signal_type text,
    strength text,
    occurred_at text,
    source_system text,
    external_id text,
    import_batch_id text NOT NULL,
    judged_at timestamp with time zone,
    outcome text,
    outcome_reasons text[] DEFAULT '{}'::text[] NOT NULL,
    source_file text,
    source_row bigint,
    raw jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    domain text,
    company_name_key text,
    observed_at text,
    CONSTRAINT signals_raw_intake_batch_key CHECK (((length(import_batch_id) <= 100) AND (import_batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]*$'::text))),
    CONSTRAINT signals_raw_intake_outcome_check CHECK ((outcome = ANY (ARRAY['recorded'::text, 'duplicate'::text, 'company_unknown'::text, 'company_ambiguous'::text, 'invalid'::text])))
);
COMMENT ON TABLE intake.signals_raw_intake IS 'Raw buyer-intent signals, judged and recorded by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.signals_raw_intake.company IS 'Company name as given; with website it finds the company';
COMMENT ON COLUMN intake.signals_raw_intake.website IS 'Company site as given';
COMMENT ON COLUMN intake.signals_raw_intake.company_unique_id IS 'Barton ID, where the sender knows it; then name and site are not used';
COMMENT ON COLUMN intake.signals_raw_intake.signal_type IS 'One of the types in scoring.yaml; others are invalid';
COMMENT ON COLUMN intake.signals_raw_intake.strength IS '0..1 as text; NULL counts as 1';
COMMENT ON COLUMN intake.signals_raw_intake.occurred_at IS 'When it happened: ISO 8601 text, UTC unless it says otherwise; the loader has resolved offsets such as -3d';
COMMENT ON COLUMN intake.signals_raw_intake.source_system IS 'Where the signal comes from; scoring.yaml says how far it is believed; NULL counts as import';
COMMENT ON COLUMN intake.signals_raw_intake.external_id IS 'The source''s own identifier: the same one counts once; NULL: company, type and time identify it';
COMMENT ON COLUMN intake.signals_raw_intake.import_batch_id IS 'Batch the row came with; its run judges the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.signals_raw_intake.judged_at IS 'When bit_scores last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.signals_raw_intake.outcome IS 'What bit_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.signals_raw_intake.outcome_reasons IS 'Why the row is invalid or waits for its company; empty when recorded';
COMMENT ON COLUMN intake.signals_raw_intake.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_raw_intake.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_raw_intake.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.signals_raw_intake.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.signals_raw_intake.domain IS 'Registrable domain of website, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.company_name_key IS 'Normalised name, set by bit_scores';
COMMENT ON COLUMN intake.signals_raw_intake.observed_at IS 'When it was learned, where that was not at loading; not before occurred_at';

CREATE VIEW intake.batches AS
 SELECT import_batch_id,
    min(created_at) AS arrived_at
   FROM ( SELECT company_raw_intake.import_batch_id,
            company_raw_intake.created_at
           FROM intake.company_raw_intake
        UNION ALL
         SELECT people_raw_intake.import_batch_id,
            people_raw_intake.created_at
           FROM intake.people_raw_intake
          WHERE (people_raw_intake.vendor_call_id IS NULL)
        UNION ALL
         SELECT signals_raw_intake.import_batch_id,
            signals_raw_intake.created_at
           FROM intake.signals_raw_intake
        UNION ALL
         SELECT outcomes_raw_intake.import_batch_id,
            outcomes_raw_intake.created_at
           FROM intake.outcomes_raw_intake) intake_rows
  GROUP BY import_batch_id;
COMMENT ON VIEW intake.batches IS 'Every batch of which rows came, and since when';
COMMENT ON COLUMN intake.batches.import_batch_id IS 'Batch the rows came with: the Dagster partition';
COMMENT ON COLUMN intake.batches.arrived_at IS 'When its first row arrived';

CREATE VIEW intake.companies_to_process AS
 SELECT id,
    company,
    company_name_for_emails,
    website,
    company_linkedin_url,
    industry,
    num_employees,
    company_street,
    company_city,
    company_state,
    company_postal_code,
    company_country,
    company_address,
    company_phone,
    sic_codes,
    founded_year,
    facebook_url,
    twitter_url,
    state_abbrev,
    import_batch_id,
    validated,
    validation_reasons,
    validation_notes,
    validated_at,
    validated_by,
    domain,
    company_name_key,
    employee_count,
    founded,
    phone,
    linkedin_url,
    source_system,
    source_record_id,
    source_file,
    source_row,
    raw,
    created_at,
    updated_at,
    phone_extension
   FROM intake.company_raw_intake
  WHERE ((NOT ('processing_failed'::text = ANY (validation_reasons))) AND ((id >= intake.first_row()) AND (id <= intake.last_row())));
COMMENT ON VIEW intake.companies_to_process IS 'Rows of company_raw_intake that no stage failed on';
COMMENT ON COLUMN intake.companies_to_process.id IS 'Order of arrival; names the row in messages, matches and barton unmatch';
COMMENT ON COLUMN intake.companies_to_process.company IS 'Name as the file had it';
COMMENT ON COLUMN intake.companies_to_process.company_name_for_emails IS 'Short form for a salutation, where the export offers one';
COMMENT ON COLUMN intake.companies_to_process.website IS 'As the file had it, scheme optional; judged by validated_companies';
COMMENT ON COLUMN intake.companies_to_process.company_linkedin_url IS 'As the file had it; the usable form is linkedin_url';
COMMENT ON COLUMN intake.companies_to_process.industry IS 'Free text of the export';
COMMENT ON COLUMN intake.companies_to_process.num_employees IS 'Number or band as the file had it; parsed into employee_count';
COMMENT ON COLUMN intake.companies_to_process.company_street IS 'Street and number, as the file had it';
COMMENT ON COLUMN intake.companies_to_process.company_city IS 'Town of the head office, as the file had it';
COMMENT ON COLUMN intake.companies_to_process.company_state IS 'State or region, written out or abbreviated as the export does';
COMMENT ON COLUMN intake.companies_to_process.company_postal_code IS 'Postal code, as text';
COMMENT ON COLUMN intake.companies_to_process.company_country IS 'Country, as the export names it';
COMMENT ON COLUMN intake.companies_to_process.company_address IS 'The whole address in one line; where given it wins over the parts';
COMMENT ON COLUMN intake.companies_to_process.company_phone IS 'As the file had it; parsed into phone';
COMMENT ON COLUMN intake.companies_to_process.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN intake.companies_to_process.founded_year IS 'As the file had it; parsed into founded';
COMMENT ON COLUMN intake.companies_to_process.facebook_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.companies_to_process.twitter_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.companies_to_process.state_abbrev IS 'State code; used where company_state is NULL';
COMMENT ON COLUMN intake.companies_to_process.import_batch_id IS 'Batch the row came with: the Dagster partition, e.g. 20251024-WV-B1';
COMMENT ON COLUMN intake.companies_to_process.validated IS 'true valid, false invalid, NULL not yet judged';
COMMENT ON COLUMN intake.companies_to_process.validation_reasons IS 'Reason codes; see docs/explanation/validation.md';
COMMENT ON COLUMN intake.companies_to_process.validation_notes IS 'The reason codes as sentences, with what to do; NULL when there are none';
COMMENT ON COLUMN intake.companies_to_process.validated_at IS 'When the present verdict was first given; NULL not yet judged, or edited since';
COMMENT ON COLUMN intake.companies_to_process.validated_by IS 'Version of the rules that judged, e.g. rules 3';
COMMENT ON COLUMN intake.companies_to_process.domain IS 'Registrable domain of website, set by validated_companies';
COMMENT ON COLUMN intake.companies_to_process.company_name_key IS 'Normalised name, half of the company identity';
COMMENT ON COLUMN intake.companies_to_process.employee_count IS 'Head count read from num_employees (lower bound of a band); NULL when unreadable';
COMMENT ON COLUMN intake.companies_to_process.founded IS 'Year read from founded_year; NULL when unreadable, before 1000 or after next year';
COMMENT ON COLUMN intake.companies_to_process.phone IS 'Read from company_phone: E.164 with + where the number or the row says the country, else national digits of the default region; NULL when unreadable';
COMMENT ON COLUMN intake.companies_to_process.linkedin_url IS 'https://www.linkedin.com/(company|school|showcase)/name, read from company_linkedin_url; NULL when it is none';
COMMENT ON COLUMN intake.companies_to_process.source_system IS 'The file''s own source system column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for SQL inserts that give none';
COMMENT ON COLUMN intake.companies_to_process.source_record_id IS 'Identifier of the row in the system it came from';
COMMENT ON COLUMN intake.companies_to_process.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.companies_to_process.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.companies_to_process.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.companies_to_process.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.companies_to_process.updated_at IS 'Last edit of what the row says; verdicts do not count';
COMMENT ON COLUMN intake.companies_to_process.phone_extension IS 'Extension read from company_phone: digits, kept apart from phone; NULL when there is none';

CREATE VIEW intake.company_facts AS
 SELECT id AS intake_id,
    import_batch_id,
    validated,
    domain,
    company_name_key,
    btrim(intake.unescaped(company)) AS company_name,
    company_name_for_emails,
    website AS website_url,
    industry,
    employee_count,
    founded AS founded_year,
    phone,
    COALESCE(company_address, NULLIF(concat_ws(', '::text, company_street, company_city, COALESCE(company_state, state_abbrev), company_postal_code, company_country), ''::text)) AS address,
    company_city AS city,
    COALESCE(company_state, state_abbrev) AS state,
    company_postal_code AS postal_code,
    company_country AS country,
    linkedin_url,
    facebook_url,
    twitter_url,
    sic_codes,
    source_system,
    source_record_id,
    num_nonnulls(industry, employee_count, founded, phone, company_city, COALESCE(company_state, state_abbrev), company_postal_code, company_country, linkedin_url, COALESCE(company_street, company_address)) AS filled
   FROM intake.companies_to_process;
COMMENT ON VIEW intake.company_facts IS 'What each intake row tells of a company, in the columns of company_master';
COMMENT ON COLUMN intake.company_facts.intake_id IS 'company_raw_intake.id';
COMMENT ON COLUMN intake.company_facts.import_batch_id IS 'Batch the row came with: the Dagster partition, e.g. 20251024-WV-B1';
COMMENT ON COLUMN intake.company_facts.validated IS 'true valid, false invalid, NULL not yet judged';
COMMENT ON COLUMN intake.company_facts.domain IS 'Registrable domain of website, set by validated_companies';
COMMENT ON COLUMN intake.company_facts.company_name_key IS 'Normalised name, half of the company identity';
COMMENT ON COLUMN intake.company_facts.company_name IS 'As the fullest intake row of its first batch wrote it; later batches never change it';
COMMENT ON COLUMN intake.company_facts.company_name_for_emails IS 'Short form for a salutation, where the export offers one';
COMMENT ON COLUMN intake.company_facts.website_url IS 'As the same intake row wrote it, scheme optional; domain is the form to join on';
COMMENT ON COLUMN intake.company_facts.industry IS 'Free text of the export';
COMMENT ON COLUMN intake.company_facts.employee_count IS 'Head count read from num_employees (lower bound of a band); NULL when unreadable';
COMMENT ON COLUMN intake.company_facts.founded_year IS 'As the file had it; parsed into founded';
COMMENT ON COLUMN intake.company_facts.phone IS 'Read from company_phone: E.164 with + where the number or the row says the country, else national digits of the default region; NULL when unreadable';
COMMENT ON COLUMN intake.company_facts.address IS 'One line: as given, else joined from street, town, state, postal code and country';
COMMENT ON COLUMN intake.company_facts.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN intake.company_facts.state IS 'State or region, written out or abbreviated as the export does; NULL unknown';
COMMENT ON COLUMN intake.company_facts.postal_code IS 'Text, so that leading zeros stay; NULL unknown';
COMMENT ON COLUMN intake.company_facts.country IS 'As the export names it, no code list; NULL unknown';
COMMENT ON COLUMN intake.company_facts.linkedin_url IS 'https://www.linkedin.com/(company|school|showcase)/name, read from company_linkedin_url; NULL when it is none';
COMMENT ON COLUMN intake.company_facts.facebook_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_facts.twitter_url IS 'Page of the company; never used as its website';
COMMENT ON COLUMN intake.company_facts.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN intake.company_facts.source_system IS 'The file''s own source system column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for SQL inserts that give none';
COMMENT ON COLUMN intake.company_facts.source_record_id IS 'Identifier of the row in the system it came from';
COMMENT ON COLUMN intake.company_facts.filled IS 'How many of the ten describing facts it gives; a bare town is no address here';

ALTER TABLE intake.company_raw_intake ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.company_raw_intake_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE intake.loaded_files (
    id bigint NOT NULL,
    import_batch_id text NOT NULL,
    kind text NOT NULL,
    file_name text NOT NULL,
    sha256 text NOT NULL,
    source text NOT NULL,
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    rows_blank bigint NOT NULL,
    column_mapping jsonb NOT NULL,
    loaded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT loaded_files_kind_check CHECK ((kind = ANY (ARRAY['companies'::text, 'people'::text, 'signals'::text, 'outcomes'::text])))
);
COMMENT ON TABLE intake.loaded_files IS 'One row per file and batch; loading the same content again is a no-op';
COMMENT ON COLUMN intake.loaded_files.id IS 'Referenced by rejected_rows';
COMMENT ON COLUMN intake.loaded_files.import_batch_id IS 'Batch the file was loaded into';
COMMENT ON COLUMN intake.loaded_files.kind IS 'companies, people or signals';
COMMENT ON COLUMN intake.loaded_files.file_name IS 'Name without folder';
COMMENT ON COLUMN intake.loaded_files.sha256 IS 'Of the content; with batch and kind it makes loading again a no-op';
COMMENT ON COLUMN intake.loaded_files.source IS 'Kind of export the header was recognised as: apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain';
COMMENT ON COLUMN intake.loaded_files.rows_read IS 'Records with a value = rows_loaded + rows_rejected; blank ones are counted apart';
COMMENT ON COLUMN intake.loaded_files.rows_loaded IS 'Rows that became intake rows';
COMMENT ON COLUMN intake.loaded_files.rows_rejected IS 'Rows kept in rejected_rows instead';
COMMENT ON COLUMN intake.loaded_files.rows_blank IS 'Records without any value; not part of rows_read';
COMMENT ON COLUMN intake.loaded_files.column_mapping IS '{"columns": {field: [header, ...]}, "unused": [header, ...]}; values of unused headers are in raw only';
COMMENT ON COLUMN intake.loaded_files.loaded_at IS 'Start of the transaction that loaded the file';

ALTER TABLE intake.loaded_files ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.loaded_files_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE intake.outcomes_raw_intake ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.outcomes_raw_intake_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW intake.outcomes_to_process AS
 SELECT id,
    company,
    website,
    company_unique_id,
    outcome_type,
    lead_reference,
    occurred_at,
    source_system,
    external_id,
    domain,
    company_name_key,
    import_batch_id,
    judged_at,
    outcome,
    outcome_reasons,
    source_file,
    source_row,
    raw,
    created_at
   FROM intake.outcomes_raw_intake
  WHERE ((NOT ('processing_failed'::text = ANY (outcome_reasons))) AND ((id >= intake.first_row()) AND (id <= intake.last_row())));
COMMENT ON VIEW intake.outcomes_to_process IS 'Rows of outcomes_raw_intake that no stage failed on';
COMMENT ON COLUMN intake.outcomes_to_process.id IS 'Row number, given by the database';
COMMENT ON COLUMN intake.outcomes_to_process.company IS 'Name as given';
COMMENT ON COLUMN intake.outcomes_to_process.website IS 'As given';
COMMENT ON COLUMN intake.outcomes_to_process.company_unique_id IS 'Barton ID, when the source knows it';
COMMENT ON COLUMN intake.outcomes_to_process.outcome_type IS 'attempt, positive_reply, meeting, opportunity, won, declined or lost';
COMMENT ON COLUMN intake.outcomes_to_process.lead_reference IS 'The source''s name for the lead, deal or thread; joins an attempt and what followed';
COMMENT ON COLUMN intake.outcomes_to_process.occurred_at IS 'When it happened, ISO 8601';
COMMENT ON COLUMN intake.outcomes_to_process.source_system IS 'Who says so';
COMMENT ON COLUMN intake.outcomes_to_process.external_id IS 'The source''s own number of the row';
COMMENT ON COLUMN intake.outcomes_to_process.domain IS 'Registrable domain of website, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_to_process.company_name_key IS 'Normalised name, set by ple_scores';
COMMENT ON COLUMN intake.outcomes_to_process.import_batch_id IS 'Batch the row came with';
COMMENT ON COLUMN intake.outcomes_to_process.judged_at IS 'When ple_scores judged it';
COMMENT ON COLUMN intake.outcomes_to_process.outcome IS 'What ple_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.outcomes_to_process.outcome_reasons IS 'Reason codes';
COMMENT ON COLUMN intake.outcomes_to_process.source_file IS 'File it was loaded from';
COMMENT ON COLUMN intake.outcomes_to_process.source_row IS 'Line of that file';
COMMENT ON COLUMN intake.outcomes_to_process.raw IS 'The row exactly as the file had it';
COMMENT ON COLUMN intake.outcomes_to_process.created_at IS 'When it was loaded';

ALTER TABLE intake.people_raw_intake ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.people_raw_intake_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW intake.people_to_process AS
 SELECT id,
    first_name,
    last_name,
    full_name,
    title,
    email,
    email_status,
    linkedin_url,
    phone,
    mobile_phone,
    seniority,
    departments,
    company,
    website,
    company_linkedin_url,
    city,
    state,
    country,
    source_system,
    source_record_id,
    import_batch_id,
    domain,
    company_name_key,
    judged_at,
    outcome,
    outcome_reasons,
    source_file,
    source_row,
    raw,
    created_at,
    updated_at,
    vendor_call_id,
    observed_at,
    position_ended
   FROM intake.people_raw_intake
  WHERE ((NOT ('processing_failed'::text = ANY (outcome_reasons))) AND ((id >= intake.first_row()) AND (id <= intake.last_row())));
COMMENT ON VIEW intake.people_to_process IS 'Rows of people_raw_intake that no stage failed on';
COMMENT ON COLUMN intake.people_to_process.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.people_to_process.first_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_to_process.last_name IS 'As the file had it';
COMMENT ON COLUMN intake.people_to_process.full_name IS 'As the file had it; when NULL enriched_contacts joins first and last name';
COMMENT ON COLUMN intake.people_to_process.title IS 'Job title as the file had it; titles.yaml decides the slot';
COMMENT ON COLUMN intake.people_to_process.email IS 'Address as the file had it';
COMMENT ON COLUMN intake.people_to_process.email_status IS 'The export''s claim about the address; never taken as a verification';
COMMENT ON COLUMN intake.people_to_process.linkedin_url IS 'Profile of the person';
COMMENT ON COLUMN intake.people_to_process.phone IS 'Direct or company number, as the file had it';
COMMENT ON COLUMN intake.people_to_process.mobile_phone IS 'Used when there is no phone';
COMMENT ON COLUMN intake.people_to_process.seniority IS 'The export''s own grading';
COMMENT ON COLUMN intake.people_to_process.departments IS 'The export''s own department list';
COMMENT ON COLUMN intake.people_to_process.company IS 'Employer as the file had it; with website it finds the company';
COMMENT ON COLUMN intake.people_to_process.website IS 'Employer''s site as the file had it';
COMMENT ON COLUMN intake.people_to_process.company_linkedin_url IS 'Employer''s page, as the file had it; kept, not used for matching';
COMMENT ON COLUMN intake.people_to_process.city IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_to_process.state IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_to_process.country IS 'Where the person is, not the company; kept, not used';
COMMENT ON COLUMN intake.people_to_process.source_system IS 'The file''s own source column, else apollo, hubspot, sales_navigator, linkedin, clay, hunter or plain; NULL for SQL inserts that give none';
COMMENT ON COLUMN intake.people_to_process.source_record_id IS 'Identifier of the person in the system it came from';
COMMENT ON COLUMN intake.people_to_process.import_batch_id IS 'Batch the row came with; its run matches the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.people_to_process.domain IS 'Registrable domain of website, else of an address that is not free mail; set by enriched_contacts';
COMMENT ON COLUMN intake.people_to_process.company_name_key IS 'Normalised employer name, by which the row waits for its company';
COMMENT ON COLUMN intake.people_to_process.judged_at IS 'When enriched_contacts last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.people_to_process.outcome IS 'What enriched_contacts made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.people_to_process.outcome_reasons IS 'Rule that matched, or why nothing did; see docs/explanation/contacts.md';
COMMENT ON COLUMN intake.people_to_process.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_to_process.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.people_to_process.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.people_to_process.created_at IS 'When the row arrived; the newer sighting of a person wins';
COMMENT ON COLUMN intake.people_to_process.updated_at IS 'Last edit of name, title, email, company or website';
COMMENT ON COLUMN intake.people_to_process.vendor_call_id IS 'The paid answer the row was read from; NULL for imports';
COMMENT ON COLUMN intake.people_to_process.observed_at IS 'When the source saw it; NULL means when the row arrived';
COMMENT ON COLUMN intake.people_to_process.position_ended IS 'The source says that the person no longer works there';

CREATE TABLE intake.public_suffix (
    suffix text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    CONSTRAINT public_suffix_kind_check CHECK ((kind = ANY (ARRAY['rule'::text, 'wildcard'::text, 'exception'::text])))
);
COMMENT ON TABLE intake.public_suffix IS 'Public suffix list, ICANN and private sections, for registrable domains';
COMMENT ON COLUMN intake.public_suffix.suffix IS 'Without the leading *. or !, in lower case';
COMMENT ON COLUMN intake.public_suffix.kind IS 'rule, wildcard (*.suffix) or exception (!suffix)';

CREATE TABLE intake.rejected_rows (
    id bigint NOT NULL,
    file_id bigint NOT NULL,
    line_number bigint NOT NULL,
    reason text NOT NULL,
    details text,
    raw text
);
COMMENT ON TABLE intake.rejected_rows IS 'Lines of a file that could not become an intake row, with the reason';
COMMENT ON COLUMN intake.rejected_rows.id IS 'Order of rejection';
COMMENT ON COLUMN intake.rejected_rows.file_id IS 'loaded_files.id; deleting the file deletes its rejected rows';
COMMENT ON COLUMN intake.rejected_rows.line_number IS 'Line (XLSX: sheet row) on which the record begins, counted from 1 with the header';
COMMENT ON COLUMN intake.rejected_rows.reason IS 'too_many_values, unterminated_quote or malformed_quotes';
COMMENT ON COLUMN intake.rejected_rows.details IS 'What is wrong with the record, for the operator';
COMMENT ON COLUMN intake.rejected_rows.raw IS 'The record as it stands in the file, to be corrected and loaded again';

ALTER TABLE intake.rejected_rows ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.rejected_rows_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE intake.separate_names (
    domain text NOT NULL,
    name_words text NOT NULL,
    notes text,
    created_by text DEFAULT marketing.actor() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE intake.separate_names IS 'Names that are a company of their own although another one on the domain differs only by legal form (barton unmatch)';
COMMENT ON COLUMN intake.separate_names.domain IS 'Registrable domain on which the name stands apart';
COMMENT ON COLUMN intake.separate_names.name_words IS 'The name as intake.words writes it, legal form included: the identity key of such rows';
COMMENT ON COLUMN intake.separate_names.notes IS 'Why, in the words of whoever undid the match';
COMMENT ON COLUMN intake.separate_names.created_by IS 'Who undid the match';
COMMENT ON COLUMN intake.separate_names.created_at IS 'When the match was undone; rows judged later follow it';

CREATE TABLE intake.shared_domains (
    name text NOT NULL COLLATE pg_catalog."C",
    category text NOT NULL,
    host_only boolean DEFAULT false NOT NULL,
    owners text[] DEFAULT '{}'::text[] NOT NULL
);
COMMENT ON TABLE intake.shared_domains IS 'Domains and hosts that are nobody''s own: free mail, providers, site builders, directories and the like';
COMMENT ON COLUMN intake.shared_domains.name IS 'Domain or host in lower case, without www.';
COMMENT ON COLUMN intake.shared_domains.category IS 'What the site is; part of the reason code website_is_CATEGORY';
COMMENT ON COLUMN intake.shared_domains.host_only IS 'Only this host is shared; other hosts of the domain are not';
COMMENT ON COLUMN intake.shared_domains.owners IS 'Names of the site''s own company besides the first label of its domain, as name keys without spaces';

ALTER TABLE intake.signals_raw_intake ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME intake.signals_raw_intake_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW intake.signals_to_process AS
 SELECT id,
    company,
    website,
    company_unique_id,
    signal_type,
    strength,
    occurred_at,
    source_system,
    external_id,
    import_batch_id,
    judged_at,
    outcome,
    outcome_reasons,
    source_file,
    source_row,
    raw,
    created_at,
    domain,
    company_name_key,
    observed_at
   FROM intake.signals_raw_intake
  WHERE ((NOT ('processing_failed'::text = ANY (outcome_reasons))) AND ((id >= intake.first_row()) AND (id <= intake.last_row())));
COMMENT ON VIEW intake.signals_to_process IS 'Rows of signals_raw_intake that no stage failed on';
COMMENT ON COLUMN intake.signals_to_process.id IS 'Order of arrival; names the row in messages';
COMMENT ON COLUMN intake.signals_to_process.company IS 'Company name as given; with website it finds the company';
COMMENT ON COLUMN intake.signals_to_process.website IS 'Company site as given';
COMMENT ON COLUMN intake.signals_to_process.company_unique_id IS 'Barton ID, where the sender knows it; then name and site are not used';
COMMENT ON COLUMN intake.signals_to_process.signal_type IS 'One of the types in scoring.yaml; others are invalid';
COMMENT ON COLUMN intake.signals_to_process.strength IS '0..1 as text; NULL counts as 1';
COMMENT ON COLUMN intake.signals_to_process.occurred_at IS 'When it happened: ISO 8601 text, UTC unless it says otherwise; the loader has resolved offsets such as -3d';
COMMENT ON COLUMN intake.signals_to_process.source_system IS 'Where the signal comes from; scoring.yaml says how far it is believed; NULL counts as import';
COMMENT ON COLUMN intake.signals_to_process.external_id IS 'The source''s own identifier: the same one counts once; NULL: company, type and time identify it';
COMMENT ON COLUMN intake.signals_to_process.import_batch_id IS 'Batch the row came with; its run judges the row, or the run of the batch that brings the company';
COMMENT ON COLUMN intake.signals_to_process.judged_at IS 'When bit_scores last changed the outcome; NULL not yet judged';
COMMENT ON COLUMN intake.signals_to_process.outcome IS 'What bit_scores made of the row; NULL not yet judged';
COMMENT ON COLUMN intake.signals_to_process.outcome_reasons IS 'Why the row is invalid or waits for its company; empty when recorded';
COMMENT ON COLUMN intake.signals_to_process.source_file IS 'Name of the loaded file; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_to_process.source_row IS 'Line (XLSX: sheet row) of that file on which the row begins; NULL for SQL inserts';
COMMENT ON COLUMN intake.signals_to_process.raw IS 'The row exactly as the file had it: {header: value}';
COMMENT ON COLUMN intake.signals_to_process.created_at IS 'When the row arrived';
COMMENT ON COLUMN intake.signals_to_process.domain IS 'Registrable domain of website, set by bit_scores';
COMMENT ON COLUMN intake.signals_to_process.company_name_key IS 'Normalised name, set by bit_scores';
COMMENT ON COLUMN intake.signals_to_process.observed_at IS 'When it was learned, where that was not at loading; not before occurred_at';

CREATE TABLE marketing.actions (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text DEFAULT marketing.actor() NOT NULL,
    role text NOT NULL,
    door text NOT NULL,
    database_user text DEFAULT SESSION_USER NOT NULL,
    action text NOT NULL,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    reason text,
    shown_count bigint,
    done_count bigint,
    outcome text NOT NULL,
    error text,
    request_id text,
    started_id bigint,
    CONSTRAINT actions_door_check CHECK ((door = ANY (ARRAY['cli'::text, 'web'::text, 'assistant'::text, 'sensor'::text]))),
    CONSTRAINT actions_error CHECK (((outcome = ANY (ARRAY['failed'::text, 'refused'::text])) = (error IS NOT NULL))),
    CONSTRAINT actions_outcome_check CHECK ((outcome = ANY (ARRAY['started'::text, 'done'::text, 'failed'::text, 'refused'::text]))),
    CONSTRAINT actions_start CHECK (((outcome <> 'started'::text) OR (started_id IS NULL)))
);
COMMENT ON TABLE marketing.actions IS 'Append-only: what people and sensors did through the command line, the web or the assistant, and what came of it';
COMMENT ON COLUMN marketing.actions.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.actions.at IS 'When the row was written, which is the end of the action, or its beginning when the outcome is started';
COMMENT ON COLUMN marketing.actions.actor IS 'Who: login or name, as the door knows it';
COMMENT ON COLUMN marketing.actions.role IS 'With what rights, as the door knows them: viewer, operator, admin, system';
COMMENT ON COLUMN marketing.actions.door IS 'Where the wish came in: cli, web, assistant or sensor';
COMMENT ON COLUMN marketing.actions.database_user IS 'Login role of the session, which the actor cannot choose';
COMMENT ON COLUMN marketing.actions.action IS 'Name of the function in barton_pipeline.actions';
COMMENT ON COLUMN marketing.actions.parameters IS 'What it was asked to do; no secrets, and for forget only hashes or the ID';
COMMENT ON COLUMN marketing.actions.reason IS 'Why, in the words of the actor';
COMMENT ON COLUMN marketing.actions.shown_count IS 'How many things the preview had shown; NULL when nobody looked';
COMMENT ON COLUMN marketing.actions.done_count IS 'How many things were changed; NULL unless the outcome is done';
COMMENT ON COLUMN marketing.actions.outcome IS 'done; failed; refused (the preview had shown another number); started: it has several transactions and is at work or was killed, unless another row has its id as started_id';
COMMENT ON COLUMN marketing.actions.error IS 'First line of the error; NULL unless failed or refused';
COMMENT ON COLUMN marketing.actions.request_id IS 'Given by the door; the same request is carried out once';
COMMENT ON COLUMN marketing.actions.started_id IS 'The row with outcome started that this row ends; NULL for an action of one transaction';

ALTER TABLE marketing.actions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.actions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.alert_beats (
    name text NOT NULL,
    beat_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE marketing.alert_beats IS 'When each regular duty of the alerts was last done, so that two watchdogs do not do it twice';
COMMENT ON COLUMN marketing.alert_beats.name IS 'watchdog or summary';
COMMENT ON COLUMN marketing.alert_beats.beat_at IS 'Beginning of the quarter or hour it was done for';

CREATE TABLE marketing.alert_messages (
    id bigint NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    alert_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    CONSTRAINT alert_messages_delivered CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT alert_messages_kind_check CHECK ((kind = ANY (ARRAY['alert'::text, 'recovery'::text, 'summary'::text]))),
    CONSTRAINT alert_messages_severity_check CHECK ((severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT alert_messages_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'given_up'::text])))
);
COMMENT ON TABLE marketing.alert_messages IS 'What is to be told to each channel, and whether it has been; one row per message and channel';
COMMENT ON COLUMN marketing.alert_messages.id IS 'Order in which a channel gets them';
COMMENT ON COLUMN marketing.alert_messages.channel IS 'Kind and place in BARTON_ALERT_URLS (slack-1); never the URL, which is secret';
COMMENT ON COLUMN marketing.alert_messages.kind IS 'alert (new, worse, or still there), recovery (all of them are over), summary (of an hour)';
COMMENT ON COLUMN marketing.alert_messages.severity IS 'The worst of what it tells; info for recoveries and summaries';
COMMENT ON COLUMN marketing.alert_messages.title IS 'First line';
COMMENT ON COLUMN marketing.alert_messages.body IS 'The rest, as plain text';
COMMENT ON COLUMN marketing.alert_messages.alert_ids IS 'Rows of alerts it is about';
COMMENT ON COLUMN marketing.alert_messages.state IS 'pending, delivered (the channel took it), given_up (too old)';
COMMENT ON COLUMN marketing.alert_messages.attempts IS 'How often sending was begun';
COMMENT ON COLUMN marketing.alert_messages.next_attempt_at IS 'Not before then; moved on before each attempt, so that a killed one is repeated';
COMMENT ON COLUMN marketing.alert_messages.error IS 'Why the last attempt failed, without secrets';
COMMENT ON COLUMN marketing.alert_messages.created_at IS 'When there was something to tell';
COMMENT ON COLUMN marketing.alert_messages.delivered_at IS 'When the channel took it';

ALTER TABLE marketing.alert_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.alert_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.alerts (
    id bigint NOT NULL,
    rule text NOT NULL,
    subject text NOT NULL,
    severity text NOT NULL,
    value double precision NOT NULL,
    detail text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    announced_at timestamp with time zone DEFAULT now() NOT NULL,
    checked_at timestamp with time zone DEFAULT now() NOT NULL,
    recovered_at timestamp with time zone,
    CONSTRAINT alerts_severity_check CHECK ((severity = ANY (ARRAY['warning'::text, 'critical'::text])))
);
COMMENT ON TABLE marketing.alerts IS 'What a rule of alerts.yaml found wrong, from its beginning to its end; one open row per rule and subject';
COMMENT ON COLUMN marketing.alerts.id IS 'Number of the incident';
COMMENT ON COLUMN marketing.alerts.rule IS 'Which rule of alerts.yaml';
COMMENT ON COLUMN marketing.alerts.subject IS 'What it is about: a phase, stage, batch, vendor budget, or the event queue';
COMMENT ON COLUMN marketing.alerts.severity IS 'warning or critical; never falls before the alert is repeated or over';
COMMENT ON COLUMN marketing.alerts.value IS 'Last measurement, in the unit of the rule';
COMMENT ON COLUMN marketing.alerts.detail IS 'Last measurement in words; counts and names of batches and stages only';
COMMENT ON COLUMN marketing.alerts.created_at IS 'Since when it fires';
COMMENT ON COLUMN marketing.alerts.announced_at IS 'When channels were last to be told';
COMMENT ON COLUMN marketing.alerts.checked_at IS 'When it was last measured';
COMMENT ON COLUMN marketing.alerts.recovered_at IS 'When it was over; NULL while it fires';

ALTER TABLE marketing.alerts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.alerts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.barton_id_history (
    id bigint NOT NULL,
    barton_id text NOT NULL,
    entity text NOT NULL,
    change text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_by text DEFAULT marketing.actor() NOT NULL,
    CONSTRAINT barton_id_history_change_check CHECK ((change = ANY (ARRAY['given'::text, 'retired'::text]))),
    CONSTRAINT barton_id_history_entity_check CHECK ((entity = ANY (ARRAY['company'::text, 'person'::text, 'slot'::text])))
);
COMMENT ON TABLE marketing.barton_id_history IS 'Append-only: when each company and person ID was given and retired. Slot IDs follow their company; only their retirement is written';
COMMENT ON COLUMN marketing.barton_id_history.id IS 'Order of writing';
COMMENT ON COLUMN marketing.barton_id_history.barton_id IS 'Six segments 04.04.DD.SS.NNNNN.VVV; no foreign key, for retired ones stay here';
COMMENT ON COLUMN marketing.barton_id_history.entity IS 'company, person or slot (a slot only when retired)';
COMMENT ON COLUMN marketing.barton_id_history.change IS 'given or retired; a retired ID is never given again';
COMMENT ON COLUMN marketing.barton_id_history.changed_at IS 'Start of the transaction that gave or retired it';
COMMENT ON COLUMN marketing.barton_id_history.changed_by IS 'Who, as marketing.actor has it; the database user for what runs do by themselves';

ALTER TABLE marketing.barton_id_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.barton_id_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.batch_stages (
    import_batch_id text NOT NULL,
    stage text NOT NULL,
    run_id text NOT NULL,
    rows_in bigint NOT NULL,
    rows_out bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    completed_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE marketing.batch_stages IS 'When each stage last completed for a batch, and what it counted';
COMMENT ON COLUMN marketing.batch_stages.import_batch_id IS 'Batch that has passed the stage at least once';
COMMENT ON COLUMN marketing.batch_stages.stage IS 'The stage that completed: pipeline_stages.stage';
COMMENT ON COLUMN marketing.batch_stages.run_id IS 'Dagster run of the latest completion; barton run has one too';
COMMENT ON COLUMN marketing.batch_stages.rows_in IS 'Rows the stage looked at';
COMMENT ON COLUMN marketing.batch_stages.rows_out IS 'Rows it passed on';
COMMENT ON COLUMN marketing.batch_stages.rows_rejected IS 'Rows it turned away with a reason';
COMMENT ON COLUMN marketing.batch_stages.completed_at IS 'Latest completion; a stage that has never completed has no row';

CREATE TABLE marketing.bit_results (
    id bigint NOT NULL,
    company_id text NOT NULL,
    bit_score double precision NOT NULL,
    bit_model_version text NOT NULL,
    last_signal_at timestamp with time zone,
    calculated_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT bit_results_bit_score_check CHECK (((bit_score >= (0)::double precision) AND (bit_score <= (1)::double precision)))
);
COMMENT ON TABLE marketing.bit_results IS 'BIT per company over time; the newest row counts. metadata.reasons: each signal''s share';
COMMENT ON COLUMN marketing.bit_results.id IS 'Breaks ties of calculated_at';
COMMENT ON COLUMN marketing.bit_results.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.bit_results.bit_score IS 'Buyer intent 0..1; 0 without signals. A new row only when it moved by more than scoring.yaml''s history_epsilon';
COMMENT ON COLUMN marketing.bit_results.bit_model_version IS 'Version and content hash of scoring.yaml';
COMMENT ON COLUMN marketing.bit_results.last_signal_at IS 'Newest signal that counted; NULL without any';
COMMENT ON COLUMN marketing.bit_results.calculated_at IS 'Moment the score is as of';
COMMENT ON COLUMN marketing.bit_results.metadata IS 'reasons: share of each signal type, adding up to the score; first_party: BIT of the company''s own actions alone';

ALTER TABLE marketing.bit_results ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.bit_results_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.bit_signals (
    id bigint NOT NULL,
    company_id text NOT NULL,
    signal_type text NOT NULL,
    bit_intent_score real DEFAULT 1 NOT NULL,
    signal_timestamp timestamp with time zone NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL,
    source text DEFAULT 'manual'::text NOT NULL,
    external_id text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT bit_signals_bit_intent_score_check CHECK (((bit_intent_score >= (0)::double precision) AND (bit_intent_score <= (1)::double precision)))
);
COMMENT ON TABLE marketing.bit_signals IS 'Buyer-intent signals; bit_intent_score is the strength 0..1 of one signal';
COMMENT ON COLUMN marketing.bit_signals.id IS 'Order of recording';
COMMENT ON COLUMN marketing.bit_signals.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.bit_signals.signal_type IS 'Key of scoring.yaml; a type that has no weight there is reported and not scored';
COMMENT ON COLUMN marketing.bit_signals.bit_intent_score IS 'Strength of this one signal 0..1, before weight, confidence and age';
COMMENT ON COLUMN marketing.bit_signals.signal_timestamp IS 'When it happened';
COMMENT ON COLUMN marketing.bit_signals.observed_at IS 'When we learned of it; scores as of an earlier moment ignore it';
COMMENT ON COLUMN marketing.bit_signals.source IS 'Where it comes from (import, manual, hubspot ...); sets the confidence, and with external_id it is recorded once';
COMMENT ON COLUMN marketing.bit_signals.external_id IS 'The source''s own identifier, else a hash of company, type and time; NULL (SQL inserts only) is never a duplicate';
COMMENT ON COLUMN marketing.bit_signals.metadata IS 'signals_raw_intake_id of the row it was read from; empty or free for SQL inserts';

ALTER TABLE marketing.bit_signals ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.bit_signals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.companies_to_score (
    id bigint NOT NULL,
    import_batch_id text NOT NULL,
    company_id text NOT NULL,
    taken boolean DEFAULT false NOT NULL
);
COMMENT ON TABLE marketing.companies_to_score IS 'Companies with a signal that is not in their scores yet; a run takes them at bit_scores and removes them at sniper_targets';
COMMENT ON COLUMN marketing.companies_to_score.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.companies_to_score.import_batch_id IS 'Batch whose run will score it';
COMMENT ON COLUMN marketing.companies_to_score.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.companies_to_score.taken IS 'Whether a run of the batch has come to it';

ALTER TABLE marketing.companies_to_score ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.companies_to_score_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.company_aliases (
    domain text NOT NULL,
    name_key text NOT NULL,
    company_unique_id text NOT NULL
);
COMMENT ON TABLE marketing.company_aliases IS 'Under which names a company is found on its domain; written before the company, so that two batches that bring it at the same moment in two spellings wait for each other';
COMMENT ON COLUMN marketing.company_aliases.domain IS 'Registrable domain';
COMMENT ON COLUMN marketing.company_aliases.name_key IS 'The name as intake.alias_key leaves it: spelt loosely, or all words behind = for a name that stands apart';
COMMENT ON COLUMN marketing.company_aliases.company_unique_id IS 'The company that is meant';

CREATE TABLE marketing.company_master (
    company_unique_id text NOT NULL,
    company_name text NOT NULL,
    company_name_for_emails text,
    website_url text NOT NULL,
    domain text NOT NULL,
    company_name_key text NOT NULL,
    industry text,
    employee_count integer,
    founded_year integer,
    phone text,
    address text,
    city text,
    state text,
    postal_code text,
    country text,
    linkedin_url text,
    facebook_url text,
    twitter_url text,
    sic_codes text,
    source_system text,
    source_record_id text,
    import_batch_id text NOT NULL,
    promoted_from_intake_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    data_quality_score smallint GENERATED ALWAYS AS ((10 * num_nonnulls(industry, employee_count, founded_year, phone, address, city, state, postal_code, country, linkedin_url))) STORED NOT NULL,
    CONSTRAINT company_master_barton_id CHECK ((company_unique_id ~ '^04\.04\.01\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'::text)),
    CONSTRAINT company_master_employee_count_check CHECK ((employee_count > 0))
);
COMMENT ON TABLE marketing.company_master IS 'One row per real company; identity is registrable domain plus normalised name';
COMMENT ON COLUMN marketing.company_master.company_unique_id IS 'Barton ID 04.04.01.SS.NNNNN.VVV; permanent';
COMMENT ON COLUMN marketing.company_master.company_name IS 'As the fullest intake row of its first batch wrote it; later batches never change it';
COMMENT ON COLUMN marketing.company_master.company_name_for_emails IS 'Short form for a salutation; NULL when no export offered one';
COMMENT ON COLUMN marketing.company_master.website_url IS 'As the same intake row wrote it, scheme optional; domain is the form to join on';
COMMENT ON COLUMN marketing.company_master.domain IS 'Registrable domain, in Unicode; half of the identity';
COMMENT ON COLUMN marketing.company_master.company_name_key IS 'Normalised name, the other half of the identity; with legal form for names in intake.separate_names';
COMMENT ON COLUMN marketing.company_master.industry IS 'Free text; the first batch that told it wins';
COMMENT ON COLUMN marketing.company_master.employee_count IS 'Head count, or the lower bound of a band; NULL unknown';
COMMENT ON COLUMN marketing.company_master.founded_year IS 'Year from 1000 to next year; NULL unknown';
COMMENT ON COLUMN marketing.company_master.phone IS '7 to 15 digits with leading + where given; NULL unknown';
COMMENT ON COLUMN marketing.company_master.address IS 'One line: as given, else joined from street, town, state, postal code and country';
COMMENT ON COLUMN marketing.company_master.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN marketing.company_master.state IS 'State or region, written out or abbreviated as the export does; NULL unknown';
COMMENT ON COLUMN marketing.company_master.postal_code IS 'Text, so that leading zeros stay; NULL unknown';
COMMENT ON COLUMN marketing.company_master.country IS 'As the export names it, no code list; NULL unknown';
COMMENT ON COLUMN marketing.company_master.linkedin_url IS 'Company page, https://www.linkedin.com/company/name; NULL unknown';
COMMENT ON COLUMN marketing.company_master.facebook_url IS 'Page of the company, as the file had it, unchecked';
COMMENT ON COLUMN marketing.company_master.twitter_url IS 'Page of the company, as the file had it, unchecked';
COMMENT ON COLUMN marketing.company_master.sic_codes IS 'Industry codes, as one text';
COMMENT ON COLUMN marketing.company_master.source_system IS 'Kind of export that first brought it; NULL for SQL inserts that give none';
COMMENT ON COLUMN marketing.company_master.source_record_id IS 'Its identifier in source_system; NULL when the export has none';
COMMENT ON COLUMN marketing.company_master.import_batch_id IS 'The batch that first brought the company';
COMMENT ON COLUMN marketing.company_master.promoted_from_intake_at IS 'When company_master made it out of an intake row; never changes';
COMMENT ON COLUMN marketing.company_master.created_at IS 'When the row was written';
COMMENT ON COLUMN marketing.company_master.updated_at IS 'Last change, whoever made it';
COMMENT ON COLUMN marketing.company_master.data_quality_score IS '0..100: 10 for each of the ten describing columns that is filled';

CREATE TABLE marketing.vendor_calls (
    id bigint NOT NULL,
    request_id bigint NOT NULL,
    vendor text NOT NULL,
    operation text NOT NULL,
    environment text NOT NULL,
    input_key text NOT NULL,
    freshness_window integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'reserved'::text NOT NULL,
    input jsonb DEFAULT '{}'::jsonb NOT NULL,
    response jsonb,
    estimated_usd numeric(12,6) NOT NULL,
    actual_usd numeric(12,6),
    answered_at timestamp with time zone,
    fresh_until timestamp with time zone,
    CONSTRAINT vendor_calls_answered CHECK (((state = 'settled'::text) = ((answered_at IS NOT NULL) AND (response IS NOT NULL) AND (fresh_until IS NOT NULL)))),
    CONSTRAINT vendor_calls_environment_check CHECK ((environment = ANY (ARRAY['real'::text, 'sandbox'::text]))),
    CONSTRAINT vendor_calls_state_check CHECK ((state = ANY (ARRAY['reserved'::text, 'sent'::text, 'settled'::text, 'refused'::text, 'unknown'::text])))
);
COMMENT ON TABLE marketing.vendor_calls IS 'One row per paid input and freshness window, with its answer; what was answered is not bought again while fresh';
COMMENT ON COLUMN marketing.vendor_calls.id IS 'Our number of the answer; provenance names it as call';
COMMENT ON COLUMN marketing.vendor_calls.request_id IS 'The request that carries it; of a refused call the last one';
COMMENT ON COLUMN marketing.vendor_calls.vendor IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.environment IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_calls.input_key IS 'The normalised input: a domain, a LinkedIn company slug, an address';
COMMENT ON COLUMN marketing.vendor_calls.freshness_window IS 'Counts how often the input was asked for again after its answer had aged';
COMMENT ON COLUMN marketing.vendor_calls.state IS 'As in vendor_requests; an input the vendor left out of a settled request is refused';
COMMENT ON COLUMN marketing.vendor_calls.input IS 'What the input belongs to: company, person, how the address was found';
COMMENT ON COLUMN marketing.vendor_calls.response IS 'The vendor''s answer to this input, as it came';
COMMENT ON COLUMN marketing.vendor_calls.estimated_usd IS 'Its share of the request''s estimate';
COMMENT ON COLUMN marketing.vendor_calls.actual_usd IS 'Its share of what was charged';
COMMENT ON COLUMN marketing.vendor_calls.answered_at IS 'When the answer came: the observation time of everything derived from it';
COMMENT ON COLUMN marketing.vendor_calls.fresh_until IS 'From then on it may be asked for again';

CREATE VIEW marketing.company_answers AS
 SELECT c.company_unique_id,
    v.id AS call_id,
    v.operation,
    v.environment,
    v.input_key,
    v.response,
    v.answered_at
   FROM (marketing.company_master c
     CROSS JOIN LATERAL ( SELECT vendor_calls.id,
            vendor_calls.request_id,
            vendor_calls.vendor,
            vendor_calls.operation,
            vendor_calls.environment,
            vendor_calls.input_key,
            vendor_calls.freshness_window,
            vendor_calls.state,
            vendor_calls.input,
            vendor_calls.response,
            vendor_calls.estimated_usd,
            vendor_calls.actual_usd,
            vendor_calls.answered_at,
            vendor_calls.fresh_until
           FROM marketing.vendor_calls
          WHERE ((vendor_calls.input_key = c.domain) AND (vendor_calls.operation = 'leads_finder'::text) AND (vendor_calls.state = 'settled'::text))
        UNION ALL
         SELECT vendor_calls.id,
            vendor_calls.request_id,
            vendor_calls.vendor,
            vendor_calls.operation,
            vendor_calls.environment,
            vendor_calls.input_key,
            vendor_calls.freshness_window,
            vendor_calls.state,
            vendor_calls.input,
            vendor_calls.response,
            vendor_calls.estimated_usd,
            vendor_calls.actual_usd,
            vendor_calls.answered_at,
            vendor_calls.fresh_until
           FROM marketing.vendor_calls
          WHERE ((vendor_calls.input_key = marketing.linkedin_slug(c.linkedin_url)) AND (vendor_calls.operation = 'linkedin_employees'::text) AND (vendor_calls.state = 'settled'::text))) v);
COMMENT ON VIEW marketing.company_answers IS 'Every paid answer about the people of each company';
COMMENT ON COLUMN marketing.company_answers.company_unique_id IS 'Whom the answer is about; two companies may share a domain';
COMMENT ON COLUMN marketing.company_answers.call_id IS 'Row of vendor_calls';
COMMENT ON COLUMN marketing.company_answers.operation IS 'Paid source that answered';
COMMENT ON COLUMN marketing.company_answers.environment IS 'real or sandbox';
COMMENT ON COLUMN marketing.company_answers.input_key IS 'Domain or LinkedIn slug that was asked about';
COMMENT ON COLUMN marketing.company_answers.response IS 'Items of the vendor, as they came';
COMMENT ON COLUMN marketing.company_answers.answered_at IS 'When it was observed';

CREATE TABLE marketing.company_batches (
    import_batch_id text NOT NULL,
    company_unique_id text NOT NULL,
    mentioned_by text NOT NULL,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT company_batches_mentioned_by_check CHECK ((mentioned_by = ANY (ARRAY['companies'::text, 'people'::text, 'signals'::text])))
);
COMMENT ON TABLE marketing.company_batches IS 'Which batches mentioned which company: the companies a batch''s stages work on';
COMMENT ON COLUMN marketing.company_batches.import_batch_id IS 'Batch whose stages work on the company';
COMMENT ON COLUMN marketing.company_batches.company_unique_id IS 'Company mentioned; one that several batches mention has a row for each';
COMMENT ON COLUMN marketing.company_batches.mentioned_by IS 'What mentioned it first: companies, people or signals rows';
COMMENT ON COLUMN marketing.company_batches.first_seen_at IS 'Start of the stage that found the mention';

CREATE TABLE marketing.company_matches (
    intake_id bigint NOT NULL,
    company_unique_id text NOT NULL,
    rule text NOT NULL,
    matched_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT company_matches_rule_check CHECK ((rule = ANY (ARRAY['new_company'::text, 'same_batch'::text, 'existing_company'::text])))
);
COMMENT ON TABLE marketing.company_matches IS 'Which company each valid intake row became, and by which rule';
COMMENT ON COLUMN marketing.company_matches.intake_id IS 'company_raw_intake.id';
COMMENT ON COLUMN marketing.company_matches.company_unique_id IS 'Company the intake row was taken for; barton unmatch undoes it';
COMMENT ON COLUMN marketing.company_matches.rule IS 'new_company (the row made it), same_batch (it joined one its batch made), existing_company (it joined an older one)';
COMMENT ON COLUMN marketing.company_matches.matched_at IS 'When the row was matched to this company; later runs that agree keep it';

CREATE SEQUENCE marketing.company_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE marketing.company_slots (
    company_slot_unique_id text NOT NULL,
    company_unique_id text NOT NULL,
    slot_type text NOT NULL,
    slot_label text NOT NULL,
    is_filled boolean DEFAULT false NOT NULL,
    person_unique_id text,
    filled_at timestamp with time zone,
    fill_confidence real,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    search_state text DEFAULT 'not_searched'::text NOT NULL,
    searched_at timestamp with time zone,
    CONSTRAINT company_slots_barton_id CHECK ((company_slot_unique_id ~ '^04\.04\.05\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'::text)),
    CONSTRAINT company_slots_fill_confidence_check CHECK (((fill_confidence >= (0)::double precision) AND (fill_confidence <= (1)::double precision))),
    CONSTRAINT company_slots_filled CHECK ((is_filled = (person_unique_id IS NOT NULL))),
    CONSTRAINT company_slots_follows_company CHECK ((company_slot_unique_id = (('04.04.05'::text || substr(company_unique_id, 9, 9)) ||
CASE slot_type
    WHEN 'CEO'::text THEN '.001'::text
    WHEN 'CFO'::text THEN '.002'::text
    ELSE '.003'::text
END))),
    CONSTRAINT company_slots_search_state_check CHECK ((search_state = ANY (ARRAY['filled'::text, 'vacant'::text, 'not_searched'::text, 'ambiguous'::text]))),
    CONSTRAINT company_slots_slot_type_check CHECK ((slot_type = ANY (ARRAY['CEO'::text, 'CFO'::text, 'HR'::text])))
);
COMMENT ON TABLE marketing.company_slots IS 'Exactly three per company: CEO, CFO, HR';
COMMENT ON COLUMN marketing.company_slots.company_slot_unique_id IS 'Barton ID 04.04.05.SS.NNNNN.VVV: the company''s, with version 001 CEO, 002 CFO, 003 HR';
COMMENT ON COLUMN marketing.company_slots.company_unique_id IS 'Company of the slot; every company has exactly three';
COMMENT ON COLUMN marketing.company_slots.slot_type IS 'CEO, CFO or HR';
COMMENT ON COLUMN marketing.company_slots.slot_label IS 'Written-out role: Chief Executive Officer, Chief Financial Officer or HR Director';
COMMENT ON COLUMN marketing.company_slots.is_filled IS 'true exactly when person_unique_id is set';
COMMENT ON COLUMN marketing.company_slots.person_unique_id IS 'Who holds it; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.filled_at IS 'When the present holder took it; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.fill_confidence IS '0..1: how surely the holder''s title qualifies; NULL when vacant';
COMMENT ON COLUMN marketing.company_slots.created_at IS 'When the slot was opened';
COMMENT ON COLUMN marketing.company_slots.updated_at IS 'Last change, whoever made it';
COMMENT ON COLUMN marketing.company_slots.search_state IS 'filled; ambiguous (filled, another candidate is as likely); vacant (searched, nobody found); not_searched';
COMMENT ON COLUMN marketing.company_slots.searched_at IS 'When a paid source last answered for the company';

CREATE TABLE marketing.contact_enrichment (
    id bigint NOT NULL,
    company_slot_unique_id text NOT NULL,
    person_unique_id text NOT NULL,
    outcome text NOT NULL,
    title text,
    confidence real NOT NULL,
    rule text NOT NULL,
    source text NOT NULL,
    import_batch_id text NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text,
    CONSTRAINT contact_enrichment_outcome_check CHECK ((outcome = ANY (ARRAY['filled'::text, 'replaced'::text, 'runner_up'::text, 'left'::text])))
);
COMMENT ON TABLE marketing.contact_enrichment IS 'History of every candidate for a slot: who filled it, who lost it, who came close, and why';
COMMENT ON COLUMN marketing.contact_enrichment.id IS 'Order of writing';
COMMENT ON COLUMN marketing.contact_enrichment.company_slot_unique_id IS 'Slot the candidate was compared for';
COMMENT ON COLUMN marketing.contact_enrichment.person_unique_id IS 'Candidate the row is about, also when another one got the slot';
COMMENT ON COLUMN marketing.contact_enrichment.outcome IS 'filled (got the slot), replaced (lost it to another), runner_up (qualified, another was better)';
COMMENT ON COLUMN marketing.contact_enrichment.title IS 'The title at that moment';
COMMENT ON COLUMN marketing.contact_enrichment.confidence IS '0..1: how surely the title qualifies';
COMMENT ON COLUMN marketing.contact_enrichment.rule IS 'Rule of titles.yaml that classified the title; no title when there is none';
COMMENT ON COLUMN marketing.contact_enrichment.source IS 'people_master.source of the candidate';
COMMENT ON COLUMN marketing.contact_enrichment.import_batch_id IS 'Batch whose run decided';
COMMENT ON COLUMN marketing.contact_enrichment.observed_at IS 'Start of the stage that decided';
COMMENT ON COLUMN marketing.contact_enrichment.reason IS 'Why the candidate got, lost or missed the slot';

ALTER TABLE marketing.contact_enrichment ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.contact_enrichment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.email_verification (
    email text NOT NULL,
    status text NOT NULL,
    reason text,
    is_role boolean DEFAULT false NOT NULL,
    is_disposable boolean DEFAULT false NOT NULL,
    is_free_mail boolean DEFAULT false NOT NULL,
    mx text,
    source text NOT NULL,
    rules_version text,
    import_batch_id text,
    verified_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT email_verification_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'valid'::text, 'invalid'::text, 'risky'::text, 'unknown'::text])))
);
COMMENT ON TABLE marketing.email_verification IS 'One row per address: the newest verdict; verified is not the same as ready for outreach';
COMMENT ON COLUMN marketing.email_verification.email IS 'Address in lower case, as in people_master; not tied to one person';
COMMENT ON COLUMN marketing.email_verification.status IS 'Local checks say invalid or unknown; valid, risky and pending are for a vendor to say';
COMMENT ON COLUMN marketing.email_verification.reason IS 'Local: syntax, disposable, no_domain, null_mx, no_mx, weak_mx, dns_unavailable or not_verified_by_vendor';
COMMENT ON COLUMN marketing.email_verification.is_role IS 'true for info@, sales@ and the like: a function, no person; never counts as a ready contact';
COMMENT ON COLUMN marketing.email_verification.is_disposable IS 'Domain of a throw-away mail service';
COMMENT ON COLUMN marketing.email_verification.is_free_mail IS 'Domain of a free mail provider: says nothing of the employer';
COMMENT ON COLUMN marketing.email_verification.mx IS 'ok, weak (address record only), null_mx, no_domain, no_mx, unavailable (no DNS; asked again); NULL not asked';
COMMENT ON COLUMN marketing.email_verification.source IS 'local, or the vendor that gave the verdict';
COMMENT ON COLUMN marketing.email_verification.rules_version IS 'Versions of lists and packages behind a local verdict, a change renews it; NULL for a vendor''s';
COMMENT ON COLUMN marketing.email_verification.import_batch_id IS 'Batch whose run last checked it; email events go to this batch';
COMMENT ON COLUMN marketing.email_verification.verified_at IS 'When the verdict was given; its age decides on renewal';
COMMENT ON COLUMN marketing.email_verification.metadata IS 'Free for a vendor''s answer; local checks leave it empty';

CREATE TABLE marketing.event_days (
    id bigint NOT NULL,
    date date NOT NULL,
    processed bigint NOT NULL,
    seconds double precision NOT NULL
);
COMMENT ON TABLE marketing.event_days IS 'Processed events per day, in instalments; outlives the events themselves';
COMMENT ON COLUMN marketing.event_days.id IS 'Order of writing';
COMMENT ON COLUMN marketing.event_days.date IS 'UTC day on which the events were created';
COMMENT ON COLUMN marketing.event_days.processed IS 'How many of them this instalment stands for';
COMMENT ON COLUMN marketing.event_days.seconds IS 'Sum of the seconds between their creation and their end';

ALTER TABLE marketing.event_days ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.event_days_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.event_routes (
    event_type text NOT NULL,
    entry_stage text
);
COMMENT ON TABLE marketing.event_routes IS 'First stage an event makes stale; that stage and all after it must run. NULL: informational, no run';
COMMENT ON COLUMN marketing.event_routes.event_type IS 'Value of pipeline_events.event_type; a type without a row here starts no run';
COMMENT ON COLUMN marketing.event_routes.entry_stage IS 'First stage the event makes stale; NULL: no run';

CREATE TABLE marketing.known_ids (
    entity text NOT NULL,
    parent text NOT NULL,
    identity text NOT NULL,
    barton_id text NOT NULL,
    CONSTRAINT known_ids_entity_check CHECK ((entity = ANY (ARRAY['company'::text, 'person'::text])))
);
COMMENT ON TABLE marketing.known_ids IS 'IDs that a replay hands out again to whom they belong; empty at any other time';
COMMENT ON COLUMN marketing.known_ids.entity IS 'company or person';
COMMENT ON COLUMN marketing.known_ids.parent IS 'Domain of a company; company ID of a person';
COMMENT ON COLUMN marketing.known_ids.identity IS 'company_name_key or person_key';
COMMENT ON COLUMN marketing.known_ids.barton_id IS 'The permanent ID';

CREATE TABLE marketing.messages_outbound (
    id bigint NOT NULL,
    company_id text NOT NULL,
    person_unique_id text,
    channel text DEFAULT 'email'::text NOT NULL,
    recipient text NOT NULL,
    subject text,
    status text DEFAULT 'sent'::text NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);
COMMENT ON TABLE marketing.messages_outbound IS 'Messages sent to people at target companies';
COMMENT ON COLUMN marketing.messages_outbound.id IS 'Order of sending';
COMMENT ON COLUMN marketing.messages_outbound.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.messages_outbound.person_unique_id IS 'people_master row written to; NULL when the recipient is none of them';
COMMENT ON COLUMN marketing.messages_outbound.channel IS 'email unless said otherwise';
COMMENT ON COLUMN marketing.messages_outbound.recipient IS 'Address or handle it went to';
COMMENT ON COLUMN marketing.messages_outbound.subject IS 'Line above an e-mail; NULL for channels that have none';
COMMENT ON COLUMN marketing.messages_outbound.status IS 'Free text of the sending program, sent by default; the pipeline reads delivered_at instead';
COMMENT ON COLUMN marketing.messages_outbound.sent_at IS 'When it left';
COMMENT ON COLUMN marketing.messages_outbound.delivered_at IS 'When the other side took it; NULL until then. Clicks within seconds of it are mail scanners';
COMMENT ON COLUMN marketing.messages_outbound.metadata IS 'Free for the sending program; the pipeline does not read it';

ALTER TABLE marketing.messages_outbound ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.messages_outbound_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.operations (
    id bigint NOT NULL,
    action text NOT NULL,
    target text DEFAULT ''::text NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    started_by text DEFAULT marketing.actor() NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    CONSTRAINT operations_action_check CHECK ((action = ANY (ARRAY['silence'::text, 'trigger'::text, 'pause'::text, 'manual'::text, 'undo_batch'::text])))
);
COMMENT ON TABLE marketing.operations IS 'Rollbacks in force (ended_at NULL) and past ones, and undone batches; nothing is ever deleted here';
COMMENT ON COLUMN marketing.operations.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.operations.action IS 'silence: no notifications; trigger: one is dropped; pause: no events; manual: no runs by sensors; undo_batch';
COMMENT ON COLUMN marketing.operations.target IS 'Trigger or batch, if one';
COMMENT ON COLUMN marketing.operations.details IS 'What it did; since: from when changes have to be caught up';
COMMENT ON COLUMN marketing.operations.started_at IS 'When';
COMMENT ON COLUMN marketing.operations.started_by IS 'Who (marketing.actor)';
COMMENT ON COLUMN marketing.operations.ended_at IS 'When it was reversed; NULL: in force';
COMMENT ON COLUMN marketing.operations.ended_by IS 'Who (marketing.actor)';

ALTER TABLE marketing.operations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.operations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.outcomes (
    id bigint NOT NULL,
    company_id text NOT NULL,
    outcome_type text NOT NULL,
    lead_reference text,
    occurred_at timestamp with time zone NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL,
    source text DEFAULT 'manual'::text NOT NULL,
    external_id text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT outcomes_outcome_type_check CHECK ((outcome_type = ANY (ARRAY['attempt'::text, 'positive_reply'::text, 'meeting'::text, 'opportunity'::text, 'won'::text, 'declined'::text, 'lost'::text])))
);
COMMENT ON TABLE marketing.outcomes IS 'What became of working on a company: attempts, and what followed. PLE learns from it';
COMMENT ON COLUMN marketing.outcomes.id IS 'Row number, given by the database';
COMMENT ON COLUMN marketing.outcomes.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.outcomes.outcome_type IS 'attempt: work on the company began. The others followed';
COMMENT ON COLUMN marketing.outcomes.lead_reference IS 'Joins an attempt and what followed; NULL: all of the company''s';
COMMENT ON COLUMN marketing.outcomes.occurred_at IS 'When it happened';
COMMENT ON COLUMN marketing.outcomes.observed_at IS 'When we learned of it';
COMMENT ON COLUMN marketing.outcomes.source IS 'Who says so';
COMMENT ON COLUMN marketing.outcomes.external_id IS 'The source''s own number; the same one counts once';
COMMENT ON COLUMN marketing.outcomes.metadata IS 'Whatever else is known';

ALTER TABLE marketing.outcomes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.outcomes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.people_master (
    person_unique_id text NOT NULL,
    company_unique_id text NOT NULL,
    company_slot_unique_id text,
    person_key text NOT NULL,
    first_name text,
    last_name text,
    full_name text NOT NULL,
    title text,
    slot_type text,
    slot_confidence real,
    slot_rule text,
    seniority text,
    department text,
    email text,
    email_source_status text,
    email_verified boolean DEFAULT false NOT NULL,
    phone text,
    linkedin_url text,
    source text NOT NULL,
    source_record_id text,
    import_batch_id text NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    provenance jsonb DEFAULT '{}'::jsonb NOT NULL,
    left_at timestamp with time zone,
    CONSTRAINT people_master_barton_id CHECK ((person_unique_id ~ '^04\.04\.02\.[0-9]{2}\.[0-9]{5}\.[0-9]{3}$'::text)),
    CONSTRAINT people_master_slot_confidence_check CHECK (((slot_confidence >= (0)::double precision) AND (slot_confidence <= (1)::double precision))),
    CONSTRAINT people_master_slot_type_check CHECK ((slot_type = ANY (ARRAY['CEO'::text, 'CFO'::text, 'HR'::text])))
);
COMMENT ON TABLE marketing.people_master IS 'People at our companies; every candidate is kept, at most one holds each slot';
COMMENT ON COLUMN marketing.people_master.person_unique_id IS 'Barton ID 04.04.02.SS.NNNNN.VVV; permanent';
COMMENT ON COLUMN marketing.people_master.company_unique_id IS 'Employer; somebody at two companies is two people here';
COMMENT ON COLUMN marketing.people_master.company_slot_unique_id IS 'Slot the person holds now; NULL holds none. Follows company_slots.person_unique_id';
COMMENT ON COLUMN marketing.people_master.person_key IS 'Normalised full name: the person within the company';
COMMENT ON COLUMN marketing.people_master.first_name IS 'First one told; later sightings only fill a NULL';
COMMENT ON COLUMN marketing.people_master.last_name IS 'First one told; later sightings only fill a NULL';
COMMENT ON COLUMN marketing.people_master.full_name IS 'As first imported, or first and last name joined; never changes';
COMMENT ON COLUMN marketing.people_master.title IS 'Newest title seen; NULL when no export told one';
COMMENT ON COLUMN marketing.people_master.slot_type IS 'Slot the title qualifies for, whether or not the person holds it';
COMMENT ON COLUMN marketing.people_master.slot_confidence IS '0..1: how surely the title qualifies for slot_type; 0 when for none, NULL without a title';
COMMENT ON COLUMN marketing.people_master.slot_rule IS 'Rule of titles.yaml that decided, also when the title fits no slot; NULL without a title';
COMMENT ON COLUMN marketing.people_master.seniority IS 'The export''s own grading, not used by titles.yaml; first one told';
COMMENT ON COLUMN marketing.people_master.department IS 'The export''s own department list, not used by titles.yaml; first one told';
COMMENT ON COLUMN marketing.people_master.email IS 'Newest address seen, lower case; its verdict is in email_verification';
COMMENT ON COLUMN marketing.people_master.email_source_status IS 'What the export said of the address; a claim, not a verification';
COMMENT ON COLUMN marketing.people_master.email_verified IS 'true when email_verification.status is valid, which needs a vendor; not the same as ready for outreach';
COMMENT ON COLUMN marketing.people_master.phone IS 'First direct or company number told, else mobile; as the file had it, unchecked';
COMMENT ON COLUMN marketing.people_master.linkedin_url IS 'Personal profile, as the file had it, unchecked; first one told';
COMMENT ON COLUMN marketing.people_master.source IS 'Kind of export that first brought the person; import when the row gave none';
COMMENT ON COLUMN marketing.people_master.source_record_id IS 'The person''s identifier in source; NULL when the export has none';
COMMENT ON COLUMN marketing.people_master.import_batch_id IS 'Batch whose run made the person';
COMMENT ON COLUMN marketing.people_master.observed_at IS 'Arrival of the newest intake row about the person; a newer one replaces title and email';
COMMENT ON COLUMN marketing.people_master.created_at IS 'When the row was written';
COMMENT ON COLUMN marketing.people_master.updated_at IS 'Last change, whoever made it';
COMMENT ON COLUMN marketing.people_master.provenance IS 'Per value (title, email, …): source, observed_at, confidence, and call, the vendor_calls row it came from';
COMMENT ON COLUMN marketing.people_master.left_at IS 'When we saw that the person no longer works there; such a person holds no slot';

CREATE SEQUENCE marketing.person_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE marketing.pipeline_errors (
    id bigint NOT NULL,
    event_type text NOT NULL,
    record_id text,
    import_batch_id text,
    error_message text NOT NULL,
    error_details jsonb DEFAULT '{}'::jsonb NOT NULL,
    severity text DEFAULT 'error'::text NOT NULL,
    resolved boolean DEFAULT false NOT NULL,
    resolved_at timestamp with time zone,
    resolved_by text,
    resolution_notes text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    fingerprint text GENERATED ALWAYS AS (marketing.error_fingerprint(error_message)) STORED,
    CONSTRAINT pipeline_errors_resolution CHECK ((resolved = (resolved_at IS NOT NULL))),
    CONSTRAINT pipeline_errors_severity_check CHECK ((severity = ANY (ARRAY['warning'::text, 'error'::text, 'critical'::text])))
);
COMMENT ON TABLE marketing.pipeline_errors IS 'Every failure, with enough to act on';
COMMENT ON COLUMN marketing.pipeline_errors.id IS 'For barton errors --resolve';
COMMENT ON COLUMN marketing.pipeline_errors.event_type IS 'Stage, check_<name>, dead_letter, worker_lost, signal_type_unknown, or the type of the event that failed';
COMMENT ON COLUMN marketing.pipeline_errors.record_id IS 'Row, event or run concerned, as text; NULL when none is';
COMMENT ON COLUMN marketing.pipeline_errors.import_batch_id IS 'Batch concerned; NULL when none is';
COMMENT ON COLUMN marketing.pipeline_errors.error_message IS 'What happened, to which rows, and what to do';
COMMENT ON COLUMN marketing.pipeline_errors.error_details IS 'Samples, traceback, remedy';
COMMENT ON COLUMN marketing.pipeline_errors.severity IS 'warning (look when convenient), error, critical (a dead letter or a blocking check: nothing goes on)';
COMMENT ON COLUMN marketing.pipeline_errors.resolved IS 'Whether somebody closed it';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_at IS 'When it was closed; NULL while open';
COMMENT ON COLUMN marketing.pipeline_errors.resolved_by IS 'Who closed it (marketing.actor), or what resolve_pipeline_error was told; NULL while open';
COMMENT ON COLUMN marketing.pipeline_errors.resolution_notes IS 'What was done, in the closer''s words; may be NULL';
COMMENT ON COLUMN marketing.pipeline_errors.created_at IS 'When it happened';
COMMENT ON COLUMN marketing.pipeline_errors.fingerprint IS 'The cause, marketing.error_fingerprint of the message; what errors are grouped by';

ALTER TABLE marketing.pipeline_errors ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.pipeline_errors_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.pipeline_events (
    id bigint NOT NULL,
    event_type text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    import_batch_id text,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    crashes smallint DEFAULT 0 NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_token uuid,
    lease_until timestamp with time zone,
    claimed_by text,
    n_rows bigint DEFAULT 1 NOT NULL,
    first_record_id text,
    last_record_id text,
    raised_by uuid,
    error_message text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    processed_at timestamp with time zone,
    CONSTRAINT pipeline_events_end CHECK (((status = ANY (ARRAY['processed'::text, 'failed'::text])) = (processed_at IS NOT NULL))),
    CONSTRAINT pipeline_events_lease CHECK ((((status = 'processing'::text) = (lease_token IS NOT NULL)) AND ((lease_token IS NULL) = (lease_until IS NULL)))),
    CONSTRAINT pipeline_events_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'processed'::text, 'failed'::text])))
);
COMMENT ON TABLE marketing.pipeline_events IS 'Transactional outbox: each row is a hint that a batch has work';
COMMENT ON COLUMN marketing.pipeline_events.id IS 'Order of writing, not of commit: never consume by it';
COMMENT ON COLUMN marketing.pipeline_events.event_type IS 'What changed; event_routes says where the work begins';
COMMENT ON COLUMN marketing.pipeline_events.payload IS 'record_id and import_batch_id; for single rows business columns such as company and website, else count and range';
COMMENT ON COLUMN marketing.pipeline_events.import_batch_id IS 'Batch that has work; an event that needs a run and names none ends as failed';
COMMENT ON COLUMN marketing.pipeline_events.status IS 'pending, processing, processed or failed (dead letter); docs/explanation/event-protocol.md';
COMMENT ON COLUMN marketing.pipeline_events.attempts IS 'Runs started for this event';
COMMENT ON COLUMN marketing.pipeline_events.crashes IS 'Of those, the ones whose worker vanished';
COMMENT ON COLUMN marketing.pipeline_events.available_at IS 'Not before this moment; retries move it';
COMMENT ON COLUMN marketing.pipeline_events.lease_token IS 'Fence: only the holder may finish or fail the event';
COMMENT ON COLUMN marketing.pipeline_events.lease_until IS 'Until when the run may be silent, server time; NULL unless processing';
COMMENT ON COLUMN marketing.pipeline_events.claimed_by IS 'Dagster run that works on it';
COMMENT ON COLUMN marketing.pipeline_events.n_rows IS 'Rows this event stands for (coalesced above 100 a statement)';
COMMENT ON COLUMN marketing.pipeline_events.first_record_id IS 'Lowest record the event stands for; a range is a superset';
COMMENT ON COLUMN marketing.pipeline_events.last_record_id IS 'Highest record the event stands for; the same as first_record_id for a single row';
COMMENT ON COLUMN marketing.pipeline_events.raised_by IS 'Lease token of the run whose own writes raised it';
COMMENT ON COLUMN marketing.pipeline_events.error_message IS 'Why the last attempt failed; NULL when none did, and again once processed';
COMMENT ON COLUMN marketing.pipeline_events.created_at IS 'Start of the transaction that raised it';
COMMENT ON COLUMN marketing.pipeline_events.processed_at IS 'When it ended; NULL while pending or processing';

ALTER TABLE marketing.pipeline_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.pipeline_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.pipeline_stages (
    stage text NOT NULL,
    "position" smallint NOT NULL,
    phase text NOT NULL,
    CONSTRAINT pipeline_stages_phase_check CHECK ((phase = ANY (ARRAY['enrichment'::text, 'intelligence'::text, 'messaging'::text, 'delivery'::text])))
);
COMMENT ON TABLE marketing.pipeline_stages IS 'The stages in run order and the phase each belongs to';
COMMENT ON COLUMN marketing.pipeline_stages.stage IS 'Dagster asset name, and the name of its file in sql/stages';
COMMENT ON COLUMN marketing.pipeline_stages."position" IS 'Place in the run, from 1; an event makes its entry stage and all later ones stale';
COMMENT ON COLUMN marketing.pipeline_stages.phase IS 'Card of the dashboard: enrichment, intelligence, messaging or delivery';

CREATE TABLE marketing.ple_models (
    version text NOT NULL,
    method text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    scorecard jsonb NOT NULL,
    report jsonb NOT NULL,
    card text NOT NULL,
    trained_at timestamp with time zone DEFAULT now() NOT NULL,
    trained_until timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT ple_models_method_check CHECK ((method = ANY (ARRAY['logistic'::text, 'boosting'::text]))),
    CONSTRAINT ple_models_status_check CHECK ((status = ANY (ARRAY['champion'::text, 'rejected'::text, 'retired'::text])))
);
COMMENT ON TABLE marketing.ple_models IS 'Every PLE model that was trained, with its report; the champion scores. None: the rubric';
COMMENT ON COLUMN marketing.ple_models.version IS 'Method, date and hash of the scorecard';
COMMENT ON COLUMN marketing.ple_models.method IS 'How the points were learned';
COMMENT ON COLUMN marketing.ple_models.status IS 'champion: scores now; retired: did once; rejected: never';
COMMENT ON COLUMN marketing.ple_models.reason IS 'Why it was published or rejected';
COMMENT ON COLUMN marketing.ple_models.scorecard IS 'Points by feature and bin, calibration and ranks (docs/explanation/learning.md)';
COMMENT ON COLUMN marketing.ple_models.report IS 'Numbers of the model card';
COMMENT ON COLUMN marketing.ple_models.card IS 'Model card in Markdown';
COMMENT ON COLUMN marketing.ple_models.trained_at IS 'When';
COMMENT ON COLUMN marketing.ple_models.trained_until IS 'Newest attempt it has seen';
COMMENT ON COLUMN marketing.ple_models.retired_at IS 'When another model took its place';

CREATE TABLE marketing.ple_results (
    id bigint NOT NULL,
    company_id text NOT NULL,
    ple_score double precision NOT NULL,
    ple_model_version text NOT NULL,
    method text DEFAULT 'rubric'::text NOT NULL,
    p_convert double precision,
    calculated_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT ple_results_method_check CHECK ((method = ANY (ARRAY['rubric'::text, 'logistic'::text, 'boosting'::text]))),
    CONSTRAINT ple_results_p_convert_check CHECK (((p_convert >= (0)::double precision) AND (p_convert <= (1)::double precision))),
    CONSTRAINT ple_results_ple_score_check CHECK (((ple_score >= (0)::double precision) AND (ple_score <= (1)::double precision)))
);
COMMENT ON TABLE marketing.ple_results IS 'PLE per company over time; the newest row counts. metadata.reasons add up to the score';
COMMENT ON COLUMN marketing.ple_results.id IS 'Breaks ties of calculated_at';
COMMENT ON COLUMN marketing.ple_results.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.ple_results.ple_score IS 'Lead score 0..1, rubric points / 100; a new row only when it moved by more than scoring.yaml''s history_epsilon';
COMMENT ON COLUMN marketing.ple_results.ple_model_version IS 'rubric- and the version and content hash of scoring.yaml, such as rubric-1-3fa9c2d1';
COMMENT ON COLUMN marketing.ple_results.method IS 'What computed it: rubric (points); logistic and boosting are for learned models';
COMMENT ON COLUMN marketing.ple_results.p_convert IS 'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.ple_results.calculated_at IS 'Moment the score is as of';
COMMENT ON COLUMN marketing.ple_results.metadata IS 'reasons: share of each feature, adding up to the score';

ALTER TABLE marketing.ple_results ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.ple_results_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.ple_training_examples (
    id bigint NOT NULL,
    company_id text NOT NULL,
    as_of timestamp with time zone NOT NULL,
    converted boolean NOT NULL,
    features jsonb NOT NULL,
    built_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE marketing.ple_training_examples IS 'The training set as last built: one row per attempt that is old enough to judge';
COMMENT ON COLUMN marketing.ple_training_examples.id IS 'The attempt in marketing.outcomes';
COMMENT ON COLUMN marketing.ple_training_examples.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.ple_training_examples.as_of IS 'Moment of the attempt; features are what was known then';
COMMENT ON COLUMN marketing.ple_training_examples.converted IS 'Whether a positive outcome followed within the horizon';
COMMENT ON COLUMN marketing.ple_training_examples.features IS '{feature: number, word or null}; @feature: its share of the rubric';
COMMENT ON COLUMN marketing.ple_training_examples.built_at IS 'When the set was built';

CREATE TABLE marketing.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    applied_by text DEFAULT CURRENT_USER NOT NULL
);
COMMENT ON TABLE marketing.schema_migrations IS 'Migrations that barton migrate has applied';
COMMENT ON COLUMN marketing.schema_migrations.version IS 'Number of the file';
COMMENT ON COLUMN marketing.schema_migrations.name IS 'Rest of the file''s name';
COMMENT ON COLUMN marketing.schema_migrations.checksum IS 'SHA-256 of the file as applied; an edited file is refused';
COMMENT ON COLUMN marketing.schema_migrations.applied_at IS 'When';
COMMENT ON COLUMN marketing.schema_migrations.applied_by IS 'Database user';

CREATE TABLE marketing.schema_objects (
    path text NOT NULL,
    checksum text NOT NULL,
    makes text[] NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    applied_by text DEFAULT CURRENT_USER NOT NULL
);
COMMENT ON TABLE marketing.schema_objects IS 'Files of sql/data and sql/objects that barton migrate has applied; each is applied again when it changes';
COMMENT ON COLUMN marketing.schema_objects.path IS 'The file, from the folder sql';
COMMENT ON COLUMN marketing.schema_objects.checksum IS 'SHA-256 of the file as applied';
COMMENT ON COLUMN marketing.schema_objects.makes IS 'Functions, triggers and views that the file makes; they are dropped when no file makes them any more';
COMMENT ON COLUMN marketing.schema_objects.applied_at IS 'When it was applied last';
COMMENT ON COLUMN marketing.schema_objects.applied_by IS 'Database user who did';

CREATE TABLE marketing.sniper_targets (
    company_id text NOT NULL,
    ple_score double precision NOT NULL,
    bit_intent_score double precision NOT NULL,
    reasons jsonb DEFAULT '[]'::jsonb NOT NULL,
    contacts_ready smallint DEFAULT 0 NOT NULL,
    contacts_held smallint DEFAULT 0 NOT NULL,
    rules_version text NOT NULL,
    ple_updated_at timestamp with time zone,
    last_signal_at timestamp with time zone,
    entered_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    p_convert double precision,
    previous_ple_score double precision,
    previous_bit_intent_score double precision,
    scores_changed_at timestamp with time zone,
    CONSTRAINT sniper_targets_p_convert_check CHECK (((p_convert >= (0)::double precision) AND (p_convert <= (1)::double precision)))
);
COMMENT ON TABLE marketing.sniper_targets IS 'Companies on the list now: PLE or BIT above the cut (scoring.yaml); one row each';
COMMENT ON COLUMN marketing.sniper_targets.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.sniper_targets.ple_score IS 'Latest PLE 0..1; 0 when the company has none';
COMMENT ON COLUMN marketing.sniper_targets.bit_intent_score IS 'Latest BIT 0..1 (bit_results.bit_score); 0 when the company has none';
COMMENT ON COLUMN marketing.sniper_targets.reasons IS 'JSON list of phrases: first those of BIT, then those of PLE, each strongest first';
COMMENT ON COLUMN marketing.sniper_targets.contacts_ready IS 'Slot holders with a valid address that is no role account, 0 to 3';
COMMENT ON COLUMN marketing.sniper_targets.contacts_held IS 'Slot holders whose address is neither valid nor invalid (yet) and no role account, 0 to 3';
COMMENT ON COLUMN marketing.sniper_targets.rules_version IS 'Version and content hash of scoring.yaml that set the cuts';
COMMENT ON COLUMN marketing.sniper_targets.ple_updated_at IS 'Calculation of that PLE; NULL without one. Alone it does not change the row';
COMMENT ON COLUMN marketing.sniper_targets.last_signal_at IS 'Newest signal that counted for BIT; NULL without any';
COMMENT ON COLUMN marketing.sniper_targets.entered_at IS 'When the company came on the list; leaving and returning starts anew';
COMMENT ON COLUMN marketing.sniper_targets.updated_at IS 'Last change of scores, reasons or contacts';
COMMENT ON COLUMN marketing.sniper_targets.p_convert IS 'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.sniper_targets.previous_ple_score IS 'PLE before the last change';
COMMENT ON COLUMN marketing.sniper_targets.previous_bit_intent_score IS 'BIT before the last change';
COMMENT ON COLUMN marketing.sniper_targets.scores_changed_at IS 'When PLE or BIT last changed';

CREATE TABLE marketing.suppressed_people (
    identity_hash text NOT NULL,
    reason text NOT NULL,
    created_by text DEFAULT marketing.actor() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE marketing.suppressed_people IS 'People who asked to be forgotten, as hashes only: they never come back by another import';
COMMENT ON COLUMN marketing.suppressed_people.identity_hash IS 'SHA-256 of an address, a LinkedIn profile, or name and company domain (marketing.identity_hash)';
COMMENT ON COLUMN marketing.suppressed_people.reason IS 'Why; must not name the person';
COMMENT ON COLUMN marketing.suppressed_people.created_by IS 'Who entered it';
COMMENT ON COLUMN marketing.suppressed_people.created_at IS 'When it was entered';

CREATE VIEW marketing.v_alerts AS
SELECT
    NULL::bigint AS id,
    NULL::text AS rule,
    NULL::text AS subject,
    NULL::text AS severity,
    NULL::double precision AS value,
    NULL::text AS detail,
    NULL::timestamp with time zone AS since,
    NULL::timestamp with time zone AS announced_at,
    NULL::timestamp with time zone AS checked_at,
    NULL::text[] AS delivered_to,
    NULL::text[] AS pending_for;
COMMENT ON VIEW marketing.v_alerts IS 'What fires now, worst first, and which channels have been told';
COMMENT ON COLUMN marketing.v_alerts.id IS 'Number of the incident';
COMMENT ON COLUMN marketing.v_alerts.rule IS 'Which rule of alerts.yaml';
COMMENT ON COLUMN marketing.v_alerts.subject IS 'What it is about: a phase, stage, batch, vendor budget, or the event queue';
COMMENT ON COLUMN marketing.v_alerts.severity IS 'warning or critical';
COMMENT ON COLUMN marketing.v_alerts.value IS 'Last measurement, in the unit of the rule';
COMMENT ON COLUMN marketing.v_alerts.detail IS 'Last measurement in words';
COMMENT ON COLUMN marketing.v_alerts.since IS 'When it began to fire';
COMMENT ON COLUMN marketing.v_alerts.announced_at IS 'When channels were last to be told';
COMMENT ON COLUMN marketing.v_alerts.checked_at IS 'When it was last measured';
COMMENT ON COLUMN marketing.v_alerts.delivered_to IS 'Channels that took a message about it';
COMMENT ON COLUMN marketing.v_alerts.pending_for IS 'Channels that are still to be told something about it';

CREATE VIEW marketing.v_bit_surge AS
 SELECT s.company_id,
    c.company_name,
    s.signals_21_days,
    s.signals_84_days_before,
    s.usual_21_days,
    round(((s.signals_21_days)::numeric / GREATEST(s.usual_21_days, (1)::numeric)), 2) AS surge,
    ARRAY( SELECT DISTINCT b.signal_type
           FROM marketing.bit_signals b
          WHERE ((b.company_id = s.company_id) AND (b.signal_timestamp > (now() - '21 days'::interval)) AND (b.signal_timestamp <= now()) AND (b.observed_at <= now()) AND (b.signal_type <> 'email_open'::text))
          ORDER BY b.signal_type) AS signal_types,
    s.last_signal_at
   FROM (( SELECT counted.company_id,
            count(*) FILTER (WHERE counted.recent) AS signals_21_days,
            count(*) FILTER (WHERE (NOT counted.recent)) AS signals_84_days_before,
            round(((count(*) FILTER (WHERE (NOT counted.recent)))::numeric / 4.0), 2) AS usual_21_days,
            max(counted.signal_timestamp) AS last_signal_at
           FROM ( SELECT bit_signals.company_id,
                    bit_signals.signal_timestamp,
                    (bit_signals.signal_timestamp > (now() - '21 days'::interval)) AS recent
                   FROM marketing.bit_signals
                  WHERE ((bit_signals.signal_timestamp > (now() - '105 days'::interval)) AND (bit_signals.signal_timestamp <= now()) AND (bit_signals.observed_at <= now()) AND (bit_signals.signal_type <> 'email_open'::text))) counted
          GROUP BY counted.company_id) s
     JOIN marketing.company_master c ON ((c.company_unique_id = s.company_id)))
  WHERE ((s.signals_21_days)::numeric > GREATEST(s.usual_21_days, (1)::numeric))
  ORDER BY (round(((s.signals_21_days)::numeric / GREATEST(s.usual_21_days, (1)::numeric)), 2)) DESC, s.signals_21_days DESC, s.company_id;
COMMENT ON VIEW marketing.v_bit_surge IS 'Companies with more signals in the last 21 days than usual: the mean of the four 21-day periods before; e-mail opens left out';
COMMENT ON COLUMN marketing.v_bit_surge.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.v_bit_surge.company_name IS 'company_master.company_name, as the export wrote it';
COMMENT ON COLUMN marketing.v_bit_surge.signals_21_days IS 'How many signals in the last 21 days, now included';
COMMENT ON COLUMN marketing.v_bit_surge.signals_84_days_before IS 'How many in the 84 days before those';
COMMENT ON COLUMN marketing.v_bit_surge.usual_21_days IS 'A quarter of those';
COMMENT ON COLUMN marketing.v_bit_surge.surge IS 'Recent signals over the usual number, of which at least 1 is assumed';
COMMENT ON COLUMN marketing.v_bit_surge.signal_types IS 'Types of the recent ones';
COMMENT ON COLUMN marketing.v_bit_surge.last_signal_at IS 'Newest signal';

CREATE VIEW marketing.v_daily_throughput AS
 WITH days AS (
         SELECT (((now() AT TIME ZONE 'UTC'::text))::date - n.n) AS date
           FROM generate_series(0, 29) n(n)
        ), processed AS (
         SELECT event_days.date,
            sum(event_days.processed) AS processed,
            sum(event_days.seconds) AS seconds
           FROM marketing.event_days
          WHERE (event_days.date > (((now() AT TIME ZONE 'UTC'::text))::date - 30))
          GROUP BY event_days.date
        ), unfinished AS (
         SELECT ((e.created_at AT TIME ZONE 'UTC'::text))::date AS date,
            count(*) FILTER (WHERE (e.status = 'failed'::text)) AS failed,
            count(*) FILTER (WHERE (e.status <> 'failed'::text)) AS pending
           FROM ( SELECT pipeline_events.created_at,
                    pipeline_events.status
                   FROM marketing.pipeline_events
                  WHERE (pipeline_events.status = 'pending'::text)
                UNION ALL
                 SELECT pipeline_events.created_at,
                    pipeline_events.status
                   FROM marketing.pipeline_events
                  WHERE (pipeline_events.status = 'processing'::text)
                UNION ALL
                 SELECT pipeline_events.created_at,
                    pipeline_events.status
                   FROM marketing.pipeline_events
                  WHERE (pipeline_events.status = 'failed'::text)) e
          GROUP BY (((e.created_at AT TIME ZONE 'UTC'::text))::date)
        )
 SELECT days.date,
    (((COALESCE(p.processed, (0)::numeric) + (COALESCE(u.failed, (0)::bigint))::numeric) + (COALESCE(u.pending, (0)::bigint))::numeric))::bigint AS total_events,
    (COALESCE(p.processed, (0)::numeric))::bigint AS processed_events,
    COALESCE(u.failed, (0)::bigint) AS failed_events,
    COALESCE(u.pending, (0)::bigint) AS pending_events,
    round(((p.seconds / (NULLIF(p.processed, (0)::numeric))::double precision))::numeric, 3) AS avg_processing_time_seconds
   FROM ((days
     LEFT JOIN processed p USING (date))
     LEFT JOIN unfinished u USING (date))
  ORDER BY days.date DESC;
COMMENT ON VIEW marketing.v_daily_throughput IS 'Events by the UTC day of their creation, 30 days, today first; pending includes what is being worked on; purged events still count';
COMMENT ON COLUMN marketing.v_daily_throughput.date IS 'UTC day';
COMMENT ON COLUMN marketing.v_daily_throughput.total_events IS 'Created on that day';
COMMENT ON COLUMN marketing.v_daily_throughput.processed_events IS 'Of these, done';
COMMENT ON COLUMN marketing.v_daily_throughput.failed_events IS 'Of these, dead letters';
COMMENT ON COLUMN marketing.v_daily_throughput.pending_events IS 'Of these, waiting or being worked on';
COMMENT ON COLUMN marketing.v_daily_throughput.avg_processing_time_seconds IS 'Mean seconds from creation to end';

CREATE VIEW marketing.v_error_recent AS
 SELECT id,
    event_type,
    record_id,
    error_message,
    severity,
    resolved,
    created_at,
    import_batch_id
   FROM marketing.pipeline_errors
  WHERE (created_at > (now() - '7 days'::interval))
  ORDER BY created_at DESC, id DESC
 LIMIT 200;
COMMENT ON VIEW marketing.v_error_recent IS 'Errors of the last 7 days, newest first, at most 200';
COMMENT ON COLUMN marketing.v_error_recent.id IS 'Row of pipeline_errors';
COMMENT ON COLUMN marketing.v_error_recent.event_type IS 'What it was about';
COMMENT ON COLUMN marketing.v_error_recent.record_id IS 'Which record, if one';
COMMENT ON COLUMN marketing.v_error_recent.error_message IS 'What went wrong, in words';
COMMENT ON COLUMN marketing.v_error_recent.severity IS 'warning, error or critical';
COMMENT ON COLUMN marketing.v_error_recent.resolved IS 'Whether somebody closed it';
COMMENT ON COLUMN marketing.v_error_recent.created_at IS 'When it ended, or when it was logged';
COMMENT ON COLUMN marketing.v_error_recent.import_batch_id IS 'Whose batch';

CREATE VIEW marketing.v_event_queue_status AS
 SELECT event_type,
    count(*) AS pending_count,
    min(created_at) AS oldest_pending,
    max(created_at) AS newest_pending,
    round((EXTRACT(epoch FROM (now() - min(created_at))) / (60)::numeric), 1) AS oldest_age_minutes
   FROM marketing.pipeline_events
  WHERE (status = 'pending'::text)
  GROUP BY event_type;
COMMENT ON VIEW marketing.v_event_queue_status IS 'Pending events by type, with age';
COMMENT ON COLUMN marketing.v_event_queue_status.event_type IS 'Only types that have pending events are listed';
COMMENT ON COLUMN marketing.v_event_queue_status.pending_count IS 'Events waiting, delayed retries included; a coalesced one counts once';
COMMENT ON COLUMN marketing.v_event_queue_status.oldest_pending IS 'created_at of the oldest';
COMMENT ON COLUMN marketing.v_event_queue_status.newest_pending IS 'created_at of the newest';
COMMENT ON COLUMN marketing.v_event_queue_status.oldest_age_minutes IS 'Age of the oldest, in minutes';

CREATE TABLE marketing.workflow_stats (
    id bigint NOT NULL,
    workflow_name text NOT NULL,
    status text NOT NULL,
    duration_seconds numeric(12,3),
    error_message text,
    triggered_by text NOT NULL,
    batch_id text,
    record_id text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workflow_stats_status_check CHECK ((status = ANY (ARRAY['ok'::text, 'error'::text, 'timeout'::text, 'cancelled'::text]))),
    CONSTRAINT workflow_stats_triggered_by_check CHECK ((triggered_by = ANY (ARRAY['event'::text, 'schedule'::text, 'manual'::text, 'backfill'::text])))
);
COMMENT ON TABLE marketing.workflow_stats IS 'One row per stage execution';
COMMENT ON COLUMN marketing.workflow_stats.id IS 'Order of writing';
COMMENT ON COLUMN marketing.workflow_stats.workflow_name IS 'The stage: pipeline_stages.stage';
COMMENT ON COLUMN marketing.workflow_stats.status IS 'ok, error, timeout (the server cancelled the statement) or cancelled (run terminated)';
COMMENT ON COLUMN marketing.workflow_stats.duration_seconds IS 'Wall-clock time of the stage, seconds to the millisecond';
COMMENT ON COLUMN marketing.workflow_stats.error_message IS 'First 2,000 characters; NULL when ok';
COMMENT ON COLUMN marketing.workflow_stats.triggered_by IS 'event (the queue), schedule, manual (UI or barton run without pending events) or backfill';
COMMENT ON COLUMN marketing.workflow_stats.batch_id IS 'import_batch_id the stage ran on';
COMMENT ON COLUMN marketing.workflow_stats.record_id IS 'For other writers; stages work on batches and leave it NULL';
COMMENT ON COLUMN marketing.workflow_stats.metadata IS 'run_id and the stage''s counts; only run_id when it failed';
COMMENT ON COLUMN marketing.workflow_stats.created_at IS 'ok: start of the stage''s transaction, not its end; else when the failure was recorded';

CREATE VIEW marketing.v_phase_stats AS
 SELECT phase.phase,
    count(w.created_at) AS total_runs,
    count(*) FILTER (WHERE (w.status = ANY (ARRAY['error'::text, 'timeout'::text]))) AS errors,
    COALESCE(round(((100.0 * (count(*) FILTER (WHERE (w.status = ANY (ARRAY['error'::text, 'timeout'::text]))))::numeric) / (NULLIF(count(w.created_at), 0))::numeric), 2), (0)::numeric) AS error_rate,
    round(avg(w.duration_seconds), 3) AS avg_duration
   FROM ((unnest(ARRAY['enrichment'::text, 'intelligence'::text, 'messaging'::text, 'delivery'::text]) WITH ORDINALITY phase(phase, place)
     LEFT JOIN marketing.pipeline_stages s ON ((s.phase = phase.phase)))
     LEFT JOIN marketing.workflow_stats w ON (((w.workflow_name = s.stage) AND (w.created_at > (now() - '24:00:00'::interval)))))
  GROUP BY phase.phase, phase.place
  ORDER BY phase.place;
COMMENT ON VIEW marketing.v_phase_stats IS 'The four phases over 24 hours, all always present; a stage''s phase is pipeline_stages.phase';
COMMENT ON COLUMN marketing.v_phase_stats.phase IS 'enrichment, intelligence, messaging or delivery';
COMMENT ON COLUMN marketing.v_phase_stats.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_phase_stats.errors IS 'Executions in error or timeout';
COMMENT ON COLUMN marketing.v_phase_stats.error_rate IS 'Percent of executions in error or timeout';
COMMENT ON COLUMN marketing.v_phase_stats.avg_duration IS 'Mean seconds';

CREATE VIEW marketing.v_sniper_targets AS
 SELECT t.company_id,
    c.company_name,
    t.ple_score,
    t.bit_intent_score,
    t.ple_updated_at,
    t.last_signal_at,
    c.domain,
    c.website_url,
    c.industry,
    c.employee_count,
    c.city,
    c.state,
    c.import_batch_id,
    t.contacts_ready,
    t.contacts_held,
    t.reasons,
    t.rules_version,
    t.entered_at,
    t.updated_at
   FROM (marketing.sniper_targets t
     JOIN marketing.company_master c ON ((c.company_unique_id = t.company_id)))
  ORDER BY GREATEST(t.ple_score, t.bit_intent_score) DESC, LEAST(t.ple_score, t.bit_intent_score) DESC, t.company_id;
COMMENT ON VIEW marketing.v_sniper_targets IS 'The target list, one row per company, best first';
COMMENT ON COLUMN marketing.v_sniper_targets.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.v_sniper_targets.company_name IS 'company_master.company_name, as the export wrote it';
COMMENT ON COLUMN marketing.v_sniper_targets.ple_score IS 'Latest PLE 0..1; 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_targets.bit_intent_score IS 'Latest BIT 0..1 (bit_results.bit_score); 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_targets.ple_updated_at IS 'Calculation of that PLE; NULL without one. Alone it does not change the row';
COMMENT ON COLUMN marketing.v_sniper_targets.last_signal_at IS 'Newest signal that counted for BIT; NULL without any';
COMMENT ON COLUMN marketing.v_sniper_targets.domain IS 'Registrable domain, in Unicode';
COMMENT ON COLUMN marketing.v_sniper_targets.website_url IS 'As the intake row wrote it, scheme optional';
COMMENT ON COLUMN marketing.v_sniper_targets.industry IS 'Free text of the export; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.employee_count IS 'Head count, or the lower bound of a band; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.state IS 'State or region, as the export writes it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_targets.import_batch_id IS 'Batch that first brought the company';
COMMENT ON COLUMN marketing.v_sniper_targets.contacts_ready IS 'Slot holders with a valid address that is no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_targets.contacts_held IS 'Slot holders whose address is neither valid nor invalid (yet) and no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_targets.reasons IS 'JSON list of phrases: first those of BIT, then those of PLE, each strongest first';
COMMENT ON COLUMN marketing.v_sniper_targets.rules_version IS 'Version and content hash of scoring.yaml that set the cuts';
COMMENT ON COLUMN marketing.v_sniper_targets.entered_at IS 'When the company came on the list';
COMMENT ON COLUMN marketing.v_sniper_targets.updated_at IS 'Last change of scores, reasons or contacts';

CREATE VIEW marketing.v_sniper_target_details AS
 SELECT v.company_id,
    v.company_name,
    v.ple_score,
    v.bit_intent_score,
    v.ple_updated_at,
    v.last_signal_at,
    v.domain,
    v.website_url,
    v.industry,
    v.employee_count,
    v.city,
    v.state,
    v.import_batch_id,
    v.contacts_ready,
    v.contacts_held,
    v.reasons,
    v.rules_version,
    v.entered_at,
    v.updated_at,
    t.p_convert,
    t.previous_ple_score,
    t.previous_bit_intent_score,
    t.scores_changed_at,
    (t.ple_score - t.previous_ple_score) AS ple_change,
    (t.bit_intent_score - t.previous_bit_intent_score) AS bit_change,
    round((EXTRACT(epoch FROM (now() - t.last_signal_at)) / (86400)::numeric), 1) AS days_since_signal,
        CASE
            WHEN (t.contacts_ready > 0) THEN 'ready'::text
            WHEN (t.contacts_held > 0) THEN 'unverified'::text
            ELSE 'none'::text
        END AS contact_readiness
   FROM (marketing.v_sniper_targets v
     JOIN marketing.sniper_targets t USING (company_id))
  ORDER BY GREATEST(t.ple_score, t.bit_intent_score) DESC, LEAST(t.ple_score, t.bit_intent_score) DESC, v.company_id;
COMMENT ON VIEW marketing.v_sniper_target_details IS 'The target list with probability, change since before, freshness and readiness';
COMMENT ON COLUMN marketing.v_sniper_target_details.company_id IS 'company_master.company_unique_id';
COMMENT ON COLUMN marketing.v_sniper_target_details.company_name IS 'company_master.company_name, as the export wrote it';
COMMENT ON COLUMN marketing.v_sniper_target_details.ple_score IS 'Latest PLE 0..1; 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_target_details.bit_intent_score IS 'Latest BIT 0..1 (bit_results.bit_score); 0 when the company has none';
COMMENT ON COLUMN marketing.v_sniper_target_details.ple_updated_at IS 'Calculation of that PLE; NULL without one. Alone it does not change the row';
COMMENT ON COLUMN marketing.v_sniper_target_details.last_signal_at IS 'Newest signal that counted for BIT; NULL without any';
COMMENT ON COLUMN marketing.v_sniper_target_details.domain IS 'Registrable domain, in Unicode';
COMMENT ON COLUMN marketing.v_sniper_target_details.website_url IS 'As the intake row wrote it, scheme optional';
COMMENT ON COLUMN marketing.v_sniper_target_details.industry IS 'Free text of the export; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_target_details.employee_count IS 'Head count, or the lower bound of a band; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_target_details.city IS 'Town of the head office, as the export names it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_target_details.state IS 'State or region, as the export writes it; NULL unknown';
COMMENT ON COLUMN marketing.v_sniper_target_details.import_batch_id IS 'Batch that first brought the company';
COMMENT ON COLUMN marketing.v_sniper_target_details.contacts_ready IS 'Slot holders with a valid address that is no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_target_details.contacts_held IS 'Slot holders whose address is neither valid nor invalid (yet) and no role account, 0 to 3';
COMMENT ON COLUMN marketing.v_sniper_target_details.reasons IS 'JSON list of phrases: first those of BIT, then those of PLE, each strongest first';
COMMENT ON COLUMN marketing.v_sniper_target_details.rules_version IS 'Version and content hash of scoring.yaml that set the cuts';
COMMENT ON COLUMN marketing.v_sniper_target_details.entered_at IS 'When the company came on the list';
COMMENT ON COLUMN marketing.v_sniper_target_details.updated_at IS 'Last change of scores, reasons or contacts';
COMMENT ON COLUMN marketing.v_sniper_target_details.p_convert IS 'Calibrated probability; NULL until a model has earned one';
COMMENT ON COLUMN marketing.v_sniper_target_details.previous_ple_score IS 'PLE before the last change';
COMMENT ON COLUMN marketing.v_sniper_target_details.previous_bit_intent_score IS 'BIT before the last change';
COMMENT ON COLUMN marketing.v_sniper_target_details.scores_changed_at IS 'When PLE or BIT last changed';
COMMENT ON COLUMN marketing.v_sniper_target_details.ple_change IS 'PLE now less before';
COMMENT ON COLUMN marketing.v_sniper_target_details.bit_change IS 'BIT now less before';
COMMENT ON COLUMN marketing.v_sniper_target_details.days_since_signal IS 'Days since the newest signal';
COMMENT ON COLUMN marketing.v_sniper_target_details.contact_readiness IS 'ready: a holder has a verified address; unverified: one that nothing speaks against; none';

CREATE VIEW marketing.v_workflow_health AS
 WITH known AS (
         SELECT pipeline_stages.stage AS workflow_name,
            (pipeline_stages."position")::integer AS "position"
           FROM marketing.pipeline_stages
        UNION ALL
         SELECT workflow_stats.workflow_name,
            NULL::integer
           FROM marketing.workflow_stats
          WHERE ((workflow_stats.created_at > (now() - '24:00:00'::interval)) AND (NOT (workflow_stats.workflow_name IN ( SELECT pipeline_stages.stage
                   FROM marketing.pipeline_stages))))
          GROUP BY workflow_stats.workflow_name
        ), counted AS (
         SELECT k.workflow_name,
            k."position",
            count(w.created_at) AS total_runs,
            count(*) FILTER (WHERE (w.status = ANY (ARRAY['error'::text, 'timeout'::text]))) AS error_count,
            avg(w.duration_seconds) AS seconds,
            max(w.created_at) AS last_run
           FROM (known k
             LEFT JOIN marketing.workflow_stats w ON (((w.workflow_name = k.workflow_name) AND (w.created_at > (now() - '01:00:00'::interval)))))
          GROUP BY k.workflow_name, k."position"
        )
 SELECT workflow_name,
    total_runs,
    error_count,
    COALESCE(round(((100.0 * (error_count)::numeric) / (NULLIF(total_runs, 0))::numeric), 2), (0)::numeric) AS error_rate_pct,
    round(seconds, 3) AS avg_duration_sec,
    last_run,
        CASE
            WHEN (total_runs = 0) THEN 'idle'::text
            WHEN ((error_count)::numeric > (0.10 * (total_runs)::numeric)) THEN 'critical'::text
            WHEN ((error_count)::numeric > (0.05 * (total_runs)::numeric)) THEN 'warning'::text
            ELSE 'healthy'::text
        END AS health_status
   FROM counted
  ORDER BY "position", workflow_name;
COMMENT ON VIEW marketing.v_workflow_health IS 'Every stage, and whatever else ran within 24 hours, over the last hour: critical above 10 % errors, warning above 5 %, idle without a run';
COMMENT ON COLUMN marketing.v_workflow_health.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_health.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_workflow_health.error_count IS 'How many';
COMMENT ON COLUMN marketing.v_workflow_health.error_rate_pct IS 'Percent that ended in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_health.avg_duration_sec IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_health.last_run IS 'Newest execution in the window';
COMMENT ON COLUMN marketing.v_workflow_health.health_status IS 'healthy, warning, critical or idle';

CREATE VIEW marketing.v_workflow_stats_hourly AS
 SELECT workflow_name,
    count(*) AS runs_last_hour,
    count(*) FILTER (WHERE (status = ANY (ARRAY['error'::text, 'timeout'::text]))) AS errors_last_hour,
    round(avg(duration_seconds), 3) AS avg_duration,
    max(created_at) AS last_run
   FROM marketing.workflow_stats
  WHERE (created_at > (now() - '01:00:00'::interval))
  GROUP BY workflow_name
  ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_stats_hourly IS 'Each workflow that ran in the last hour';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.runs_last_hour IS 'Executions';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.errors_last_hour IS 'Those in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.avg_duration IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_stats_hourly.last_run IS 'Newest execution in the window';

CREATE VIEW marketing.v_workflow_stats_recent AS
 SELECT workflow_name,
    status,
    duration_seconds,
    error_message,
    triggered_by,
    batch_id,
    created_at
   FROM marketing.workflow_stats
  WHERE (created_at > (now() - '24:00:00'::interval))
  ORDER BY created_at DESC
 LIMIT 1000;
COMMENT ON VIEW marketing.v_workflow_stats_recent IS 'Stage executions of the last 24 hours, newest first, at most 1,000';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.status IS 'ok, error, timeout or cancelled';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.duration_seconds IS 'Seconds it took';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.error_message IS 'What went wrong, in words';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.triggered_by IS 'event, schedule, manual or backfill';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.batch_id IS 'Batch it worked on';
COMMENT ON COLUMN marketing.v_workflow_stats_recent.created_at IS 'When it ended, or when it was logged';

CREATE VIEW marketing.v_workflow_summary AS
 SELECT workflow_name,
    count(*) AS total_runs,
    count(*) FILTER (WHERE (status = 'ok'::text)) AS successful_runs,
    count(*) FILTER (WHERE (status = 'error'::text)) AS error_runs,
    count(*) FILTER (WHERE (status = 'timeout'::text)) AS timeout_runs,
    round(((100.0 * (count(*) FILTER (WHERE (status = ANY (ARRAY['error'::text, 'timeout'::text]))))::numeric) / (count(*))::numeric), 2) AS error_rate_pct,
    round(avg(duration_seconds), 3) AS avg_duration_seconds,
    max(created_at) AS last_run_at
   FROM marketing.workflow_stats
  WHERE (created_at > (now() - '7 days'::interval))
  GROUP BY workflow_name
  ORDER BY workflow_name;
COMMENT ON VIEW marketing.v_workflow_summary IS 'Each workflow over 7 days';
COMMENT ON COLUMN marketing.v_workflow_summary.workflow_name IS 'Stage or other workflow';
COMMENT ON COLUMN marketing.v_workflow_summary.total_runs IS 'Executions in the window';
COMMENT ON COLUMN marketing.v_workflow_summary.successful_runs IS 'Those that ended ok';
COMMENT ON COLUMN marketing.v_workflow_summary.error_runs IS 'Those that ended in error';
COMMENT ON COLUMN marketing.v_workflow_summary.timeout_runs IS 'Those that ran out of time';
COMMENT ON COLUMN marketing.v_workflow_summary.error_rate_pct IS 'Percent that ended in error or timeout';
COMMENT ON COLUMN marketing.v_workflow_summary.avg_duration_seconds IS 'Mean seconds';
COMMENT ON COLUMN marketing.v_workflow_summary.last_run_at IS 'Newest execution in the window';

ALTER TABLE marketing.vendor_calls ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.vendor_calls_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.vendor_holds (
    import_batch_id text NOT NULL,
    operation text NOT NULL,
    reason text NOT NULL,
    vendor text NOT NULL,
    inputs integer NOT NULL,
    message text NOT NULL,
    stage text NOT NULL,
    held_at timestamp with time zone DEFAULT now() NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    CONSTRAINT vendor_holds_reason_check CHECK ((reason = ANY (ARRAY['budget'::text, 'switched_off'::text, 'vendor_trouble'::text, 'in_flight'::text, 'recheck'::text, 'refresh'::text])))
);
COMMENT ON TABLE marketing.vendor_holds IS 'What a batch still wants to buy and why it waits; the reconciler queues the batch again at retry_at';
COMMENT ON COLUMN marketing.vendor_holds.import_batch_id IS 'Who waits';
COMMENT ON COLUMN marketing.vendor_holds.operation IS 'As in vendor_requests';
COMMENT ON COLUMN marketing.vendor_holds.reason IS 'budget, switched_off, vendor_trouble, in_flight (another batch has asked), recheck (an unknown address, once), refresh (an old answer)';
COMMENT ON COLUMN marketing.vendor_holds.vendor IS 'Whom it waits for';
COMMENT ON COLUMN marketing.vendor_holds.inputs IS 'How many inputs wait';
COMMENT ON COLUMN marketing.vendor_holds.message IS 'What happened and what to do';
COMMENT ON COLUMN marketing.vendor_holds.stage IS 'The stage that buys: the batch is run again from there';
COMMENT ON COLUMN marketing.vendor_holds.held_at IS 'Since when it waits';
COMMENT ON COLUMN marketing.vendor_holds.retry_at IS 'When it is tried again';

CREATE TABLE marketing.vendor_requests (
    id bigint NOT NULL,
    vendor text NOT NULL,
    operation text NOT NULL,
    environment text NOT NULL,
    state text DEFAULT 'reserved'::text NOT NULL,
    request_key uuid DEFAULT gen_random_uuid() NOT NULL,
    body jsonb DEFAULT '{}'::jsonb NOT NULL,
    reference text,
    response jsonb,
    inputs integer NOT NULL,
    estimated_usd numeric(12,6) NOT NULL,
    actual_usd numeric(12,6),
    import_batch_id text,
    run_id text,
    holder uuid NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    error text,
    reserved_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT vendor_requests_actual_usd_check CHECK ((actual_usd >= (0)::numeric)),
    CONSTRAINT vendor_requests_cost CHECK (((state <> 'settled'::text) OR (actual_usd IS NOT NULL))),
    CONSTRAINT vendor_requests_ended CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['settled'::text, 'refused'::text])))),
    CONSTRAINT vendor_requests_environment_check CHECK ((environment = ANY (ARRAY['real'::text, 'sandbox'::text]))),
    CONSTRAINT vendor_requests_estimated_usd_check CHECK ((estimated_usd >= (0)::numeric)),
    CONSTRAINT vendor_requests_inputs_check CHECK ((inputs > 0)),
    CONSTRAINT vendor_requests_sent CHECK (((sent_at IS NOT NULL) OR (state = ANY (ARRAY['reserved'::text, 'refused'::text])))),
    CONSTRAINT vendor_requests_state_check CHECK ((state = ANY (ARRAY['reserved'::text, 'sent'::text, 'settled'::text, 'refused'::text, 'unknown'::text])))
);
COMMENT ON TABLE marketing.vendor_requests IS 'One row per billed request to a vendor: an actor run, a bulk file, a single verification';
COMMENT ON COLUMN marketing.vendor_requests.id IS 'Our number of the request';
COMMENT ON COLUMN marketing.vendor_requests.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_requests.operation IS 'What was asked for; the operations are in vendors.yaml';
COMMENT ON COLUMN marketing.vendor_requests.environment IS 'real, or sandbox: an answer of the sandbox server';
COMMENT ON COLUMN marketing.vendor_requests.state IS 'reserved (not sent), sent, settled, refused (not charged), unknown (sent, outcome lost)';
COMMENT ON COLUMN marketing.vendor_requests.request_key IS 'Our name for the request; part of the name of a bulk file';
COMMENT ON COLUMN marketing.vendor_requests.body IS 'What is sent, without secrets';
COMMENT ON COLUMN marketing.vendor_requests.reference IS 'The vendor''s name for the request: run ID or file ID';
COMMENT ON COLUMN marketing.vendor_requests.response IS 'The vendor''s last word on the request as a whole';
COMMENT ON COLUMN marketing.vendor_requests.inputs IS 'How many rows of vendor_calls it covers';
COMMENT ON COLUMN marketing.vendor_requests.estimated_usd IS 'The most it may cost; counts against budgets until it is settled';
COMMENT ON COLUMN marketing.vendor_requests.actual_usd IS 'What the vendor charged; NULL while unknown';
COMMENT ON COLUMN marketing.vendor_requests.import_batch_id IS 'The batch that first asked';
COMMENT ON COLUMN marketing.vendor_requests.run_id IS 'The Dagster run that first asked';
COMMENT ON COLUMN marketing.vendor_requests.holder IS 'Token of the process that works on it: the fence';
COMMENT ON COLUMN marketing.vendor_requests.lease_until IS 'Until then nobody else takes it up';
COMMENT ON COLUMN marketing.vendor_requests.error IS 'Why it was refused or is unknown';
COMMENT ON COLUMN marketing.vendor_requests.reserved_at IS 'When the money was set aside; the same for all that were reserved together';
COMMENT ON COLUMN marketing.vendor_requests.sent_at IS 'Just before the first byte left';
COMMENT ON COLUMN marketing.vendor_requests.ended_at IS 'When it was settled or refused';

ALTER TABLE marketing.vendor_requests ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.vendor_requests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE marketing.vendor_switches (
    vendor text NOT NULL,
    enabled boolean NOT NULL,
    reason text,
    changed_by text DEFAULT marketing.actor() NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE marketing.vendor_switches IS 'Kill switches; a vendor without a row is on';
COMMENT ON COLUMN marketing.vendor_switches.vendor IS 'apify or million_verifier';
COMMENT ON COLUMN marketing.vendor_switches.enabled IS 'false: nothing is sent to the vendor';
COMMENT ON COLUMN marketing.vendor_switches.reason IS 'Why, in the words of whoever switched';
COMMENT ON COLUMN marketing.vendor_switches.changed_by IS 'Who switched last';
COMMENT ON COLUMN marketing.vendor_switches.changed_at IS 'When it was switched last';

CREATE VIEW marketing.vw_error_rate_24h AS
 SELECT event_type,
    count(*) AS error_count,
    count(*) FILTER (WHERE (severity = 'critical'::text)) AS critical_count,
    count(*) FILTER (WHERE (NOT resolved)) AS unresolved_count,
    round(((count(*))::numeric / 24.0), 2) AS errors_per_hour,
    round(((100.0 * (count(*))::numeric) / sum(count(*)) OVER ()), 2) AS share_pct,
    max(created_at) AS last_error_at
   FROM marketing.pipeline_errors
  WHERE (created_at > (now() - '24:00:00'::interval))
  GROUP BY event_type
  ORDER BY (count(*)) DESC, event_type;
COMMENT ON VIEW marketing.vw_error_rate_24h IS 'Errors of the last 24 hours per event type: number, per hour, and share of all';
COMMENT ON COLUMN marketing.vw_error_rate_24h.event_type IS 'What it was about';
COMMENT ON COLUMN marketing.vw_error_rate_24h.error_count IS 'How many';
COMMENT ON COLUMN marketing.vw_error_rate_24h.critical_count IS 'Of these, critical';
COMMENT ON COLUMN marketing.vw_error_rate_24h.unresolved_count IS 'Of these, open';
COMMENT ON COLUMN marketing.vw_error_rate_24h.errors_per_hour IS 'Mean over the window';
COMMENT ON COLUMN marketing.vw_error_rate_24h.share_pct IS 'Percent of all errors';
COMMENT ON COLUMN marketing.vw_error_rate_24h.last_error_at IS 'The newest';

CREATE VIEW marketing.vw_unresolved_errors AS
 SELECT id,
    event_type,
    record_id,
    import_batch_id,
    error_message,
    error_details,
    severity,
    created_at
   FROM marketing.pipeline_errors
  WHERE (NOT resolved)
  ORDER BY (array_position(ARRAY['critical'::text, 'error'::text, 'warning'::text], severity)), created_at DESC;
COMMENT ON VIEW marketing.vw_unresolved_errors IS 'Open errors, worst first';
COMMENT ON COLUMN marketing.vw_unresolved_errors.id IS 'For barton errors --resolve';
COMMENT ON COLUMN marketing.vw_unresolved_errors.event_type IS 'Stage, check_<name>, dead_letter, worker_lost, signal_type_unknown, or the type of the event that failed';
COMMENT ON COLUMN marketing.vw_unresolved_errors.record_id IS 'Row, event or run concerned, as text; NULL when none is';
COMMENT ON COLUMN marketing.vw_unresolved_errors.import_batch_id IS 'Batch concerned; NULL when none is';
COMMENT ON COLUMN marketing.vw_unresolved_errors.error_message IS 'What happened, to which rows, and what to do';
COMMENT ON COLUMN marketing.vw_unresolved_errors.error_details IS 'Samples, traceback, remedy';
COMMENT ON COLUMN marketing.vw_unresolved_errors.severity IS 'critical first, then error, then warning';
COMMENT ON COLUMN marketing.vw_unresolved_errors.created_at IS 'When it happened';

ALTER TABLE marketing.workflow_stats ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME marketing.workflow_stats_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY intake.company_raw_intake
    ADD CONSTRAINT company_raw_intake_pkey PRIMARY KEY (id);

ALTER TABLE ONLY intake.loaded_files
    ADD CONSTRAINT loaded_files_import_batch_id_kind_sha256_key UNIQUE (import_batch_id, kind, sha256);

ALTER TABLE ONLY intake.loaded_files
    ADD CONSTRAINT loaded_files_pkey PRIMARY KEY (id);

ALTER TABLE ONLY intake.outcomes_raw_intake
    ADD CONSTRAINT outcomes_raw_intake_pkey PRIMARY KEY (id);

ALTER TABLE ONLY intake.people_raw_intake
    ADD CONSTRAINT people_raw_intake_pkey PRIMARY KEY (id);

ALTER TABLE ONLY intake.public_suffix
    ADD CONSTRAINT public_suffix_pkey PRIMARY KEY (suffix);

ALTER TABLE ONLY intake.rejected_rows
    ADD CONSTRAINT rejected_rows_pkey PRIMARY KEY (id);

ALTER TABLE ONLY intake.separate_names
    ADD CONSTRAINT separate_names_pkey PRIMARY KEY (domain, name_words);

ALTER TABLE ONLY intake.shared_domains
    ADD CONSTRAINT shared_domains_pkey PRIMARY KEY (name);

ALTER TABLE ONLY intake.signals_raw_intake
    ADD CONSTRAINT signals_raw_intake_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.actions
    ADD CONSTRAINT actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.alert_beats
    ADD CONSTRAINT alert_beats_pkey PRIMARY KEY (name);

ALTER TABLE ONLY marketing.alert_messages
    ADD CONSTRAINT alert_messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.barton_id_history
    ADD CONSTRAINT barton_id_history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.batch_stages
    ADD CONSTRAINT batch_stages_pkey PRIMARY KEY (import_batch_id, stage);

ALTER TABLE ONLY marketing.bit_results
    ADD CONSTRAINT bit_results_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.bit_signals
    ADD CONSTRAINT bit_signals_once UNIQUE (source, external_id);

ALTER TABLE ONLY marketing.bit_signals
    ADD CONSTRAINT bit_signals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.companies_to_score
    ADD CONSTRAINT companies_to_score_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.company_aliases
    ADD CONSTRAINT company_aliases_pkey PRIMARY KEY (domain, name_key);

ALTER TABLE ONLY marketing.company_batches
    ADD CONSTRAINT company_batches_pkey PRIMARY KEY (import_batch_id, company_unique_id);

ALTER TABLE ONLY marketing.company_master
    ADD CONSTRAINT company_master_identity UNIQUE (domain, company_name_key);

ALTER TABLE ONLY marketing.company_master
    ADD CONSTRAINT company_master_pkey PRIMARY KEY (company_unique_id);

ALTER TABLE ONLY marketing.company_matches
    ADD CONSTRAINT company_matches_pkey PRIMARY KEY (intake_id);

ALTER TABLE ONLY marketing.company_slots
    ADD CONSTRAINT company_slots_one_of_each UNIQUE (company_unique_id, slot_type);

ALTER TABLE ONLY marketing.company_slots
    ADD CONSTRAINT company_slots_pkey PRIMARY KEY (company_slot_unique_id);

ALTER TABLE ONLY marketing.contact_enrichment
    ADD CONSTRAINT contact_enrichment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.email_verification
    ADD CONSTRAINT email_verification_pkey PRIMARY KEY (email);

ALTER TABLE ONLY marketing.event_days
    ADD CONSTRAINT event_days_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.event_routes
    ADD CONSTRAINT event_routes_pkey PRIMARY KEY (event_type);

ALTER TABLE ONLY marketing.known_ids
    ADD CONSTRAINT known_ids_pkey PRIMARY KEY (entity, parent, identity);

ALTER TABLE ONLY marketing.messages_outbound
    ADD CONSTRAINT messages_outbound_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.operations
    ADD CONSTRAINT operations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.outcomes
    ADD CONSTRAINT outcomes_once UNIQUE (source, external_id);

ALTER TABLE ONLY marketing.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.people_master
    ADD CONSTRAINT people_master_identity UNIQUE (company_unique_id, person_key);

ALTER TABLE ONLY marketing.people_master
    ADD CONSTRAINT people_master_pkey PRIMARY KEY (person_unique_id);

ALTER TABLE ONLY marketing.pipeline_errors
    ADD CONSTRAINT pipeline_errors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.pipeline_events
    ADD CONSTRAINT pipeline_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.pipeline_stages
    ADD CONSTRAINT pipeline_stages_pkey PRIMARY KEY (stage);

ALTER TABLE ONLY marketing.pipeline_stages
    ADD CONSTRAINT pipeline_stages_position_key UNIQUE ("position");

ALTER TABLE ONLY marketing.ple_models
    ADD CONSTRAINT ple_models_pkey PRIMARY KEY (version);

ALTER TABLE ONLY marketing.ple_results
    ADD CONSTRAINT ple_results_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.ple_training_examples
    ADD CONSTRAINT ple_training_examples_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY marketing.schema_objects
    ADD CONSTRAINT schema_objects_pkey PRIMARY KEY (path);

ALTER TABLE ONLY marketing.sniper_targets
    ADD CONSTRAINT sniper_targets_pkey PRIMARY KEY (company_id);

ALTER TABLE ONLY marketing.suppressed_people
    ADD CONSTRAINT suppressed_people_pkey PRIMARY KEY (identity_hash);

ALTER TABLE ONLY marketing.vendor_calls
    ADD CONSTRAINT vendor_calls_once UNIQUE (vendor, operation, environment, input_key, freshness_window);

ALTER TABLE ONLY marketing.vendor_calls
    ADD CONSTRAINT vendor_calls_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.vendor_holds
    ADD CONSTRAINT vendor_holds_pkey PRIMARY KEY (import_batch_id, operation, reason);

ALTER TABLE ONLY marketing.vendor_requests
    ADD CONSTRAINT vendor_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY marketing.vendor_requests
    ADD CONSTRAINT vendor_requests_request_key_key UNIQUE (request_key);

ALTER TABLE ONLY marketing.vendor_switches
    ADD CONSTRAINT vendor_switches_pkey PRIMARY KEY (vendor);

ALTER TABLE ONLY marketing.workflow_stats
    ADD CONSTRAINT workflow_stats_pkey PRIMARY KEY (id);

CREATE INDEX company_raw_intake_batch ON intake.company_raw_intake USING btree (import_batch_id, id);

CREATE INDEX company_raw_intake_unjudged ON intake.company_raw_intake USING btree (import_batch_id) WHERE (validated IS NULL);

CREATE INDEX outcomes_raw_intake_batch ON intake.outcomes_raw_intake USING btree (import_batch_id, id);

CREATE INDEX outcomes_raw_intake_unjudged ON intake.outcomes_raw_intake USING btree (import_batch_id) WHERE (outcome IS NULL);

CREATE INDEX outcomes_raw_intake_waiting_domain ON intake.outcomes_raw_intake USING btree (domain) WHERE (outcome = ANY (ARRAY['company_unknown'::text, 'company_ambiguous'::text]));

CREATE INDEX outcomes_raw_intake_waiting_name ON intake.outcomes_raw_intake USING btree (company_name_key) WHERE (outcome = ANY (ARRAY['company_unknown'::text, 'company_ambiguous'::text]));

CREATE INDEX people_raw_intake_batch ON intake.people_raw_intake USING btree (import_batch_id, id);

CREATE INDEX people_raw_intake_domain ON intake.people_raw_intake USING btree (domain) WHERE (domain IS NOT NULL);

CREATE INDEX people_raw_intake_name ON intake.people_raw_intake USING btree (company_name_key) WHERE (company_name_key IS NOT NULL);

CREATE INDEX people_raw_intake_unjudged ON intake.people_raw_intake USING btree (import_batch_id) WHERE (outcome IS NULL);

CREATE UNIQUE INDEX people_raw_intake_vendor_item ON intake.people_raw_intake USING btree (vendor_call_id, source_record_id) WHERE (vendor_call_id IS NOT NULL);

CREATE INDEX rejected_rows_file ON intake.rejected_rows USING btree (file_id);

CREATE INDEX signals_raw_intake_batch ON intake.signals_raw_intake USING btree (import_batch_id, id);

CREATE INDEX signals_raw_intake_unjudged ON intake.signals_raw_intake USING btree (import_batch_id) WHERE (outcome IS NULL);

CREATE INDEX signals_raw_intake_waiting_domain ON intake.signals_raw_intake USING btree (domain) WHERE (outcome = ANY (ARRAY['company_unknown'::text, 'company_ambiguous'::text]));

CREATE INDEX signals_raw_intake_waiting_id ON intake.signals_raw_intake USING btree (company_unique_id) WHERE (outcome = ANY (ARRAY['company_unknown'::text, 'company_ambiguous'::text]));

CREATE INDEX signals_raw_intake_waiting_name ON intake.signals_raw_intake USING btree (company_name_key) WHERE (outcome = ANY (ARRAY['company_unknown'::text, 'company_ambiguous'::text]));

CREATE INDEX actions_action ON marketing.actions USING btree (action, at);

CREATE INDEX actions_at ON marketing.actions USING btree (at);

CREATE UNIQUE INDEX actions_end ON marketing.actions USING btree (started_id) WHERE (started_id IS NOT NULL);

CREATE UNIQUE INDEX actions_request ON marketing.actions USING btree (request_id) WHERE (started_id IS NULL);

CREATE INDEX alert_messages_alerts ON marketing.alert_messages USING gin (alert_ids);

CREATE INDEX alert_messages_created ON marketing.alert_messages USING btree (created_at);

CREATE INDEX alert_messages_pending ON marketing.alert_messages USING btree (channel, id) WHERE (state = 'pending'::text);

CREATE INDEX alerts_created ON marketing.alerts USING btree (created_at);

CREATE UNIQUE INDEX alerts_one_open ON marketing.alerts USING btree (rule, subject) WHERE (recovered_at IS NULL);

CREATE INDEX barton_id_history_barton_id ON marketing.barton_id_history USING btree (barton_id);

CREATE INDEX bit_results_best ON marketing.bit_results USING btree (bit_score DESC);

CREATE INDEX bit_results_latest ON marketing.bit_results USING btree (company_id, calculated_at DESC, id DESC);

CREATE INDEX bit_signals_company ON marketing.bit_signals USING btree (company_id, signal_timestamp DESC);

CREATE INDEX bit_signals_recent ON marketing.bit_signals USING btree (signal_timestamp) INCLUDE (company_id, signal_type, observed_at);

CREATE INDEX companies_to_score_batch ON marketing.companies_to_score USING btree (import_batch_id, taken);

CREATE INDEX company_aliases_company ON marketing.company_aliases USING btree (company_unique_id);

CREATE INDEX company_batches_company ON marketing.company_batches USING btree (company_unique_id);

CREATE INDEX company_master_batch ON marketing.company_master USING btree (import_batch_id);

CREATE INDEX company_master_name_key ON marketing.company_master USING btree (company_name_key);

CREATE INDEX company_matches_company ON marketing.company_matches USING btree (company_unique_id);

CREATE INDEX company_slots_holder ON marketing.company_slots USING btree (person_unique_id) WHERE (person_unique_id IS NOT NULL);

CREATE INDEX contact_enrichment_person ON marketing.contact_enrichment USING btree (person_unique_id);

CREATE INDEX contact_enrichment_slot ON marketing.contact_enrichment USING btree (company_slot_unique_id, observed_at DESC);

CREATE INDEX event_days_date ON marketing.event_days USING btree (date);

CREATE INDEX messages_outbound_delivered ON marketing.messages_outbound USING btree (company_id, delivered_at);

CREATE INDEX messages_outbound_person ON marketing.messages_outbound USING btree (person_unique_id) WHERE (person_unique_id IS NOT NULL);

CREATE UNIQUE INDEX operations_active ON marketing.operations USING btree (action, target) WHERE (ended_at IS NULL);

CREATE INDEX outcomes_attempts ON marketing.outcomes USING btree (occurred_at) WHERE (outcome_type = 'attempt'::text);

CREATE INDEX outcomes_company ON marketing.outcomes USING btree (company_id, occurred_at);

CREATE INDEX people_master_email ON marketing.people_master USING btree (lower(email));

CREATE INDEX people_master_slot ON marketing.people_master USING btree (company_slot_unique_id) WHERE (company_slot_unique_id IS NOT NULL);

CREATE INDEX pipeline_errors_created ON marketing.pipeline_errors USING btree (created_at);

CREATE INDEX pipeline_errors_open ON marketing.pipeline_errors USING btree (created_at) WHERE (NOT resolved);

CREATE INDEX pipeline_errors_open_batch ON marketing.pipeline_errors USING btree (import_batch_id, created_at) WHERE (NOT resolved);

CREATE INDEX pipeline_errors_open_cause ON marketing.pipeline_errors USING btree (fingerprint, created_at) INCLUDE (severity, import_batch_id) WHERE (NOT resolved);

CREATE INDEX pipeline_errors_worst_first ON marketing.pipeline_errors USING btree (array_position(ARRAY['critical'::text, 'error'::text, 'warning'::text], severity), created_at DESC) WHERE (NOT resolved);

CREATE INDEX pipeline_events_busy ON marketing.pipeline_events USING btree (import_batch_id) WHERE (status = 'processing'::text);

CREATE INDEX pipeline_events_created ON marketing.pipeline_events USING btree (created_at);

CREATE INDEX pipeline_events_failed ON marketing.pipeline_events USING btree (import_batch_id) WHERE (status = 'failed'::text);

CREATE INDEX pipeline_events_pending ON marketing.pipeline_events USING btree (import_batch_id, available_at) WHERE (status = 'pending'::text);

CREATE INDEX pipeline_events_pending_type ON marketing.pipeline_events USING btree (event_type) WHERE ((status = 'pending'::text) AND (event_type >= ''::text));

CREATE INDEX pipeline_events_processing ON marketing.pipeline_events USING btree (lease_token) WHERE (status = 'processing'::text);

CREATE UNIQUE INDEX ple_models_one_champion ON marketing.ple_models USING btree ((true)) WHERE (status = 'champion'::text);

CREATE INDEX ple_results_best ON marketing.ple_results USING btree (ple_score DESC);

CREATE INDEX ple_results_latest ON marketing.ple_results USING btree (company_id, calculated_at DESC, id DESC);

CREATE INDEX vendor_calls_guessed_for ON marketing.vendor_calls USING btree (((input ->> 'guessed_for'::text))) WHERE ((input ->> 'guessed_for'::text) IS NOT NULL);

CREATE INDEX vendor_calls_input ON marketing.vendor_calls USING btree (input_key, operation) WHERE (state = 'settled'::text);

CREATE INDEX vendor_calls_request ON marketing.vendor_calls USING btree (request_id);

CREATE INDEX vendor_holds_due ON marketing.vendor_holds USING btree (retry_at);

CREATE INDEX vendor_requests_batch ON marketing.vendor_requests USING btree (import_batch_id, vendor);

CREATE INDEX vendor_requests_open ON marketing.vendor_requests USING btree (vendor, lease_until) WHERE (state = ANY (ARRAY['reserved'::text, 'sent'::text, 'unknown'::text]));

CREATE INDEX vendor_requests_spending ON marketing.vendor_requests USING btree (vendor, environment, reserved_at) INCLUDE (estimated_usd, actual_usd, state, run_id);

CREATE INDEX workflow_stats_batch ON marketing.workflow_stats USING btree (batch_id);

CREATE INDEX workflow_stats_created ON marketing.workflow_stats USING btree (created_at DESC) INCLUDE (workflow_name, status, duration_seconds);

CREATE INDEX workflow_stats_name_created ON marketing.workflow_stats USING btree (workflow_name, created_at DESC);

CREATE INDEX workflow_stats_status ON marketing.workflow_stats USING btree (status);

CREATE INDEX workflow_stats_triggered_by ON marketing.workflow_stats USING btree (triggered_by);

CREATE OR REPLACE VIEW marketing.v_alerts AS
 SELECT a.id,
    a.rule,
    a.subject,
    a.severity,
    a.value,
    a.detail,
    a.created_at AS since,
    a.announced_at,
    a.checked_at,
    COALESCE(array_agg(DISTINCT m.channel) FILTER (WHERE (m.state = 'delivered'::text)), '{}'::text[]) AS delivered_to,
    COALESCE(array_agg(DISTINCT m.channel) FILTER (WHERE (m.state = 'pending'::text)), '{}'::text[]) AS pending_for
   FROM (marketing.alerts a
     LEFT JOIN marketing.alert_messages m ON ((m.alert_ids @> ARRAY[a.id])))
  WHERE (a.recovered_at IS NULL)
  GROUP BY a.id
  ORDER BY (a.severity = 'critical'::text) DESC, a.created_at, a.id;

CREATE TRIGGER company_raw_intake_insert_events AFTER INSERT ON intake.company_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''company_created''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website)');

CREATE TRIGGER company_raw_intake_touch BEFORE UPDATE OF company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street, company_city, company_state, company_postal_code, company_country, company_address, company_phone, sic_codes, founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id ON intake.company_raw_intake FOR EACH ROW WHEN ((((((((((((((((((((old.company IS DISTINCT FROM new.company) OR (old.company_name_for_emails IS DISTINCT FROM new.company_name_for_emails)) OR (old.website IS DISTINCT FROM new.website)) OR (old.company_linkedin_url IS DISTINCT FROM new.company_linkedin_url)) OR (old.industry IS DISTINCT FROM new.industry)) OR (old.num_employees IS DISTINCT FROM new.num_employees)) OR (old.company_street IS DISTINCT FROM new.company_street)) OR (old.company_city IS DISTINCT FROM new.company_city)) OR (old.company_state IS DISTINCT FROM new.company_state)) OR (old.company_postal_code IS DISTINCT FROM new.company_postal_code)) OR (old.company_country IS DISTINCT FROM new.company_country)) OR (old.company_address IS DISTINCT FROM new.company_address)) OR (old.company_phone IS DISTINCT FROM new.company_phone)) OR (old.sic_codes IS DISTINCT FROM new.sic_codes)) OR (old.founded_year IS DISTINCT FROM new.founded_year)) OR (old.facebook_url IS DISTINCT FROM new.facebook_url)) OR (old.twitter_url IS DISTINCT FROM new.twitter_url)) OR (old.state_abbrev IS DISTINCT FROM new.state_abbrev)) OR (old.import_batch_id IS DISTINCT FROM new.import_batch_id))) EXECUTE FUNCTION intake.reopen_edited_row();

CREATE TRIGGER company_raw_intake_update_events AFTER UPDATE ON intake.company_raw_intake REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''company_updated''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website)', 'company, company_name_for_emails, website, company_linkedin_url, industry, num_employees, company_street, company_city, company_state, company_postal_code, company_country, company_address, company_phone, sic_codes, founded_year, facebook_url, twitter_url, state_abbrev, import_batch_id', 'id');

CREATE TRIGGER outcomes_raw_intake_insert_events AFTER INSERT ON intake.outcomes_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''outcome_received''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website, ''outcome_type'', n.outcome_type)');

CREATE TRIGGER people_raw_intake_insert_events AFTER INSERT ON intake.people_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''contact_created''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website, ''title'', n.title)');

CREATE TRIGGER people_raw_intake_touch BEFORE UPDATE OF full_name, first_name, last_name, title, email, company, website ON intake.people_raw_intake FOR EACH ROW EXECUTE FUNCTION intake.reopen_edited_person();

CREATE TRIGGER people_raw_intake_update_events AFTER UPDATE ON intake.people_raw_intake REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''contact_updated''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website, ''title'', n.title)', 'first_name, last_name, full_name, title, email, email_status, linkedin_url, phone, mobile_phone, seniority, departments, company, website, company_linkedin_url, import_batch_id', 'id');

CREATE TRIGGER signals_raw_intake_insert_events AFTER INSERT ON intake.signals_raw_intake REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''signal_received''', 'n.id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company, ''website'', n.website, ''signal_type'', n.signal_type)');

CREATE TRIGGER actions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON marketing.actions FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_history_change();

CREATE TRIGGER barton_id_history_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON marketing.barton_id_history FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_history_change();

CREATE TRIGGER bit_signals_companies_to_score AFTER INSERT ON marketing.bit_signals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.note_companies_to_score();

CREATE TRIGGER bit_signals_insert_events AFTER INSERT ON marketing.bit_signals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''signal_recorded''', 'n.id', '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)', 'jsonb_build_object(''company_id'', n.company_id, ''signal_type'', n.signal_type)');

CREATE TRIGGER company_master_id_given AFTER INSERT ON marketing.company_master REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'given');

CREATE TRIGGER company_master_id_permanent BEFORE UPDATE OF company_unique_id ON marketing.company_master FOR EACH ROW WHEN ((old.company_unique_id IS DISTINCT FROM new.company_unique_id)) EXECUTE FUNCTION marketing.refuse_id_change();

CREATE TRIGGER company_master_id_retired AFTER DELETE ON marketing.company_master REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('company', 'company_unique_id', 'retired');

CREATE TRIGGER company_master_insert_events AFTER INSERT ON marketing.company_master REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''company_promoted''', 'n.company_unique_id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company_name, ''website'', n.website_url)');

CREATE TRIGGER company_master_touch BEFORE UPDATE ON marketing.company_master FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

CREATE TRIGGER company_master_update_events AFTER UPDATE ON marketing.company_master REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''company_master_updated''', 'n.company_unique_id', 'n.import_batch_id', 'jsonb_build_object(''company'', n.company_name, ''website'', n.website_url)', 'company_name, company_name_for_emails, website_url, domain, industry, employee_count, founded_year, phone, address, city, state, postal_code, country, linkedin_url, facebook_url, twitter_url, sic_codes', 'company_unique_id');

CREATE TRIGGER company_slots_id_permanent BEFORE UPDATE OF company_slot_unique_id, company_unique_id ON marketing.company_slots FOR EACH ROW WHEN (((old.company_slot_unique_id IS DISTINCT FROM new.company_slot_unique_id) OR (old.company_unique_id IS DISTINCT FROM new.company_unique_id))) EXECUTE FUNCTION marketing.refuse_id_change();

CREATE TRIGGER company_slots_id_retired AFTER DELETE ON marketing.company_slots REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('slot', 'company_slot_unique_id', 'retired');

CREATE TRIGGER company_slots_insert_events AFTER INSERT ON marketing.company_slots REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''slot_created''', 'n.company_slot_unique_id', '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)', 'jsonb_build_object(''company_unique_id'', n.company_unique_id, ''slot_type'', n.slot_type)');

CREATE TRIGGER company_slots_keep_three AFTER DELETE ON marketing.company_slots REFERENCING OLD TABLE AS deleted_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.refuse_missing_slot();

CREATE TRIGGER company_slots_touch BEFORE UPDATE ON marketing.company_slots FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

CREATE TRIGGER company_slots_update_events AFTER UPDATE ON marketing.company_slots REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''slot_updated''', 'n.company_slot_unique_id', '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_unique_id)', 'jsonb_build_object(
        ''company_unique_id'', n.company_unique_id, ''slot_type'', n.slot_type, ''is_filled'', n.is_filled)', 'slot_type, slot_label, is_filled, person_unique_id', 'company_slot_unique_id');

CREATE TRIGGER email_verification_insert_events AFTER INSERT ON marketing.email_verification REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('CASE n.status WHEN ''valid'' THEN ''email_verified'' WHEN ''invalid'' THEN ''email_failed'' END', 'n.email', 'n.import_batch_id', 'jsonb_build_object(''status'', n.status, ''reason'', n.reason)');

CREATE TRIGGER email_verification_update_events AFTER UPDATE ON marketing.email_verification REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('CASE n.status WHEN ''valid'' THEN ''email_verified'' WHEN ''invalid'' THEN ''email_failed'' END', 'n.email', 'n.import_batch_id', 'jsonb_build_object(''status'', n.status, ''reason'', n.reason)', 'status', 'email');

CREATE TRIGGER messages_outbound_insert_events AFTER INSERT ON marketing.messages_outbound REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('''message_sent''', 'n.id', '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)', 'jsonb_build_object(''company_id'', n.company_id, ''channel'', n.channel)');

CREATE TRIGGER messages_outbound_update_events AFTER UPDATE ON marketing.messages_outbound REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.raise_events('CASE WHEN n.delivered_at IS NOT NULL THEN ''message_delivered'' END', 'n.id', '(SELECT c.import_batch_id FROM marketing.company_master c WHERE c.company_unique_id = n.company_id)', 'jsonb_build_object(''company_id'', n.company_id, ''channel'', n.channel)', 'delivered_at', 'id');

CREATE TRIGGER people_master_id_given AFTER INSERT ON marketing.people_master REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'given');

CREATE TRIGGER people_master_id_permanent BEFORE UPDATE OF person_unique_id ON marketing.people_master FOR EACH ROW WHEN ((old.person_unique_id IS DISTINCT FROM new.person_unique_id)) EXECUTE FUNCTION marketing.refuse_id_change();

CREATE TRIGGER people_master_id_retired AFTER DELETE ON marketing.people_master REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.record_id_history('person', 'person_unique_id', 'retired');

CREATE TRIGGER people_master_touch BEFORE UPDATE ON marketing.people_master FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();

CREATE TRIGGER pipeline_events_count_processed AFTER UPDATE ON marketing.pipeline_events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION marketing.count_processed_events();

ALTER TABLE ONLY intake.rejected_rows
    ADD CONSTRAINT rejected_rows_file_id_fkey FOREIGN KEY (file_id) REFERENCES intake.loaded_files(id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.actions
    ADD CONSTRAINT actions_started_id_fkey FOREIGN KEY (started_id) REFERENCES marketing.actions(id);

ALTER TABLE ONLY marketing.batch_stages
    ADD CONSTRAINT batch_stages_stage_fkey FOREIGN KEY (stage) REFERENCES marketing.pipeline_stages(stage);

ALTER TABLE ONLY marketing.bit_results
    ADD CONSTRAINT bit_results_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.bit_signals
    ADD CONSTRAINT bit_signals_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.company_aliases
    ADD CONSTRAINT company_aliases_company_unique_id_fkey FOREIGN KEY (company_unique_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY marketing.company_batches
    ADD CONSTRAINT company_batches_company_unique_id_fkey FOREIGN KEY (company_unique_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.company_matches
    ADD CONSTRAINT company_matches_company_unique_id_fkey FOREIGN KEY (company_unique_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.company_matches
    ADD CONSTRAINT company_matches_intake_id_fkey FOREIGN KEY (intake_id) REFERENCES intake.company_raw_intake(id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.company_slots
    ADD CONSTRAINT company_slots_company_unique_id_fkey FOREIGN KEY (company_unique_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.company_slots
    ADD CONSTRAINT company_slots_person FOREIGN KEY (person_unique_id) REFERENCES marketing.people_master(person_unique_id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY marketing.contact_enrichment
    ADD CONSTRAINT contact_enrichment_company_slot_unique_id_fkey FOREIGN KEY (company_slot_unique_id) REFERENCES marketing.company_slots(company_slot_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.contact_enrichment
    ADD CONSTRAINT contact_enrichment_person_unique_id_fkey FOREIGN KEY (person_unique_id) REFERENCES marketing.people_master(person_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.event_routes
    ADD CONSTRAINT event_routes_entry_stage_fkey FOREIGN KEY (entry_stage) REFERENCES marketing.pipeline_stages(stage);

ALTER TABLE ONLY marketing.messages_outbound
    ADD CONSTRAINT messages_outbound_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) DEFERRABLE;

ALTER TABLE ONLY marketing.messages_outbound
    ADD CONSTRAINT messages_outbound_person_unique_id_fkey FOREIGN KEY (person_unique_id) REFERENCES marketing.people_master(person_unique_id) DEFERRABLE;

ALTER TABLE ONLY marketing.outcomes
    ADD CONSTRAINT outcomes_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.people_master
    ADD CONSTRAINT people_master_company_slot_unique_id_fkey FOREIGN KEY (company_slot_unique_id) REFERENCES marketing.company_slots(company_slot_unique_id) ON DELETE SET NULL;

ALTER TABLE ONLY marketing.people_master
    ADD CONSTRAINT people_master_company_unique_id_fkey FOREIGN KEY (company_unique_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.ple_results
    ADD CONSTRAINT ple_results_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.ple_training_examples
    ADD CONSTRAINT ple_training_examples_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.sniper_targets
    ADD CONSTRAINT sniper_targets_company_id_fkey FOREIGN KEY (company_id) REFERENCES marketing.company_master(company_unique_id) ON DELETE CASCADE;

ALTER TABLE ONLY marketing.vendor_calls
    ADD CONSTRAINT vendor_calls_request_id_fkey FOREIGN KEY (request_id) REFERENCES marketing.vendor_requests(id);
GRANT USAGE ON SCHEMA intake TO barton_app;
GRANT USAGE ON SCHEMA marketing TO barton_app;
GRANT USAGE ON SCHEMA marketing TO barton_readonly;
REVOKE ALL ON FUNCTION marketing.actor() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.actor() TO barton_app;
REVOKE ALL ON FUNCTION marketing.add_up_event_days() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.add_up_event_days() TO barton_app;
REVOKE ALL ON FUNCTION marketing.barton_id(department text, number bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.barton_id(department text, number bigint) TO barton_app;
REVOKE ALL ON FUNCTION marketing.begin_operation(action text, target text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.begin_operation(action text, target text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.catch_up(since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.catch_up(since timestamp with time zone) TO barton_app;
REVOKE ALL ON FUNCTION marketing.company_named(domain text, name_key text, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.company_named(domain text, name_key text, alias text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.copy_column_comments(origin regclass, target regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.copy_column_comments(origin regclass, target regclass) TO barton_app;
REVOKE ALL ON FUNCTION marketing.count_processed_events() FROM PUBLIC;
REVOKE ALL ON FUNCTION marketing.empty_what_rows_told(company text, rows bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.empty_what_rows_told(company text, rows bigint[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.end_operation(action text, target text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.end_operation(action text, target text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.enforce_rollbacks() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.enforce_rollbacks() TO barton_app;
REVOKE ALL ON FUNCTION marketing.error_fingerprint(message text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.error_fingerprint(message text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.events_of_error(details jsonb, batch text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.events_of_error(details jsonb, batch text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.fill_company_gaps(companies text[], rows bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.fill_company_gaps(companies text[], rows bigint[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.forget_person(wanted text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.forget_person(wanted text, reason text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.give_back_numbers() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.give_back_numbers() TO barton_app;
REVOKE ALL ON FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.interpolate(x double precision, xs double precision[], ys double precision[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.is_suppressed(email text, linkedin_url text, full_name text, domain text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.kept_hashes(email text, linkedin_url text, full_name text, domain text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.kept_hashes(email text, linkedin_url text, full_name text, domain text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, VARIADIC identities text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.known_or_new_id(entity_ text, parent_ text, VARIADIC identities text[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.linkedin_slug(url text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.linkedin_slug(url text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.log_pipeline_error(event_type text, record_id text, error_message text, error_details jsonb, severity text, import_batch_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.log_pipeline_error(event_type text, record_id text, error_message text, error_details jsonb, severity text, import_batch_id text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.mark_event_failed(event_id bigint, message text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.mark_event_failed(event_id bigint, message text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.mark_event_processed(event_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.mark_event_processed(event_id bigint) TO barton_app;
REVOKE ALL ON FUNCTION marketing.match_companies(domains text[], names text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.match_companies(domains text[], names text[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.name_core(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.name_core(name text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.note_companies_to_score() FROM PUBLIC;
REVOKE ALL ON FUNCTION marketing.notify_pipeline_event(event_type text, payload jsonb, import_batch_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.notify_pipeline_event(event_type text, payload jsonb, import_batch_id text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.person_hashes(email text, linkedin_url text, full_name text, domain text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.plain_address(email text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.plain_address(email text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.plain_name(full_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.plain_name(full_name text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.purge_errors(before timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.purge_errors(before timestamp with time zone, at_most integer) TO barton_app;
REVOKE ALL ON FUNCTION marketing.purge_events(before timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.purge_events(before timestamp with time zone, at_most integer) TO barton_app;
REVOKE ALL ON FUNCTION marketing.raise_events() FROM PUBLIC;
REVOKE ALL ON FUNCTION marketing.record_id_history() FROM PUBLIC;
REVOKE ALL ON FUNCTION marketing.refuse_history_change() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.refuse_history_change() TO barton_app;
REVOKE ALL ON FUNCTION marketing.refuse_id_change() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.refuse_id_change() TO barton_app;
REVOKE ALL ON FUNCTION marketing.refuse_missing_slot() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.refuse_missing_slot() TO barton_app;
REVOKE ALL ON FUNCTION marketing.rekey_companies() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.rekey_companies() TO barton_app;
REVOKE ALL ON FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.resolve_pipeline_error(error_id bigint, by_whom text, notes text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.scrub_answers(domains text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.scrub_answers(domains text[]) TO barton_app;
REVOKE ALL ON FUNCTION marketing.take_statistics(at_least_rows bigint, share double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.take_statistics(at_least_rows bigint, share double precision) TO barton_app;
REVOKE ALL ON FUNCTION marketing.told_columns() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.told_columns() TO barton_app;
REVOKE ALL ON FUNCTION marketing.touch_updated_at() FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.touch_updated_at() TO barton_app;
REVOKE ALL ON FUNCTION marketing.undo_batch(batch text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.undo_batch(batch text, reason text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.unmatch_company(row_id bigint, by_whom text, notes text) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.unmatch_company(row_id bigint, by_whom text, notes text) TO barton_app;
REVOKE ALL ON FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION marketing.wake_listeners(event_type text, import_batch_id text, n_rows bigint) TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.company_raw_intake TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.outcomes_raw_intake TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.people_raw_intake TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.signals_raw_intake TO barton_app;
GRANT SELECT ON TABLE intake.batches TO barton_app;
GRANT SELECT ON TABLE intake.companies_to_process TO barton_app;
GRANT SELECT ON TABLE intake.company_facts TO barton_app;
GRANT USAGE ON SEQUENCE intake.company_raw_intake_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.loaded_files TO barton_app;
GRANT USAGE ON SEQUENCE intake.loaded_files_id_seq TO barton_app;
GRANT USAGE ON SEQUENCE intake.outcomes_raw_intake_id_seq TO barton_app;
GRANT SELECT ON TABLE intake.outcomes_to_process TO barton_app;
GRANT USAGE ON SEQUENCE intake.people_raw_intake_id_seq TO barton_app;
GRANT SELECT ON TABLE intake.people_to_process TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.public_suffix TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.rejected_rows TO barton_app;
GRANT USAGE ON SEQUENCE intake.rejected_rows_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.separate_names TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE intake.shared_domains TO barton_app;
GRANT USAGE ON SEQUENCE intake.signals_raw_intake_id_seq TO barton_app;
GRANT SELECT ON TABLE intake.signals_to_process TO barton_app;
GRANT SELECT,INSERT ON TABLE marketing.actions TO barton_app;
GRANT USAGE ON SEQUENCE marketing.actions_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.alert_beats TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.alert_messages TO barton_app;
GRANT USAGE ON SEQUENCE marketing.alert_messages_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.alerts TO barton_app;
GRANT USAGE ON SEQUENCE marketing.alerts_id_seq TO barton_app;
GRANT SELECT,INSERT ON TABLE marketing.barton_id_history TO barton_app;
GRANT USAGE ON SEQUENCE marketing.barton_id_history_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.batch_stages TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.bit_results TO barton_app;
GRANT USAGE ON SEQUENCE marketing.bit_results_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.bit_signals TO barton_app;
GRANT USAGE ON SEQUENCE marketing.bit_signals_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.companies_to_score TO barton_app;
GRANT USAGE ON SEQUENCE marketing.companies_to_score_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.company_aliases TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.company_master TO barton_app;
GRANT SELECT,INSERT,UPDATE ON TABLE marketing.vendor_calls TO barton_app;
GRANT SELECT ON TABLE marketing.company_answers TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.company_batches TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.company_matches TO barton_app;
GRANT USAGE ON SEQUENCE marketing.company_number TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.company_slots TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.contact_enrichment TO barton_app;
GRANT USAGE ON SEQUENCE marketing.contact_enrichment_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.email_verification TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.event_days TO barton_app;
GRANT USAGE ON SEQUENCE marketing.event_days_id_seq TO barton_app;
GRANT SELECT ON TABLE marketing.event_routes TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.known_ids TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.messages_outbound TO barton_app;
GRANT USAGE ON SEQUENCE marketing.messages_outbound_id_seq TO barton_app;
GRANT SELECT,INSERT ON TABLE marketing.operations TO barton_app;
GRANT SELECT ON TABLE marketing.operations TO barton_readonly;
GRANT UPDATE(details) ON TABLE marketing.operations TO barton_app;
GRANT UPDATE(ended_at) ON TABLE marketing.operations TO barton_app;
GRANT UPDATE(ended_by) ON TABLE marketing.operations TO barton_app;
GRANT USAGE ON SEQUENCE marketing.operations_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.outcomes TO barton_app;
GRANT USAGE ON SEQUENCE marketing.outcomes_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.people_master TO barton_app;
GRANT USAGE ON SEQUENCE marketing.person_number TO barton_app;
GRANT SELECT,INSERT ON TABLE marketing.pipeline_errors TO barton_app;
GRANT UPDATE(resolved) ON TABLE marketing.pipeline_errors TO barton_app;
GRANT UPDATE(resolved_at) ON TABLE marketing.pipeline_errors TO barton_app;
GRANT UPDATE(resolved_by) ON TABLE marketing.pipeline_errors TO barton_app;
GRANT UPDATE(resolution_notes) ON TABLE marketing.pipeline_errors TO barton_app;
GRANT USAGE ON SEQUENCE marketing.pipeline_errors_id_seq TO barton_app;
GRANT SELECT,INSERT ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(status) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(attempts) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(crashes) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(available_at) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(lease_token) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(lease_until) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(claimed_by) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(error_message) ON TABLE marketing.pipeline_events TO barton_app;
GRANT UPDATE(processed_at) ON TABLE marketing.pipeline_events TO barton_app;
GRANT USAGE ON SEQUENCE marketing.pipeline_events_id_seq TO barton_app;
GRANT SELECT ON TABLE marketing.pipeline_stages TO barton_app;
GRANT SELECT,INSERT,UPDATE ON TABLE marketing.ple_models TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.ple_results TO barton_app;
GRANT USAGE ON SEQUENCE marketing.ple_results_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.ple_training_examples TO barton_app;
GRANT SELECT ON TABLE marketing.schema_migrations TO barton_app;
GRANT SELECT ON TABLE marketing.schema_objects TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.sniper_targets TO barton_app;
GRANT SELECT,INSERT,UPDATE ON TABLE marketing.suppressed_people TO barton_app;
GRANT SELECT ON TABLE marketing.v_alerts TO barton_app;
GRANT SELECT ON TABLE marketing.v_alerts TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_bit_surge TO barton_app;
GRANT SELECT ON TABLE marketing.v_bit_surge TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_daily_throughput TO barton_app;
GRANT SELECT ON TABLE marketing.v_daily_throughput TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_error_recent TO barton_app;
GRANT SELECT ON TABLE marketing.v_error_recent TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_event_queue_status TO barton_app;
GRANT SELECT ON TABLE marketing.v_event_queue_status TO barton_readonly;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.workflow_stats TO barton_app;
GRANT SELECT ON TABLE marketing.v_phase_stats TO barton_app;
GRANT SELECT ON TABLE marketing.v_phase_stats TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_sniper_targets TO barton_app;
GRANT SELECT ON TABLE marketing.v_sniper_targets TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_sniper_target_details TO barton_app;
GRANT SELECT ON TABLE marketing.v_sniper_target_details TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_workflow_health TO barton_app;
GRANT SELECT ON TABLE marketing.v_workflow_health TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_workflow_stats_hourly TO barton_app;
GRANT SELECT ON TABLE marketing.v_workflow_stats_hourly TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_workflow_stats_recent TO barton_app;
GRANT SELECT ON TABLE marketing.v_workflow_stats_recent TO barton_readonly;
GRANT SELECT ON TABLE marketing.v_workflow_summary TO barton_app;
GRANT SELECT ON TABLE marketing.v_workflow_summary TO barton_readonly;
GRANT USAGE ON SEQUENCE marketing.vendor_calls_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.vendor_holds TO barton_app;
GRANT SELECT,INSERT,UPDATE ON TABLE marketing.vendor_requests TO barton_app;
GRANT USAGE ON SEQUENCE marketing.vendor_requests_id_seq TO barton_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE marketing.vendor_switches TO barton_app;
GRANT SELECT ON TABLE marketing.vw_error_rate_24h TO barton_app;
GRANT SELECT ON TABLE marketing.vw_error_rate_24h TO barton_readonly;
GRANT SELECT ON TABLE marketing.vw_unresolved_errors TO barton_app;
GRANT SELECT ON TABLE marketing.vw_unresolved_errors TO barton_readonly;
GRANT USAGE ON SEQUENCE marketing.workflow_stats_id_seq TO barton_app;
