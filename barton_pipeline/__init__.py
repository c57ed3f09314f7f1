"""Barton Pipeline: raw companies in, sniper targets out, driven by events in Postgres."""
