"""Paid vendors: settings, ledger and budgets, clients, buying, the sandbox (docs/explanation/vendors.md). No dagster here."""
