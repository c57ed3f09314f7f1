DROP FUNCTION IF EXISTS marketing.give_back_numbers();
COMMENT ON FUNCTION marketing.known_or_new_id(text, text, text) IS 'The next free ID of a company or person, or in a replay the one it had';
