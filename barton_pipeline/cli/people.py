"""Commands about people."""

import click

from barton_pipeline.cli.operator import operator
from barton_pipeline.cli.printing import Column, Importance, Kind, Table, as_json, print_json, print_table

FORGOTTEN = Table("Forgotten", (Column("place", "place", importance=Importance.HIGH), Column("n", "rows", Kind.NUMBER)))


@click.command()
@click.argument("person")
@click.option(
    "--reason", default="on request", show_default=True, help="Kept with the hashes; must not name the person."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget(person: str, reason: str, yes: bool, json_output: bool) -> None:
    """Delete everything known of PERSON for good.

    PERSON is an ID, an address or a LinkedIn profile. Hashes are kept, which stop a return by import.
    """
    if not yes:
        click.confirm("Delete what is known of this person everywhere? It cannot be undone.", abort=True)
    from barton_pipeline.actions import people

    done = people.forget(None, operator(), person, reason=reason)
    if json_output:
        print_json(done.places)
    else:
        print_table(FORGOTTEN, done.places)
