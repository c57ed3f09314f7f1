"""Paid vendors: settings, ledger and budgets, clients, buying, the sandbox (docs/vendors.md). No dagster here."""
