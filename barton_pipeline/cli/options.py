"""What options mean that several commands have."""

from datetime import UTC, datetime

from barton_pipeline.errors import InputError


def read_moment(option: str, text: str | None) -> datetime | None:
    """An ISO 8601 moment; without a time zone it is UTC. Raises InputError, which names the option, for anything else."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{option} {text!r} is not a moment; write it like 2026-11-01 or 2026-11-01T09:30+00:00."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
