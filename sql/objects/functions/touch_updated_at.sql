CREATE OR REPLACE FUNCTION marketing.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION marketing.touch_updated_at() IS 'Row trigger: stamps updated_at';
REVOKE EXECUTE ON FUNCTION marketing.touch_updated_at() FROM public;
