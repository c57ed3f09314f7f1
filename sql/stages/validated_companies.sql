-- Judges every intake row of the batch. The rules and lists are barton_pipeline/validation.py and validation.yaml.
-- Only verdict columns are written, so the update trigger need not compare a million rows to find nothing.
SET LOCAL barton.skip_update_events = 'on';

DROP TABLE IF EXISTS pg_temp.readings;
CREATE TEMP TABLE readings ON COMMIT DROP AS
SELECT id, nullif(btrim(company), '') AS company, intake.company_name_key(company) AS name_key,
       CASE WHEN lower(btrim(website)) <> ALL (%(empty_values)s) THEN btrim(website) END AS website,
       CASE WHEN lower(btrim(website)) <> ALL (%(empty_values)s) THEN intake.website_host(website) END AS host,
       CASE WHEN lower(btrim(num_employees)) <> ALL (%(empty_values)s) THEN btrim(num_employees) END AS num_employees,
       CASE WHEN lower(btrim(founded_year)) <> ALL (%(empty_values)s) THEN btrim(founded_year) END AS founded_year,
       CASE WHEN lower(btrim(company_phone)) <> ALL (%(empty_values)s) THEN btrim(company_phone) END AS phone,
       CASE WHEN lower(btrim(company_linkedin_url)) <> ALL (%(empty_values)s) THEN btrim(company_linkedin_url) END AS linkedin
FROM intake.company_raw_intake WHERE import_batch_id = %(batch)s;

DROP TABLE IF EXISTS pg_temp.verdicts;
CREATE TEMP TABLE verdicts ON COMMIT DROP AS
WITH parsed AS (
    SELECT r.*, d.domain,
           r.host = ANY (%(social_hosts)s) OR d.domain = ANY (%(social_domains)s) AS is_social,
           -- "2,100,000", "500.0", "51-200" (the lower bound), "10,001+"
           CASE WHEN num_employees ~ '^[0-9][0-9., ]*( *([-–]|to) *[0-9][0-9., ]*|\+)?( *employees)?$'
                THEN nullif(left(regexp_replace(regexp_replace(
                    substring(num_employees FROM '^[0-9][0-9., ]*'), '\.0+ *$', ''), '[^0-9]', '', 'g'), 12), '')::numeric END AS employees,
           CASE WHEN founded_year ~ '^[0-9]{4}(\.0+)?$' THEN left(founded_year, 4)::integer END AS founded,
           regexp_replace(phone, '[^0-9]', '', 'g') AS digits,
           lower(substring(linkedin FROM '(?i)linkedin\.com/(?:company|school|showcase|organization)/([^/?#\s]+)')) AS page
    FROM pg_temp.readings r
    LEFT JOIN intake.registrable_domains(ARRAY(SELECT DISTINCT host FROM pg_temp.readings WHERE host IS NOT NULL)) d USING (host)
), judged AS (
    SELECT id, name_key, domain,
           CASE WHEN employees BETWEEN 1 AND %(employees_most)s THEN employees::integer END AS employee_count,
           CASE WHEN founded BETWEEN %(founded_earliest)s AND extract(year FROM now())::integer + 1 THEN founded END AS founded,
           CASE WHEN length(digits) BETWEEN 7 AND 15 THEN CASE WHEN phone ~ '^[^0-9]*\+' THEN '+' ELSE '' END || digits END AS phone,
           'https://www.linkedin.com/' || CASE WHEN linkedin ~* '/school/' THEN 'school/' WHEN linkedin ~* '/showcase/' THEN 'showcase/'
               ELSE 'company/' END || page AS linkedin_url,
           array_remove(ARRAY[
               CASE WHEN company IS NULL THEN 'name_missing' WHEN length(company) < 2 THEN 'name_too_short'
                    WHEN name_key = ANY (%(placeholders)s) OR lower(company) = ANY (%(empty_values)s) THEN 'name_placeholder' END,
               CASE WHEN website IS NULL OR is_social THEN 'website_missing'
                    WHEN domain IS NULL OR domain = ANY (%(reserved_domains)s) THEN 'website_invalid' END,
               CASE WHEN is_social THEN 'website_is_social' END,
               CASE WHEN num_employees IS NOT NULL AND coalesce(employees NOT BETWEEN 1 AND %(employees_most)s, true) THEN 'employees_invalid' END,
               CASE WHEN founded_year IS NOT NULL AND coalesce(founded NOT BETWEEN %(founded_earliest)s
                         AND extract(year FROM now())::integer + 1, true) THEN 'founded_invalid' END,
               CASE WHEN phone IS NOT NULL AND length(digits) NOT BETWEEN 7 AND 15 THEN 'phone_invalid' END,
               CASE WHEN linkedin IS NOT NULL AND page IS NULL THEN 'linkedin_invalid' END], NULL) AS reasons
    FROM parsed
)
SELECT id, name_key, CASE WHEN 'website_missing' <> ALL (reasons) AND 'website_invalid' <> ALL (reasons) THEN domain END AS domain,
       employee_count, founded, phone, linkedin_url, reasons, NOT reasons && %(errors)s::text[] AS valid,
       CASE WHEN cardinality(reasons) > 0 THEN
           (SELECT string_agg(%(notes)s::jsonb ->> code, '; ' ORDER BY place) FROM unnest(reasons) WITH ORDINALITY AS u (code, place)) END AS notes
FROM judged;

UPDATE intake.company_raw_intake r
SET validated = v.valid, validation_reasons = v.reasons, validation_notes = v.notes, validated_at = now(),
    validated_by = %(version)s, domain = v.domain, company_name_key = v.name_key, employee_count = v.employee_count,
    founded = v.founded, phone = v.phone, linkedin_url = v.linkedin_url
FROM pg_temp.verdicts v
WHERE r.id = v.id
  AND (r.validated, r.validation_reasons, r.validation_notes, r.validated_by, r.domain, r.company_name_key, r.employee_count,
       r.founded, r.phone, r.linkedin_url)
      IS DISTINCT FROM (v.valid, v.reasons, v.notes, %(version)s, v.domain, v.name_key, v.employee_count, v.founded, v.phone, v.linkedin_url);

SET LOCAL barton.skip_update_events = '';

SELECT count(*) AS rows_in, count(*) FILTER (WHERE valid) AS rows_out, count(*) FILTER (WHERE NOT valid) AS rows_rejected,
       count(*) FILTER (WHERE valid AND cardinality(reasons) > 0) AS valid_with_warnings,
       (SELECT coalesce(jsonb_object_agg(code, n), '{}') FROM (SELECT unnest(reasons) AS code, count(*) AS n FROM pg_temp.verdicts GROUP BY 1) c) AS reasons
FROM pg_temp.verdicts;
