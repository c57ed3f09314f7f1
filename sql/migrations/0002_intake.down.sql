DROP TABLE IF EXISTS intake.separate_names;
DROP TABLE IF EXISTS intake.public_suffix;
DROP TABLE IF EXISTS intake.outcomes_raw_intake;
DROP TABLE IF EXISTS intake.signals_raw_intake;
DROP TABLE IF EXISTS intake.people_raw_intake;
DROP TABLE IF EXISTS intake.company_raw_intake;
DROP TABLE IF EXISTS intake.rejected_rows;
DROP TABLE IF EXISTS intake.loaded_files;
