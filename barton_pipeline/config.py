"""Settings: a YAML file beside its module becomes a frozen dataclass, and every environment variable has its place here.

Rules, weights, caps and thresholds are data. A key that nobody reads, one that is missing, or a value of the wrong kind is an
error that names the file and the key, when the file is read and not in the middle of the work.
"""

import dataclasses
import os
import types
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from dotenv import load_dotenv

from barton_pipeline.errors import InputError

# libyaml where PyYAML was built with it: the parser written in Python takes a third of a second of every run.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Settings = TypeVar("Settings")

# Every environment variable that Barton Pipeline reads, in the environment or in a .env file of the working directory.
VARIABLES = {
    "BARTON_DATABASE_URL": "the pipeline's database; unset: an embedded Postgres under BARTON_HOME",
    "BARTON_DAGSTER_DATABASE_URL": "Dagster's own database; unset: <database>_dagster beside the pipeline's",
    "BARTON_HOME": "folder of local state; unset: .barton in the working directory",
    "BARTON_ALERT_URLS": "where alerts go: Apprise URLs, separated by white space (docs/alerts.md)",
    "BARTON_SIGNALS_TOKEN": "bearer token that barton receive-signals asks for (docs/signals.md)",
    "APIFY_TOKEN": "key of Apify, which finds people; unset: nothing is bought there",
    "MILLIONVERIFIER_API_KEY": "key of MillionVerifier, which verifies addresses; unset: nothing is bought there",
    "BARTON_SANDBOX_URL": "a running barton sandbox to use instead of both vendors",
    "BARTON_ALLOW_MIXED_VENDORS": "1: one database may hold answers of the sandbox and of the real vendors",
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


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds. Raises InputError for a file that is none, OSError for one that is not there."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path.name} must hold names with values, not {type(found).__name__}.")
    return found


def load(path: Path, cls: type[Settings]) -> Settings:
    """The YAML file as ``cls``, a frozen dataclass; its fields may be dataclasses, lists, tuples, dicts and Decimals.

    Raises InputError that names the file and the key for a key that ``cls`` does not have, a missing one, or a wrong type.
    """
    found: Settings = _build(cls, load_yaml(path), path.name, "")
    return found


def _build(kind: Any, value: Any, file: str, key: str) -> Any:
    """``value`` as ``kind``, which is a type annotation."""
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, file, key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (other,) = (argument for argument in arguments if argument is not type(None))
        return _build(other, value, file, key)
    if origin in (list, tuple, frozenset):
        _require(isinstance(value, list), "a list", value, file, key)
        items = [_build(arguments[0], item, file, f"{key}[{place}]") for place, item in enumerate(value)]
        return items if origin is list else origin(items)
    if origin is dict or origin is Mapping:
        _require(isinstance(value, dict), "names with values", value, file, key)
        return {name: _build(arguments[1], item, file, _join(key, name)) for name, item in value.items()}
    return _build_scalar(kind, value, file, key)


def _build_dataclass(cls: Any, value: Any, file: str, key: str) -> Any:
    _require(isinstance(value, dict), "names with values", value, file, key)
    kinds = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in value:
        if name not in fields:
            raise InputError(f"{file}: unknown key {_join(key, name)}. Known here: {', '.join(sorted(fields))}.")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise InputError(f"{file}: {_join(key, name)} is missing.")
    return cls(**{name: _build(kinds[name], item, file, _join(key, name)) for name, item in value.items()})


def _build_scalar(kind: Any, value: Any, file: str, key: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is Decimal:
        _require(is_number, "a number", value, file, key)
        return Decimal(str(value))
    if kind is float:
        _require(is_number, "a number", value, file, key)
        return float(value)
    if kind is int:
        _require(is_number and isinstance(value, int), "a whole number", value, file, key)
        return value
    words = {str: "text", bool: "true or false", dict: "names with values", list: "a list"}
    _require(isinstance(value, kind), words.get(kind, kind.__name__), value, file, key)
    return value


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _require(holds: bool, wanted: str, value: Any, file: str, key: str) -> None:
    if not holds:
        raise InputError(f"{file}: {key or 'the file'} must be {wanted}, not {value!r}.")
