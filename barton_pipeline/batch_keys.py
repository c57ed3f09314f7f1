"""The grammar of import-batch keys, such as ``20251024-WV-B1``, and the making of new ones.

Belongs here: pure text. Not here: which batches exist (the database), their Dagster partitions (``orchestration.partitions``).
"""

import re
import unicodedata
from collections.abc import Container
from datetime import date
from itertools import count

from barton_pipeline.errors import InputError

# The same pattern stands in the CHECK constraints of sql/migrations/0002_intake.sql.
BATCH_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STEM_LENGTH = 40


def check_batch_key(key: str) -> str:
    """Return key; raise InputError stating the grammar when it cannot name a batch."""
    if BATCH_KEY.fullmatch(key):
        return key
    raise InputError(
        f"{key[:120]!r} is not a batch key: use 1 to 100 letters, digits, '.', '_' or '-', "
        "starting with a letter or digit, for example 20251024-WV-B1."
    )


def new_batch_key(stem: str, day: date, taken: Container[str]) -> str:
    """``YYYYMMDD-<STEM>-B<n>`` with the first n not in taken; of stem (a file name) A-Z, 0-9 and '-' stay."""
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Z0-9]+", "-", ascii_stem.upper())[:STEM_LENGTH].strip("-") or "FILE"
    return next(key for number in count(1) if (key := f"{day:%Y%m%d}-{slug}-B{number}") not in taken)
