"""Whatever leaves the house and may not leave twice: requests, ledger, budgets, holds, wire (docs/vendors.md). Knows no vendor."""
