"""Settings: a YAML file beside its module becomes a frozen dataclass, and every environment variable has its place here.
So have the folders: where the files are that ship with the package, and whether we are in a project's folder.

Rules, weights, caps and thresholds are data. A key that nobody reads, one that is missing, or a value of the wrong kind is an
error that names the file and the key, when the file is read and not in the middle of the work.
"""

import dataclasses
import os
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from dotenv import load_dotenv

from barton_pipeline.errors import InputError

# libyaml where PyYAML was built with it: the parser written in Python takes a third of a second of every run.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Settings = TypeVar("Settings")

_PACKAGE = Path(__file__).parent
# Where sql/, samples/, dagster.yaml and workspace.yaml are: inside the installed package, beside it in a checkout.
# Inside is looked at first, so that an installed package is not taken in by what somebody else put beside it.
SHIPPED = _PACKAGE if (_PACKAGE / "sql").is_dir() else _PACKAGE.parent

# Every environment variable that Barton Pipeline reads, in the environment or in a .env file of the working directory.
VARIABLES = {
    "BARTON_DATABASE_URL": "URL of the pipeline's database; unset: an embedded Postgres under BARTON_HOME",
    "BARTON_DAGSTER_DATABASE_URL": "URL of Dagster's own database; unset: the pipeline's, with _dagster added to its name",
    "BARTON_HOME": "folder of local state; unset: .barton in the working directory",
    "DAGSTER_HOME": "folder whose dagster.yaml Dagster uses; unset: the working directory (this one is Dagster's own)",
    "BARTON_ALERT_URLS": "where alerts go: Apprise URLs, separated by white space (docs/how-to/alerts.md); unset: nowhere",
    "BARTON_SIGNALS_TOKEN": "bearer token that barton receive-signals asks its callers for (docs/how-to/signals.md)",
    "APIFY_TOKEN": "key of Apify, which finds people; unset: nothing is bought there",
    "MILLIONVERIFIER_API_KEY": "key of MillionVerifier, which verifies addresses; unset: nothing is bought there",
    "BARTON_SANDBOX_URL": "URL of a running barton sandbox, used instead of both vendors",
    "BARTON_ALLOW_MIXED_VENDORS": "1 allows one database to hold answers of the sandbox and of the real vendors",
}


def environment(name: str) -> str:
    """The value of one of VARIABLES, without white space around it: the environment's, else the .env file's, else empty."""
    if name not in VARIABLES:
        raise KeyError(f"{name} is not listed in config.VARIABLES")
    _read_dotenv(Path.cwd() / ".env")
    return os.environ.get(name, "").strip()


@cache
def _read_dotenv(path: Path) -> None:
    # into the environment, so that the processes we start have it too
    load_dotenv(path, override=False)


def require_project() -> None:
    """Raises InputError outside a project's folder, which is one with a dagster.yaml, unless DAGSTER_HOME names another."""
    if not (environment("DAGSTER_HOME") or Path("dagster.yaml").is_file()):
        raise InputError(
            f"This folder is not a Barton project (no dagster.yaml in {Path.cwd()}). "
            "Run: barton init . , or change into your project's folder."
        )


@dataclass(frozen=True)
class Check:
    """What a value must be besides its type, as in ``Annotated[float, Check("a number above 0", lambda v: v > 0)]``."""

    wanted: str
    holds: Callable[[Any], bool]


Share = Annotated[float, Check("a number from 0 to 1", lambda value: 0 <= value <= 1)]
Positive = Annotated[float, Check("a number above 0", lambda value: value > 0)]
NotNegative = Annotated[float, Check("a number of at least 0", lambda value: value >= 0)]
Count = Annotated[int, Check("a whole number of at least 1", lambda value: value >= 1)]
Whole = Annotated[int, Check("a whole number of at least 0", lambda value: value >= 0)]
Text = Annotated[str, Check("a word or sentence", lambda value: bool(value.strip()))]


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds, unchecked. Raises InputError for a file that is none or cannot be read."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date such as 2026-02-31
        raise InputError(f"{path.name} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path.name} must hold names with values, not {type(found).__name__}.")
    return found


def load(path: Path, cls: type[Settings]) -> Settings:
    """The YAML file as ``cls``, a frozen dataclass; see ``build``. Raises InputError that names the file and the key."""
    return build(cls, load_yaml(path), path.name)


def build(cls: type[Settings], content: dict[str, Any], file: str) -> Settings:
    """``content``, as read from ``file``, as ``cls``.

    Its fields may be dataclasses, lists, tuples, frozensets, dicts, Decimals, dates, Literals, alternatives (``int | str``) and
    Annotated with a ``Check``. A field that would be a Python keyword ends in "_": the field ``from_`` is the key ``from``. What
    the type cannot say, a dataclass checks in ``__post_init__``, raising ValueError with the name of the field.
    Raises InputError that names the file and the key for an unknown key, a missing one, or a wrong value.
    """
    found: Settings = _build(cls, content, file, "")
    return found


def _build(kind: Any, value: Any, file: str, key: str) -> Any:
    """``value`` as ``kind``, which is a type annotation."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, file, key)
    if origin is Annotated:
        inner, check = arguments
        built = _build(inner, value, file, key)
        _require(check.holds(built), check.wanted, value, file, key)
        return built
    if origin is Literal:
        known = [(type(argument), argument) for argument in arguments]
        _require((type(value), value) in known, f"one of {', '.join(map(str, arguments))}", value, file, key)
        return value
    if origin in (Union, types.UnionType):
        return _build_alternative(arguments, value, file, key)
    if origin in (list, tuple, frozenset):
        _require(type(value) is list, "a list", value, file, key)
        return origin(_build(arguments[0], item, file, f"{key}[{place}]") for place, item in enumerate(value))
    if origin in (dict, Mapping):
        _require(type(value) is dict, "names with values", value, file, key)
        return {
            _build(arguments[0], name, file, _join(key, name)): _build(arguments[1], item, file, _join(key, name))
            for name, item in value.items()
        }
    return _build_scalar(kind, value, file, key)


def _build_dataclass(cls: Any, value: Any, file: str, key: str) -> Any:
    _require(type(value) is dict, "names with values", value, file, key)
    fields = _fields(cls)
    for name in value:
        if name not in fields:
            raise InputError(f"{file}: unknown key {_join(key, name)}. Known here: {', '.join(sorted(fields))}.")
    for name, (_, _, required) in fields.items():
        if required and name not in value:
            raise InputError(f"{file}: {_join(key, name)} is missing.")
    built = {}
    for name, item in value.items():
        attribute, kind, _ = fields[name]
        built[attribute] = _build(kind, item, file, _join(key, name))
    try:
        return cls(**built)
    except ValueError as error:
        raise InputError(f"{file}: {_join(key, error)}.") from error


@cache
def _fields(cls: Any) -> dict[str, tuple[str, Any, bool]]:
    """Of each key of a dataclass: its attribute, its type, and whether it must be given."""
    kinds = get_type_hints(cls, include_extras=True)
    missing = dataclasses.MISSING
    return {
        field.name.rstrip("_"): (field.name, kinds[field.name], field.default is field.default_factory is missing)
        for field in dataclasses.fields(cls)
    }


def _build_alternative(kinds: tuple[Any, ...], value: Any, file: str, key: str) -> Any:
    """``value`` as the first of ``kinds`` that it fits; the error is the first one's."""
    if value is None and types.NoneType in kinds:
        return None
    errors = []
    for kind in kinds:
        try:
            return _build(kind, value, file, key)
        except InputError as error:
            errors.append(error)
    raise errors[0]


def _build_scalar(kind: Any, value: Any, file: str, key: str) -> Any:
    # the largest float excludes what is infinite, not a number, or has hundreds of digits
    is_number = type(value) in (int, float) and abs(value) <= sys.float_info.max
    if kind in (float, Decimal):
        _require(is_number, "a number", value, file, key)
        return kind(str(value))
    if kind is int:
        _require(is_number and type(value) is int, "a whole number", value, file, key)
        return value
    words = {str: "text", bool: "true or false", date: "a date such as 2026-01-31", types.NoneType: "nothing"}
    _require(type(value) is kind, words[kind], value, file, key)
    return value


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _require(holds: bool, wanted: str, value: Any, file: str, key: str) -> None:
    if not holds:
        raise InputError(f"{file}: {key or 'the file'} must be {wanted}, not {str(value)[:80]!r}.")
