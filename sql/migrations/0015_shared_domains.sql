-- Domains that are nobody's own: whoever's website or address is there is one of many.
-- Filled by data/shared_domains.sql.
CREATE TABLE IF NOT EXISTS intake.shared_domains (
    name text COLLATE "C" PRIMARY KEY,
    category text NOT NULL,
    host_only boolean NOT NULL DEFAULT false,
    owners text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE intake.shared_domains IS
'Domains and hosts that are nobody''s own: free mail, providers, site builders, directories and the like';
COMMENT ON COLUMN intake.shared_domains.name IS 'Domain or host in lower case, without www.';
COMMENT ON COLUMN intake.shared_domains.category IS 'What the site is; part of the reason code website_is_CATEGORY';
COMMENT ON COLUMN intake.shared_domains.host_only IS 'Only this host is shared; other hosts of the domain are not';
COMMENT ON COLUMN intake.shared_domains.owners IS
'Names of the site''s own company besides the first label of its domain, as name keys without spaces';
