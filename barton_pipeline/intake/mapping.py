"""What the columns of an export mean: from header names to the intake tables' fields, as columns.yaml says.

Belongs here: matching of names, recognising the source and the kind of file. Not here: reading values.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as ReadOnlyDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from barton_pipeline.config import load_yaml
from barton_pipeline.errors import InputError

KINDS = ("companies", "people", "signals", "outcomes")


@dataclass(frozen=True)
class Mapping:
    """Which header columns feed which field of one kind of file.

    ``columns`` maps a field to the 0-based indexes of its columns, the best first; the first non-empty
    one gives the value. ``unused`` are the header names no field uses (their values stay in raw only).
    """

    kind: str
    source: str
    header: tuple[str, ...]
    columns: dict[str, tuple[int, ...]]

    @property
    def unused(self) -> list[str]:
        used = {index for indexes in self.columns.values() for index in indexes}
        return [name for index, name in enumerate(self.header) if index not in used]

    def to_dict(self) -> dict[str, Any]:
        """``{"columns": {field: [header, …]}, "unused": [header, …]}``, as shown to people and stored."""
        columns = {field: [self.header[index] for index in indexes] for field, indexes in self.columns.items()}
        return {"columns": columns, "unused": self.unused}


def guess_kind(header: Sequence[str]) -> str:
    """companies, unless a signal or outcome type column says signals or outcomes, or a person's name or title says people."""
    present = set(_keys(header))
    fields = _configuration()["kinds"]
    for kind, column in (("signals", "signal_type"), ("outcomes", "outcome_type")):
        if present & set(map(name_key, fields[kind][column]["names"])):
            return kind
    person = {
        name_key(name)
        for field in ("first_name", "last_name", "full_name", "title")
        for name in fields["people"][field]["names"]
    }
    company = set(map(name_key, fields["people"]["company"]["names"]))
    email = set(map(name_key, fields["people"]["email"]["names"]))
    if present & person or ("name" in present and present & company and present & email):
        return "people"
    return "companies"


def recognise_source(header: Sequence[str]) -> str:
    """apollo, hubspot, sales_navigator, linkedin, clay, hunter, or plain."""
    present = set(_keys(header))
    for source, entry in _configuration()["sources"].items():
        if any(present.issuperset(map(name_key, names)) for names in entry["signature"]):
            return str(source)
    return "plain"


def map_columns(header: Sequence[str], kind: str, given: ReadOnlyDict[str, str] | None = None) -> Mapping:
    """Give each field of kind its columns.

    ``given`` names the column of single fields, as the header has it; such a field takes that column only, or none when the name
    is empty, and no other field gets the column. Raises InputError when a column that kind needs is missing, and for a field or
    column in ``given`` that there is not.
    """
    check_kind(kind)
    source = recognise_source(header)
    chosen = _chosen(header, kind, given or {})
    by_key: dict[str, list[int]] = {}
    for index, key in enumerate(_keys(header)):
        if index not in chosen.values():
            by_key.setdefault(key, []).append(index)
    by_key.pop("", None)

    special = _configuration()["sources"].get(source, {}).get("columns", {}).get(kind, {})
    fields = _configuration()["kinds"][kind]
    columns: dict[str, tuple[int, ...]] = {}
    for field in special:
        if field not in chosen:
            _claim(columns, field, special[field], by_key)
    for field, entry in fields.items():
        if field not in chosen:
            _claim(columns, field, entry["names"], by_key)
    for field, entry in fields.items():
        if field not in columns and field not in chosen:
            found = [name for name in entry.get("fallback", []) if name_key(name) in by_key]
            _claim(columns, field, found[:1], by_key)

    columns |= {field: (index,) for field, index in chosen.items() if index is not None}
    mapping = Mapping(kind, source, tuple(header), {field: columns[field] for field in fields if field in columns})
    _require(mapping)
    return mapping


def _chosen(header: Sequence[str], kind: str, given: ReadOnlyDict[str, str]) -> dict[str, int | None]:
    """The index of the column that each field was given, None for no column."""
    chosen: dict[str, int | None] = {}
    for field, name in given.items():
        if field not in _configuration()["kinds"][kind]:
            raise InputError(
                f"{field!r} is not a field of {kind}; they are: {', '.join(_configuration()['kinds'][kind])}."
            )
        index = _find_column(header, name) if name else None
        if index is not None and index in chosen.values():
            raise InputError(f"Column {header[index]!r} is given to two fields; a column feeds one.")
        chosen[field] = index
    return chosen


def _find_column(header: Sequence[str], name: str) -> int:
    """The column so named, exactly or else without case, spaces and punctuation. Raises InputError unless it is one."""
    if name in header:
        return header.index(name)
    found = [index for index, other in enumerate(header) if name_key(other) == name_key(name)]
    if len(found) != 1:
        seen = ", ".join(repr(other[:60]) for other in header[:60])
        raise InputError(
            f"The file has {'several columns' if found else 'no column'} {name!r}. Its columns are {seen}."
        )
    return found[0]


def check_kind(kind: str) -> str:
    """Return kind, one of KINDS; raise InputError otherwise."""
    if kind not in KINDS:
        raise InputError(f"{kind!r} is not a kind of file; use one of {', '.join(KINDS)}.")
    return kind


def name_key(name: str) -> str:
    """What is left of a column name when case, spaces and punctuation do not count."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _keys(header: Sequence[str]) -> Iterator[str]:
    """Name keys of a header in which the reader wrote a repeated name as "Name (2)"."""
    names = set(header)
    for name in header:
        base, _, count = name.rpartition(" (")
        repeated = base in names and count.endswith(")") and count[:-1].isdigit()
        yield name_key(base if repeated else name)


def _claim(columns: dict[str, tuple[int, ...]], field: str, names: Sequence[str], by_key: dict[str, list[int]]) -> None:
    indexes = [index for name in names for index in by_key.pop(name_key(name), [])]
    if indexes:
        columns[field] = columns.get(field, ()) + tuple(indexes)


def _require(mapping: Mapping) -> None:
    has = mapping.columns.keys()
    if mapping.kind == "companies":
        needed = {"a company name": ["company"]}
    elif mapping.kind == "people":
        needed = {
            "a person's name or e-mail address": ["full_name", "first_name", "last_name", "email"],
            "the person's company (its name or website)": ["company", "website"],
        }
    else:
        what = "signal" if mapping.kind == "signals" else "outcome"
        needed = {
            f"the {what}'s type": [f"{what}_type"],
            "the company (its name, website or Barton ID)": ["company", "website", "company_unique_id"],
        }
    for what, fields in needed.items():
        if has & set(fields):
            continue
        entries = [_configuration()["kinds"][mapping.kind][field] for field in fields]
        accepted = [name for entry in entries for name in [*entry["names"], *entry.get("fallback", [])]]
        seen = ", ".join(repr(name[:60]) for name in mapping.header[:60])
        raise InputError(
            f"No column for {what}, which a file of {mapping.kind} needs. Its columns are {seen}. "
            f"Rename the right one to one of: {', '.join(accepted)}; or give another --kind."
        )


@cache
def _configuration() -> dict[str, Any]:
    return load_yaml(Path(__file__).with_name("columns.yaml"))
