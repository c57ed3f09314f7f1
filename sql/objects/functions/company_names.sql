-- From a company's name to the key that, with its domain, identifies it.

-- Capitals of the scripts that have them are spelt out: lower() knows only ASCII in a database with locale C, and where
-- it knows more it leaves the final sigma of Greek apart.
CREATE OR REPLACE FUNCTION intake.lower_letters(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
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
COMMENT ON FUNCTION intake.lower_letters(text) IS
'Small letters in Latin, Greek, Cyrillic, Armenian and Georgian, whatever the locale of the database';

CREATE OR REPLACE FUNCTION intake.fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(value) = length(value) THEN lower(value) ELSE
        intake.lower_letters(regexp_replace(regexp_replace(regexp_replace(translate(
            regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g'),
            'ØøŁłĐđÐðıÞþ', 'ooLldddditt'), '[ßẞ]', 'ss', 'g'), '[æÆ]', 'ae', 'g'), '[œŒ]', 'oe', 'g')) END
$$;
COMMENT ON FUNCTION intake.fold(text) IS 'Lower case without accents';

-- Files are unescaped when they are loaded (intake/values.py); rows inserted with SQL are not.
CREATE OR REPLACE FUNCTION intake.unescaped(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value LIKE '%&%;%' THEN
        replace(replace(replace(regexp_replace(regexp_replace(value,
            '&(#0*39|#x27|apos|rsquo|#8217);', '''', 'gi'),
            '&(nbsp|#160);', ' ', 'gi'), '&quot;', '"'), '&#38;', '&'), '&amp;', '&')
        ELSE value END
$$;
COMMENT ON FUNCTION intake.unescaped(text) IS 'Text without the HTML entities that names have';

CREATE OR REPLACE FUNCTION intake.words(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(replace(translate(intake.fold(intake.unescaped(value)),
        E'.''’‘`´״®™©\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f', ''), '&', ' and '),
        '[ !"#$%()*+,\-/:;<=>?@[\\\]^_{|}~\t\n\r\u00a0«»‹›„“”‟・、。「」『』《》\u2010-\u2014\u2022\u3000]+', ' ', 'g'))
$$;
COMMENT ON FUNCTION intake.words(text) IS
'Folded words separated by one space; apostrophes, full stops and what cannot be seen vanish, other punctuation '
'separates';

-- Full stops, strokes or spaces between its letters, capitals as in SpA, or a comma before it: it is a legal form. So
-- it is in capitals and in small letters, unless it rather is a word.
CREATE OR REPLACE FUNCTION intake.is_written_as_legal_form(written text, form text, kind text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
$$;
COMMENT ON FUNCTION intake.is_written_as_legal_form(text, text, text) IS
'Whether the spelling of a name says that its last words are a legal form; kind is ambiguous or word';

-- In plpgsql, because one regular expression that removes the legal forms costs five times as much.
-- The spelling of the name decides on forms that may be words; NULL cuts them all.
CREATE OR REPLACE FUNCTION intake.without_legal_forms(key text, written text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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
$$;
COMMENT ON FUNCTION intake.without_legal_forms(text, text) IS
'The words of a name without legal forms before and behind it; never nothing';

CREATE OR REPLACE FUNCTION intake.company_name_key(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    key text := intake.words(name);
BEGIN
    IF key = '' THEN
        RETURN lower(btrim(name));
    END IF;
    RETURN intake.without_legal_forms(CASE WHEN key LIKE 'the _%' THEN substr(key, 5) ELSE key END, name);
END
$$;
COMMENT ON FUNCTION intake.company_name_key(text) IS
'Company name without case, accents, punctuation, leading The and legal form';

CREATE OR REPLACE FUNCTION intake.loose_name_key(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
COMMENT ON FUNCTION intake.loose_name_key(text) IS
'Company name as it is compared among the companies of one domain: also without what stands in brackets and legal '
'forms that may be words, and with u for ue and ü';

-- A name that stands apart (an undone match) is only found as it is written: =acme inc.
CREATE OR REPLACE FUNCTION intake.alias_key(domain text, name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce('=' || (SELECT a.name_words FROM intake.separate_names a
                            WHERE a.domain = alias_key.domain AND a.name_words = intake.words(name)),
                    intake.loose_name_key(name))
$$;
COMMENT ON FUNCTION intake.alias_key(text, text) IS 'What a name is looked for by among the companies of a domain';
