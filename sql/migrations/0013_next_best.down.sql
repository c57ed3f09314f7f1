DROP INDEX IF EXISTS marketing.ple_results_best;
DROP INDEX IF EXISTS marketing.bit_results_best;
