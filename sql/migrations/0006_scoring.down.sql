DROP TABLE IF EXISTS marketing.sniper_targets;
DROP TABLE IF EXISTS marketing.companies_to_score;
DROP TABLE IF EXISTS marketing.ple_models;
DROP TABLE IF EXISTS marketing.ple_training_examples;
DROP TABLE IF EXISTS marketing.outcomes;
DROP TABLE IF EXISTS marketing.ple_results;
DROP TABLE IF EXISTS marketing.bit_results;
DROP TABLE IF EXISTS marketing.bit_signals;
