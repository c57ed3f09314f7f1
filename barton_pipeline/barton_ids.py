"""Barton IDs: the six-segment grammar ``04.04.DD.SS.NNNNN.VVV``. Parse, format, derive.

The same grammar stands in the CHECK constraints and in ``marketing.barton_id`` (sql/objects/functions/barton_ids.sql), which
allots the numbers; tests hold them together. No dagster, no database here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from barton_pipeline.errors import InputError

FIRST_SUBSECTION = 84
LAST_SUBSECTION = 99
SEQUENCES = 99_999
LARGEST_NUMBER = (LAST_SUBSECTION - FIRST_SUBSECTION + 1) * SEQUENCES


class Entity(StrEnum):
    """What an ID names; the value is its department segment."""

    COMPANY = "01"
    PERSON = "02"
    SLOT = "05"


# Regular expressions of whole IDs, for Python as for Postgres.
PATTERNS = {entity: rf"^04\.04\.{entity}\.[0-9]{{2}}\.[0-9]{{5}}\.[0-9]{{3}}$" for entity in Entity}
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
        """Its place among the IDs of its entity, from 1; the inverse of ``nth``."""
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
    entity = entity_of(text)
    if entity is None:
        raise InputError(f"{text[:60]!r} is not a Barton ID; it should look like 04.04.01.84.00123.001")
    return BartonId(entity, *map(int, text.split(".")[3:]))


def entity_of(text: str) -> Entity | None:
    """What an ID names; None for a text that is no Barton ID."""
    return next((entity for entity, pattern in PATTERNS.items() if re.fullmatch(pattern, text)), None)
