DROP TABLE IF EXISTS marketing.company_aliases;
