"""Import batches as Dagster partitions. The key grammar itself is in ``batch_keys`` (no dagster there)."""

import dagster as dg

from barton_pipeline.batch_keys import check_batch_key

import_batches = dg.DynamicPartitionsDefinition(name="import_batch")


def add_batch(instance: dg.DagsterInstance, import_batch_id: str) -> None:
    """Make a batch selectable in the Dagster UI; nothing happens when it is already there.

    Raises InputError for a key outside the grammar.
    """
    if not instance.has_dynamic_partition("import_batch", check_batch_key(import_batch_id)):
        instance.add_dynamic_partitions("import_batch", [import_batch_id])
