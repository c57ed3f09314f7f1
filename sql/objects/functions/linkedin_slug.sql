CREATE OR REPLACE FUNCTION marketing.linkedin_slug(url text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower((regexp_match(url, 'linkedin\.com/(?:company|school|showcase)/([^/?#\s]+)', 'i'))[1])
$$;
COMMENT ON FUNCTION marketing.linkedin_slug(text) IS
'acme-corp of https://www.linkedin.com/company/acme-corp/; NULL for anything else';
REVOKE EXECUTE ON FUNCTION marketing.linkedin_slug(text) FROM public;
