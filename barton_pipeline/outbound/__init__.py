"""Whatever leaves the house and may not leave twice: requests, ledger, budgets, holds, wire. Knows no vendor.

The states of a request are in docs/explanation/vendors.md.
"""
