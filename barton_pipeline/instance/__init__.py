"""What dagster.yaml names."""
