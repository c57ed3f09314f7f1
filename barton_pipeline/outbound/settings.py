"""What one may ask of a service and how: operations with their price, budgets, and the times of ``outbound.yaml``.

Belongs here: the frozen dataclasses that the other modules of this package work with. Which operations and budgets there
are is said by whoever asks (``vendors.settings``).
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from barton_pipeline import config

ALLOW_MIXED = "BARTON_ALLOW_MIXED_VENDORS"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of paid question. ``vendor`` is who answers it, ``stage`` where a batch that had to wait goes on.

    ``usd_start`` and ``usd_per_item`` are US dollars; an input is answered with at most ``items_per_input`` items.
    ``at_once`` counts the requests in flight over all processes. ``name`` is the operation's key in the settings.
    """

    name: str = ""
    vendor: str
    stage: str
    usd_start: Decimal
    usd_per_item: Decimal
    items_per_input: int
    inputs_per_request: int
    at_once: int
    fresh_days: int

    def estimate(self, inputs: int) -> Decimal:
        """The most that a request for so many inputs may cost."""
        return self.usd_start + self.usd_per_item * self.items_per_input * inputs

    def affordable(self, usd: Decimal) -> int:
        """How many inputs one request may have for so much money."""
        if usd < self.estimate(1):
            return 0
        return int((usd - self.usd_start) // (self.usd_per_item * self.items_per_input))


@dataclass(frozen=True)
class Dollars:
    """The most that may be reserved and spent by one Dagster run, for one batch, in a day and in a month (both UTC)."""

    run: Decimal
    batch: Decimal
    day: Decimal
    month: Decimal


@dataclass(frozen=True)
class RequestLimits:
    """How many requests a day (UTC) may be made; None for any number."""

    day: int | None = None


@dataclass(frozen=True)
class Budget:
    """What may be asked of one vendor."""

    usd: Dollars
    requests: RequestLimits


@dataclass(frozen=True)
class HoldMinutes:
    """How long a batch waits, by the reason why it does: the values that vendor_holds.reason may have."""

    budget: int
    switched_off: int
    vendor_trouble: int
    in_flight: int
    recheck: int
    refresh: int

    def of(self, reason: str) -> int:
        """The minutes for a reason."""
        minutes: int = getattr(self, reason)
        return minutes


@dataclass(frozen=True)
class Rules:
    """``outbound.yaml``."""

    lease_seconds: float
    heartbeat_seconds: float
    connect_seconds: float
    read_seconds: float
    poll_seconds: float
    grace_seconds: float
    retries: int
    threads: int
    hold_minutes: HoldMinutes
    warn_at: Decimal


@cache
def rules() -> Rules:
    """The numbers of ``outbound.yaml``, read once per process."""
    return config.load(Path(__file__).with_name("outbound.yaml"), Rules)


def mixing_allowed() -> bool:
    """Whether one database may hold answers of the sandbox and of the real services."""
    return config.environment(ALLOW_MIXED) == "1"
