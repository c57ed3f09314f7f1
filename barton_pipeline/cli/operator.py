"""Who acts on the command line."""

import getpass

from barton_pipeline.actions.audit import Actor


def operator() -> Actor:
    """The user of the operating system. Whoever holds the database's URL may do everything, hence admin."""
    return Actor(getpass.getuser(), "admin", "cli")
