-- The ledger goes with its answers: export it first (barton vendors --json).
DROP TABLE IF EXISTS marketing.vendor_switches;
DROP TABLE IF EXISTS marketing.vendor_holds;
DROP TABLE IF EXISTS marketing.vendor_calls;
DROP TABLE IF EXISTS marketing.vendor_requests;
