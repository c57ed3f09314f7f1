"""Which vendors there are, and what one has to be able to do to be bought from.

A new vendor is one class beside these, one entry in ``VENDORS``, its operations and its budget in ``vendors.yaml``, and its
key in ``config.VARIABLES``. Not here: any vendor's protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

from barton_pipeline import config
from barton_pipeline.errors import InputError
from barton_pipeline.outbound.requests import Request, Shape
from barton_pipeline.vendors import settings
from barton_pipeline.vendors.apify import Apify
from barton_pipeline.vendors.million_verifier import MillionVerifier
from barton_pipeline.vendors.settings import Access, PaidOperation


class Round(Protocol):
    """One round of a purchase: it begins when nothing of the buyer's is under way, and every input is reserved once in it."""

    def shape(self, count_wanted: Callable[[], int], reserved: int) -> Shape | None:
        """How the next requests are made, when so many inputs were ``reserved`` in this round; None: the vendor takes no more.

        ``count_wanted`` says how many further inputs have no answer. Raises OutboundError.
        """


class Vendor(Protocol):
    """A client of one vendor, made for one purchase; its class attributes say which vendor it is."""

    name: ClassVar[str]  # in vendors.yaml, the tables and on the command line
    title: ClassVar[str]  # for people to read
    key_variable: ClassVar[str]  # the environment variable with its key
    urls: ClassVar[Mapping[str, str]]  # its base URLs by what they are for

    def __init__(self, access: Access, token: str) -> None:
        """``token`` fences the requests of the purchase."""

    def new_round(self, operation: PaidOperation) -> Round:
        """Begin a round. Asks nothing yet."""

    def perform(self, request: Request) -> None:
        """Send a reserved request and follow it until it is settled, refused or unknown in the ledger.

        Raises OutboundError, Refused among them when the vendor will not take it. Called from several threads.
        """

    def resume(self, abandoned: Sequence[Request]) -> None:
        """Go on with requests that were sent and whose process has ended. Raises OutboundError."""


VENDORS: dict[str, type[Vendor]] = {vendor.name: vendor for vendor in (Apify, MillionVerifier)}


def find(vendor: str) -> type[Vendor]:
    """The vendor of this name. Raises InputError when there is none."""
    if vendor not in VENDORS:
        raise InputError(f"vendors.yaml names the vendor {vendor}, which is none of {', '.join(sorted(VENDORS))}.")
    return VENDORS[vendor]


def access(vendor: str) -> Access | None:
    """How to reach the vendor; None when neither its key nor the sandbox is configured."""
    known = find(vendor)
    sandbox = config.environment(settings.SANDBOX).rstrip("/")
    if sandbox:
        return Access(vendor, "sandbox", "sandbox", dict.fromkeys(known.urls, sandbox))
    key = config.environment(known.key_variable)
    return Access(vendor, "real", key, known.urls) if key else None
