-- The extension of a company's telephone number is no part of the number.

ALTER TABLE intake.company_raw_intake ADD COLUMN IF NOT EXISTS phone_extension text;
COMMENT ON COLUMN intake.company_raw_intake.phone_extension IS
'Extension read from company_phone: digits, kept apart from phone; NULL when there is none';
COMMENT ON COLUMN intake.company_raw_intake.phone IS
'Read from company_phone: E.164 with + where the number or the row says the country, else national digits of the '
'default region; NULL when unreadable';
