"""Barton IDs: the six-segment grammar ``04.04.DD.SS.NNNNN.VVV``. Parse, format, derive.

The same grammar stands in the CHECK constraints and in ``marketing.barton_id`` (sql/objects/functions/barton_ids.sql), which
allots the numbers; tests hold the two together. No dagster, no database here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from barton_pipeline.errors import InputError

FIRST_SUBSECTION = 84
LAST_SUBSECTION = 99
SEQUENCES = 99_999
LARGEST_NUMBER = (LAST_SUBSECTION - FIRST_SUBSECTION + 1) * SEQUENCES
_PATTERN = re.compile(r"04\.04\.(01|02|05)\.([0-9]{2})\.([0-9]{5})\.([0-9]{3})", re.ASCII)


class Entity(StrEnum):
    """What an ID names; the value is its department segment."""

    COMPANY = "01"
    PERSON = "02"
    SLOT = "05"


# The version segment of a slot's ID.
SLOT_VERSIONS = {"CEO": 1, "CFO": 2, "HR": 3}


@dataclass(frozen=True)
class BartonId:
    """One ID in parts; ``str()`` formats it."""

    entity: Entity
    subsection: int
    sequence: int
    version: int = 1

    def __str__(self) -> str:
        return f"04.04.{self.entity}.{self.subsection:02d}.{self.sequence:05d}.{self.version:03d}"

    @property
    def number(self) -> int:
        """The how-manieth ID of its entity this is, from 1; the inverse of ``nth``."""
        return (self.subsection - FIRST_SUBSECTION) * SEQUENCES + self.sequence

    def slot(self, slot_type: str) -> "BartonId":
        """The ID of this company's CEO, CFO or HR slot."""
        return BartonId(Entity.SLOT, self.subsection, self.sequence, SLOT_VERSIONS[slot_type])


def nth(entity: Entity, number: int) -> BartonId:
    """The n-th ID of an entity: 1 is 84.00001, 100000 is 85.00001. Raises InputError outside 1 to 1,599,984."""
    if not 1 <= number <= LARGEST_NUMBER:
        raise InputError(f"Barton IDs of {entity.name.lower()} run from 1 to {LARGEST_NUMBER}; {number} is outside")
    subsection, sequence = divmod(number - 1, SEQUENCES)
    return BartonId(entity, FIRST_SUBSECTION + subsection, sequence + 1)


def parse(text: str) -> BartonId:
    """Read an ID. Raises InputError when it does not have the six segments of the grammar."""
    match = _PATTERN.fullmatch(text)
    if not match:
        raise InputError(f"{text[:60]!r} is not a Barton ID; it should look like 04.04.01.84.00123.001")
    return BartonId(Entity(match[1]), int(match[2]), int(match[3]), int(match[4]))
