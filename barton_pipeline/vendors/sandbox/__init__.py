"""``barton sandbox``: a loopback server that speaks the protocols of Apify and MillionVerifier, invents people, and counts charges.

Belongs here: what stands in for the vendors. Not here: their clients, which talk to it exactly as to the real services.
"""

from .people import Person, Truth, address_truth, domain_pattern, email_of, people_of
from .server import FAULTS, Sandbox, running_sandbox

__all__ = [
    "FAULTS",
    "Person",
    "Sandbox",
    "Truth",
    "address_truth",
    "domain_pattern",
    "email_of",
    "people_of",
    "running_sandbox",
]
