DROP TABLE IF EXISTS intake.signals_raw_intake;
DROP TABLE IF EXISTS intake.people_raw_intake;
DROP TABLE IF EXISTS intake.company_raw_intake;
DROP TABLE IF EXISTS intake.rejected_rows;
DROP TABLE IF EXISTS intake.loaded_files;
