-- From a company's name to the key that, with its domain, identifies it.

CREATE OR REPLACE FUNCTION intake.fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(value) = length(value) THEN lower(value) ELSE
        -- both cases are spelt out, because lower() knows only ASCII in a database with locale C
        lower(regexp_replace(regexp_replace(regexp_replace(translate(
            regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g'),
            'ØøŁłĐđÐðıÞþ', 'ooLldddditt'), '[ßẞ]', 'ss', 'g'), '[æÆ]', 'ae', 'g'), '[œŒ]', 'oe', 'g')) END
$$;
COMMENT ON FUNCTION intake.fold(text) IS 'Lower case without accents';

CREATE OR REPLACE FUNCTION intake.words(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(replace(translate(intake.fold(value), '.''’‘`´®™©', ''), '&', ' and '),
        '[ !"#$%()*+,\-/:;<=>?@[\\\]^_{|}~\t\n\r\u00a0\u2010-\u2014\u2022\u3000]+', ' ', 'g'))
$$;
COMMENT ON FUNCTION intake.words(text) IS
'Folded words separated by one space; apostrophes and full stops vanish, other punctuation separates';

-- In plpgsql, because one regular expression that removes the legal forms costs five times as much.
CREATE OR REPLACE FUNCTION intake.company_name_key(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    key text := intake.words(name);
    form text;
BEGIN
    IF key = '' THEN
        RETURN lower(btrim(name));
    END IF;
    IF key LIKE 'the _%' THEN
        key := substr(key, 5);
    END IF;
    LOOP
        form := split_part(key, ' ', -1);
        IF form = 'c' AND key LIKE '% l l c' THEN
            form := 'l l c';
        ELSIF form <> ALL ('{inc,incorporated,llc,ltd,limited,corp,corporation,co,company,plc,llp,lp,pllc,pc,pa,'
                           'gmbh,mbh,ag,kg,ug,sa,sas,sarl,srl,spa,bv,nv,oy,oyj,ab,as,aps,kft,pty,pte}') THEN
            EXIT;
        END IF;
        EXIT WHEN form = key;
        key := left(key, - length(form) - 1);
        -- what is left of "& Co."
        IF form IN ('co', 'company') AND key LIKE '_% and' THEN
            key := left(key, -4);
        END IF;
    END LOOP;
    RETURN key;
END
$$;
COMMENT ON FUNCTION intake.company_name_key(text) IS
'Company name without case, accents, punctuation, leading The and legal form';
