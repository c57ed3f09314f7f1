"""Everything that is Dagster's: assets, checks, jobs, sensors, partitions, resources. No SQL of the subjects, no rules."""
