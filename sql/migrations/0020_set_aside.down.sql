CREATE OR REPLACE FUNCTION intake.reopen_edited_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    NEW.validated := NULL;
    NEW.validated_at := NULL;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER people_raw_intake_touch
    BEFORE UPDATE OF full_name, first_name, last_name, title, email, company, website ON intake.people_raw_intake
    FOR EACH ROW EXECUTE FUNCTION marketing.touch_updated_at();
DROP FUNCTION IF EXISTS intake.reopen_edited_person();
DROP FUNCTION IF EXISTS intake.settle_set_aside(text, bigint, text);
DROP VIEW IF EXISTS intake.outcomes_to_process;
DROP VIEW IF EXISTS intake.signals_to_process;
DROP VIEW IF EXISTS intake.people_to_process;
DROP VIEW IF EXISTS intake.companies_to_process;
DROP FUNCTION IF EXISTS intake.last_row();
DROP FUNCTION IF EXISTS intake.first_row();
