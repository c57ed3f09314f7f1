"""What ``vendors.yaml`` and the environment say: operations and prices, limits, and which vendors can be used.

Belongs here: reading configuration. Not here: what was spent (``ledger``).
"""

import os
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from barton_pipeline.config import load_yaml

KEYS = {"apify": "APIFY_TOKEN", "million_verifier": "MILLIONVERIFIER_API_KEY"}
SANDBOX = "BARTON_SANDBOX_URL"
ALLOW_MIXED = "BARTON_ALLOW_MIXED_VENDORS"
_URLS = {
    "apify": {"api": "https://api.apify.com"},
    "million_verifier": {"api": "https://api.millionverifier.com", "bulk": "https://bulkapi.millionverifier.com"},
}


@dataclass(frozen=True)
class Operation:
    """One kind of paid question; amounts in US dollars."""

    name: str
    vendor: str
    stage: str
    usd_start: Decimal
    usd_per_item: Decimal
    items_per_input: int
    inputs_per_request: int
    at_once: int
    fresh_days: int
    confidence: float
    actor: str = ""
    mode: str = ""

    def estimate(self, inputs: int) -> Decimal:
        """The most that a request for so many inputs may cost."""
        return self.usd_start + self.usd_per_item * self.items_per_input * inputs

    def affordable(self, usd: Decimal) -> int:
        """How many inputs one request may have for so much money."""
        if usd < self.estimate(1):
            return 0
        return int((usd - self.usd_start) // (self.usd_per_item * self.items_per_input))


@dataclass(frozen=True)
class Access:
    """How a vendor is reached: its base URLs and key. ``environment`` is real or sandbox."""

    vendor: str
    environment: str
    key: str
    urls: dict[str, str]

    def __repr__(self) -> str:  # the key must not get into logs
        return f"Access({self.vendor}, {self.environment})"


@cache
def rules() -> dict[str, Any]:
    """``vendors.yaml``."""
    return load_yaml(Path(__file__).with_name("vendors.yaml"))


@cache
def operations() -> dict[str, Operation]:
    """Every operation by name."""
    return {name: _operation(name, entry) for name, entry in rules()["operations"].items()}


def _operation(name: str, entry: dict[str, Any]) -> Operation:
    amounts = {key: Decimal(str(entry[key])) for key in ("usd_start", "usd_per_item")}
    return Operation(name=name, **{**entry, **amounts})


def access(vendor: str) -> Access | None:
    """How to reach the vendor; None when neither its key nor the sandbox is configured."""
    load_dotenv(Path.cwd() / ".env", override=False)
    sandbox = os.environ.get(SANDBOX, "").strip().rstrip("/")
    if sandbox:
        return Access(vendor, "sandbox", "sandbox", dict.fromkeys(_URLS[vendor], sandbox))
    key = os.environ.get(KEYS[vendor], "").strip()
    return Access(vendor, "real", key, _URLS[vendor]) if key else None


def mixing_allowed() -> bool:
    """Whether one database may hold answers of the sandbox and of the real services."""
    return os.environ.get(ALLOW_MIXED, "").strip() == "1"


def source_name(operation: str, environment: str) -> str:
    """How rows name where they come from: ``sandbox:leads_finder`` or ``leads_finder``."""
    return f"sandbox:{operation}" if environment == "sandbox" else operation
