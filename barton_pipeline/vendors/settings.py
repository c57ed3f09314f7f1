"""What ``vendors.yaml`` says: operations and prices, budgets, the order of asking; and how a vendor is reached.

Belongs here: reading configuration. Not here: which vendors there are (``registry``), what was spent (``outbound.budgets``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from barton_pipeline import config
from barton_pipeline.config import Share, Whole
from barton_pipeline.outbound.settings import Budget, Operation

SANDBOX = "BARTON_SANDBOX_URL"
FILE = Path(__file__).with_name("vendors.yaml")


@dataclass(frozen=True, kw_only=True)
class PaidOperation(Operation):
    """One kind of paid question; ``confidence`` is how far its word on a position is trusted, 0 to 1."""

    confidence: Share


@dataclass(frozen=True)
class Guessing:
    """Addresses guessed for a person without a usable one: so many at most, none below the probability."""

    at_most: Whole
    least_probability: Share


@dataclass(frozen=True)
class Rules:
    """``vendors.yaml``: operations by name, budgets by vendor."""

    waterfall: tuple[str, ...]
    operations: Mapping[str, PaidOperation]
    guessing: Guessing
    budgets: Mapping[str, Budget]

    def __post_init__(self) -> None:
        """Raises ValueError, beginning with the key, for a name that is none of the operations or has no budget."""
        for place, name in enumerate(self.waterfall):
            if name not in self.operations:
                raise ValueError(f"waterfall[{place}] is {name}, which is none of the operations")
        for name, operation in self.operations.items():
            if operation.vendor not in self.budgets:
                raise ValueError(f"operations.{name}.vendor is {operation.vendor}, which has no budget")


@dataclass(frozen=True)
class Access:
    """How a vendor is reached: its base URLs and key. ``environment`` is real or sandbox."""

    vendor: str
    environment: str
    key: str
    urls: Mapping[str, str]

    def __repr__(self) -> str:  # the key must not get into logs
        return f"Access({self.vendor}, {self.environment})"


@cache
def rules() -> Rules:
    """``vendors.yaml``, read once per process. Raises InputError that names the file and the key that is wrong."""
    return read_rules(FILE)


def read_rules(path: Path) -> Rules:
    """The rules that a file states. Raises InputError that names the file and the key that is wrong."""
    found = config.load(path, Rules)
    named = {name: replace(operation, name=name) for name, operation in found.operations.items()}
    return replace(found, operations=named)


def source_name(operation: str, environment: str) -> str:
    """How rows name where they come from: ``sandbox:leads_finder`` or ``leads_finder``."""
    return f"sandbox:{operation}" if environment == "sandbox" else operation
