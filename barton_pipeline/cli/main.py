"""The ``barton`` command line. Here: the group and the exit codes; the commands are in the modules beside this one.

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted. Errors go to standard error.
"""

import io
import sys
import warnings

import click
import psycopg2

from barton_pipeline.cli import batches, demo, init, intake, operations, people, system, targets, vendors
from barton_pipeline.cli.printing import complain
from barton_pipeline.errors import BartonError

SCHEMA_MISSING = (
    psycopg2.errors.InvalidSchemaName,
    psycopg2.errors.UndefinedTable,
    psycopg2.errors.UndefinedColumn,
    psycopg2.errors.UndefinedFunction,
)


def main() -> None:
    """Entry point: turn every expected failure into one clear line and an exit code."""
    # what libraries warn each other about is nothing an operator can act on
    warnings.filterwarnings("ignore", module=r"dagster|platformdirs|great_expectations")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 must not end a command
    try:
        # the code of a command that says Exit is handed back here, not raised
        sys.exit(barton.main(prog_name="barton", standalone_mode=False) or 0)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        complain(shown.getvalue().rstrip("\n"))
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BartonError as error:
        complain(f"Error: {error}")
        sys.exit(error.exit_code)
    except SCHEMA_MISSING as error:
        complain(f"Error: The schema is missing or older than this version ({_first_line(error)}). Run: barton migrate")
        sys.exit(1)
    except psycopg2.Error as error:
        complain(
            f"Error: The database refused: {_first_line(error)}. Nothing was changed by this command (barton doctor)."
        )
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _first_line(error: psycopg2.Error) -> str:
    return str(error).partition("\n")[0]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="barton-pipeline")
def barton() -> None:
    """Barton Pipeline: raw companies in, sniper targets out.

    The database is BARTON_DATABASE_URL, or an embedded Postgres under .barton when that is not set.
    """


for command in (
    init.init,
    demo.demo,
    intake.load,
    intake.receive_signals,
    intake.unmatch,
    batches.status,
    batches.run,
    batches.backfill,
    batches.retry,
    batches.undo,
    targets.targets,
    targets.explain,
    targets.profile,
    targets.learn,
    vendors.plan,
    vendors.vendors,
    vendors.sandbox,
    people.forget,
    operations.errors,
    operations.audit,
    operations.alerts,
    operations.rollback,
    operations.replay,
    operations.purge,
    operations.backup,
    operations.restore,
    operations.remove,
    system.listen,
    system.migrate,
    system.doctor,
    system.stop,
):
    barton.add_command(command)


if __name__ == "__main__":
    main()
