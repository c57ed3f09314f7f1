"""What one may ask of a service and how: operations with their price, budgets, and the times of ``outbound.yaml``.

Belongs here: the frozen dataclasses that the other modules of this package work with. Which operations and budgets there
are is said by whoever asks (``vendors.settings``).
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated

from barton_pipeline import config
from barton_pipeline.config import Check, Count, NotNegative, Positive, Whole

ALLOW_MIXED = "BARTON_ALLOW_MIXED_VENDORS"
Usd = Annotated[Decimal, Check("an amount of at least 0", lambda value: value >= 0)]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of paid question. ``vendor`` is who answers it, ``stage`` where a batch that had to wait goes on.

    ``usd_start`` and ``usd_per_item`` are US dollars; an input is answered with at most ``items_per_input`` items.
    ``at_once`` counts the requests in flight over all processes. ``name`` is the operation's key in the settings.
    """

    name: str = ""
    vendor: str
    stage: str
    usd_start: Usd
    usd_per_item: Usd
    items_per_input: Count
    inputs_per_request: Count
    at_once: Count
    fresh_days: Count

    def estimate(self, inputs: int) -> Decimal:
        """The most that a request for so many inputs may cost."""
        return self.usd_start + self.usd_per_item * self.items_per_input * inputs

    def affordable(self, usd: Decimal) -> int:
        """How many inputs one request may have for so much money; any number that one may have at all, where they are free."""
        if usd < self.estimate(1):
            return 0
        usd_per_input = self.usd_per_item * self.items_per_input
        return int((usd - self.usd_start) // usd_per_input) if usd_per_input else self.inputs_per_request


@dataclass(frozen=True)
class Dollars:
    """The most that may be reserved and spent by one Dagster run, for one batch, in a day and in a month (both UTC)."""

    run: Usd
    batch: Usd
    day: Usd
    month: Usd


@dataclass(frozen=True)
class RequestLimits:
    """How many requests a day (UTC) may be made; None for any number."""

    day: Whole | None = None


@dataclass(frozen=True)
class Budget:
    """What may be asked of one vendor."""

    usd: Dollars
    requests: RequestLimits


@dataclass(frozen=True)
class HoldMinutes:
    """How long a batch waits, by the reason why it does: the values that vendor_holds.reason may have."""

    budget: Count
    switched_off: Count
    vendor_trouble: Count
    in_flight: Count
    recheck: Count
    refresh: Count

    def of(self, reason: str) -> int:
        """The minutes for a reason."""
        minutes: int = getattr(self, reason)
        return minutes


@dataclass(frozen=True)
class Rules:
    """``outbound.yaml``."""

    lease_seconds: Positive
    heartbeat_seconds: Positive
    connect_seconds: Positive
    read_seconds: Positive
    poll_seconds: Positive
    grace_seconds: NotNegative
    retries: Count
    threads: Count
    hold_minutes: HoldMinutes
    warn_at: Annotated[Decimal, Check("a share from 0 to 1", lambda value: 0 <= value <= 1)]

    def __post_init__(self) -> None:
        """Raises ValueError for a heartbeat that comes too late to keep a lease."""
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("heartbeat_seconds must be less than lease_seconds, or every lease runs out")


@cache
def rules() -> Rules:
    """The numbers of ``outbound.yaml``, read once per process."""
    return config.load(Path(__file__).with_name("outbound.yaml"), Rules)


def mixing_allowed() -> bool:
    """Whether one database may hold answers of the sandbox and of the real services."""
    return config.environment(ALLOW_MIXED) == "1"
