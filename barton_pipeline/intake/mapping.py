"""What the columns of an export mean: from header names to the intake tables' fields, as columns.yaml says.

Belongs here: matching of names, recognising the source and the kind of file. Not here: reading values.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as ReadOnlyDict
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from barton_pipeline.config import Check, Text, load
from barton_pipeline.errors import InputError

KINDS = ("companies", "people", "signals", "outcomes")
# What a file of each kind must have, in words, and the fields of which one is enough.
_NEEDED: dict[str, dict[str, tuple[str, ...]]] = {
    "companies": {"a company name": ("company",)},
    "people": {
        "a person's name or e-mail address": ("full_name", "first_name", "last_name", "email"),
        "the person's company (its name or website)": ("company", "website"),
    },
    "signals": {
        "the signal's type": ("signal_type",),
        "the company (its name, website or Barton ID)": ("company", "website", "company_unique_id"),
    },
    "outcomes": {
        "the outcome's type": ("outcome_type",),
        "the company (its name, website or Barton ID)": ("company", "website", "company_unique_id"),
    },
}
# A file with one of these columns is about people.
_PERSON_FIELDS = ("first_name", "last_name", "full_name", "title")

# What a row of a people file says of the person and the company at once.
_FIELDS_OF_BOTH = ("company", "website", "company_linkedin_url", "source_system")
_PLACE = ("city", "state", "country")
# Names that mean the company in a company list, and the person in a list of people.
_OF_THE_PERSON = ("location", "name", "id")

Names = Annotated[tuple[Text, ...], Check("a list of column names", bool)]


@dataclass(frozen=True)
class Field:
    """The column names of a field: all of ``names`` feed it, the first one of ``fallback`` only if there is none of them."""

    names: Names
    fallback: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Kinds:
    """The fields of each kind of file, by the column of its intake table that they fill."""

    companies: dict[Text, Field]
    people: dict[Text, Field]
    signals: dict[Text, Field]
    outcomes: dict[Text, Field]

    def __post_init__(self) -> None:
        for kind in KINDS:
            needed = [name for names in _NEEDED[kind].values() for name in names]
            for name in (*needed, *(_PERSON_FIELDS if kind == "people" else ())):
                if name not in getattr(self, kind):
                    raise ValueError(f"{kind}.{name} is missing")

    def fields(self, kind: str) -> dict[str, Field]:
        """The fields of one of KINDS."""
        found: dict[str, Field] = getattr(self, kind)
        return found


@dataclass(frozen=True)
class KindColumns:
    """Column names that mean something else in a source's files, by kind and field."""

    companies: dict[Text, Names] = field(default_factory=dict)
    people: dict[Text, Names] = field(default_factory=dict)
    signals: dict[Text, Names] = field(default_factory=dict)
    outcomes: dict[Text, Names] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """How files of a source are recognised: all names of one of the sets in ``signature`` are present."""

    signature: Annotated[tuple[Names, ...], Check("a list of lists of column names", bool)]
    columns: KindColumns = KindColumns()


@dataclass(frozen=True)
class Columns:
    """``columns.yaml``, which explains its parts."""

    kinds: Kinds
    sources: dict[Text, Source]

    def __post_init__(self) -> None:
        for name, source in self.sources.items():
            for kind in KINDS:
                for key in getattr(source.columns, kind):
                    if key not in self.kinds.fields(kind):
                        raise ValueError(f"sources.{name}.columns.{kind}.{key} is not a field of kinds.{kind}")


@cache
def columns() -> Columns:
    """What column names mean, read once per process."""
    return load(Path(__file__).with_name("columns.yaml"), Columns)


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
        """Header names that no field uses."""
        used = {index for indexes in self.columns.values() for index in indexes}
        return [name for index, name in enumerate(self.header) if index not in used]

    def to_dict(self) -> dict[str, Any]:
        """``{"columns": {field: [header, …]}, "unused": [header, …]}``, as shown to people and stored."""
        columns = {field: [self.header[index] for index in indexes] for field, indexes in self.columns.items()}
        return {"columns": columns, "unused": self.unused}


def guess_kind(header: Sequence[str]) -> str:
    """companies, unless a signal or outcome type column says signals or outcomes, or a person's name or title says people."""
    present = set(_keys(header))
    kinds = columns().kinds
    for kind, column in (("signals", "signal_type"), ("outcomes", "outcome_type")):
        if present & set(map(name_key, kinds.fields(kind)[column].names)):
            return kind
    person = {name_key(name) for field_name in _PERSON_FIELDS for name in kinds.people[field_name].names}
    company = set(map(name_key, kinds.people["company"].names))
    email = set(map(name_key, kinds.people["email"].names))
    if present & person or ("name" in present and present & company and present & email):
        return "people"
    return "companies"


def recognise_source(header: Sequence[str]) -> str:
    """apollo, hubspot, sales_navigator, linkedin, clay, hunter, or plain."""
    present = set(_keys(header))
    for name, source in columns().sources.items():
        if any(present.issuperset(map(name_key, names)) for names in source.signature):
            return name
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

    known = columns()
    special: dict[str, Names] = getattr(known.sources[source].columns, kind) if source in known.sources else {}
    fields = known.kinds.fields(kind)
    claimed: dict[str, tuple[int, ...]] = {}
    for name, names in special.items():
        if name not in chosen:
            _claim(claimed, name, names, by_key)
    for name, entry in fields.items():
        if name not in chosen:
            _claim(claimed, name, entry.names, by_key)
    for name, entry in fields.items():
        if name not in claimed and name not in chosen:
            found = [fallback for fallback in entry.fallback if name_key(fallback) in by_key]
            _claim(claimed, name, found[:1], by_key)

    claimed |= {name: (index,) for name, index in chosen.items() if index is not None}
    mapping = Mapping(kind, source, tuple(header), {name: claimed[name] for name in fields if name in claimed})
    _require(mapping)
    return mapping


def map_companies_of_people(people: Mapping) -> Mapping | None:
    """The columns of a people file that describe its companies; None when they do not describe any.

    They do when they name the company and its website. The company's are the columns that no person's field has; an address without
    a town of its own, and the company of whom a column calls its "contact", share the person's.
    """
    if not {"company", "website"} <= people.columns.keys():
        return None
    shared = {name: people.columns[name] for name in _FIELDS_OF_BOTH if name in people.columns}
    persons = {index for name, indexes in people.columns.items() if name not in shared for index in indexes}
    keys = list(_keys(people.header))
    header = ["" if i in persons or keys[i] in _OF_THE_PERSON else name for i, name in enumerate(people.header)]
    found = map_columns(header, "companies", {name: header[indexes[0]] for name, indexes in shared.items()})
    columns_of = found.columns | shared
    has_contact = any(keys[index].startswith("contact") for index in persons)
    if has_contact or columns_of.keys() & {"company_street", "company_postal_code", "company_address"}:
        columns_of = {f"company_{name}": people.columns[name] for name in _PLACE if name in people.columns} | columns_of
    if has_contact and keys[people.columns.get("phone", (-1,))[0]] in ("phone", "phonenumber", "telephone", "tel"):
        columns_of = {"company_phone": people.columns["phone"]} | columns_of
    return replace(found, source=people.source, header=people.header, columns=columns_of)


def _chosen(header: Sequence[str], kind: str, given: ReadOnlyDict[str, str]) -> dict[str, int | None]:
    """The index of the column that each field was given, None for no column."""
    chosen: dict[str, int | None] = {}
    for name, column in given.items():
        if name not in columns().kinds.fields(kind):
            raise InputError(f"{name!r} is not a field of {kind}; they are: {', '.join(columns().kinds.fields(kind))}.")
        index = _find_column(header, column) if column else None
        if index is not None and index in chosen.values():
            raise InputError(f"Column {header[index]!r} is given to two fields; a column feeds one.")
        chosen[name] = index
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


def _claim(
    claimed: dict[str, tuple[int, ...]], field_name: str, names: Sequence[str], by_key: dict[str, list[int]]
) -> None:
    """Give the field the columns that have one of the names and are nobody's yet."""
    indexes = [index for name in names for index in by_key.pop(name_key(name), [])]
    if indexes:
        claimed[field_name] = claimed.get(field_name, ()) + tuple(indexes)


def _require(mapping: Mapping) -> None:
    has = mapping.columns.keys()
    for what, fields in _NEEDED[mapping.kind].items():
        if has & set(fields):
            continue
        entries = [columns().kinds.fields(mapping.kind)[name] for name in fields]
        accepted = [name for entry in entries for name in [*entry.names, *entry.fallback]]
        seen = ", ".join(repr(name[:60]) for name in mapping.header[:60])
        raise InputError(
            f"No column for {what}, which a file of {mapping.kind} needs. Its columns are {seen}. "
            f"Rename the right one to one of: {', '.join(accepted)}; or give another --kind."
        )


def count_known_columns(header: Sequence[str]) -> int:
    """How many columns of a possible header have a name that some kind of file knows: tells a header from what stands above it."""
    return sum(key in _known_names() for key in _keys(header))


@cache
def _known_names() -> frozenset[str]:
    fields = (field for kind in KINDS for field in columns().kinds.fields(kind).values())
    return frozenset(name_key(name) for field in fields for name in field.names)
