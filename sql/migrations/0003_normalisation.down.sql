DROP FUNCTION IF EXISTS intake.company_name_key(text);
DROP FUNCTION IF EXISTS intake.words(text);
DROP FUNCTION IF EXISTS intake.fold(text);
DROP FUNCTION IF EXISTS intake.registrable_domains(text[]);
DROP TABLE IF EXISTS intake.public_suffix;
DROP FUNCTION IF EXISTS intake.website_host(text);
