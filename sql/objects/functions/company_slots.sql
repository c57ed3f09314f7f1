CREATE OR REPLACE FUNCTION marketing.refuse_missing_slot() RETURNS trigger
LANGUAGE plpgsql AS $$
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
REVOKE EXECUTE ON FUNCTION marketing.refuse_missing_slot() FROM public;
