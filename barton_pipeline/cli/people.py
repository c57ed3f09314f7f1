"""Commands about people."""

import click

from barton_pipeline.cli.printing import as_json, print_json, print_rows
from barton_pipeline.postgres import sql
from barton_pipeline.postgres.connection import transaction


@click.command()
@click.argument("person")
@click.option(
    "--reason", default="on request", show_default=True, help="Kept with the hashes; must not name the person."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget(person: str, reason: str, yes: bool, json_output: bool) -> None:
    """Delete everything known of PERSON (ID, address or LinkedIn profile) for good; hashes stop a return by import."""
    if not yes:
        click.confirm("Delete what is known of this person everywhere? It cannot be undone.", abort=True)
    with transaction() as connection:
        changed = sql.rows(
            connection, "SELECT * FROM marketing.forget_person(%(person)s, %(reason)s)", person=person, reason=reason
        )
    if json_output:
        print_json(changed)
    else:
        print_rows("Forgotten", changed, ["place", "n"])
