-- The best scores below the cut, without reading all of them (barton targets shows the next best).
CREATE INDEX IF NOT EXISTS ple_results_best ON marketing.ple_results (ple_score DESC);
CREATE INDEX IF NOT EXISTS bit_results_best ON marketing.bit_results (bit_score DESC);
