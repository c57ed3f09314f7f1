DROP TABLE IF EXISTS intake.shared_domains;
