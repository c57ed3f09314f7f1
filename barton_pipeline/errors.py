"""The errors an operator sees. Belongs here: exceptions with an exit code. Not here: reason codes of rows."""


class BartonError(Exception):
    """Something an operator can act on; the message says what happened, to what, and what to do.

    ``exit_code`` is what the ``barton`` command returns: 1 a failure, 2 wrong usage or input.
    """

    exit_code = 1


class InputError(BartonError):
    """The operator's input (file, option, batch key, configuration) cannot be used as it is."""

    exit_code = 2


class DatabaseError(BartonError):
    """Postgres cannot be reached, started, or is not in the state the work needs."""
