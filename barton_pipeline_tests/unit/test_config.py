"""Settings: what a YAML file may say, what is refused and how; which environment variables there are."""

import copy
import dataclasses
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline import config
from barton_pipeline.addresses import checks, patterns, verification
from barton_pipeline.companies import legal_forms, shared_domains, validation
from barton_pipeline.config import Check, Share, build, environment, load
from barton_pipeline.contacts import titles
from barton_pipeline.errors import InputError
from barton_pipeline.intake import mapping, names, values
from barton_pipeline.monitoring import alerts
from barton_pipeline.operations import retention
from barton_pipeline.outbound import settings as outbound_settings
from barton_pipeline.queue import events
from barton_pipeline.scoring import config as scoring
from barton_pipeline.vendors import apify, million_verifier
from barton_pipeline.vendors import settings as vendor_settings
from barton_pipeline_tests.conftest import PROJECT
from tools import reference

PACKAGE = PROJECT / "barton_pipeline"


@dataclass(frozen=True)
class Part:
    """A part of ``Everything``."""

    share: Share
    from_: int = 0

    def __post_init__(self) -> None:
        if self.from_ > 100:
            raise ValueError("from is above 100")


@dataclass(frozen=True)
class Everything:
    """One field of every kind."""

    number: float
    whole: int
    money: Decimal
    word: str
    switch: bool
    day: date
    choice: Literal["a", "b", 1]
    either: int | str
    part: Part
    parts: tuple[Part, ...]
    words: frozenset[str]
    by_name: dict[Annotated[str, Check("a short name", lambda name: len(name) < 5)], list[float]]
    perhaps: float | None = None
    more: dict[str, int] = field(default_factory=dict)


VALID: dict[str, Any] = {
    "number": 1,
    "whole": 2,
    "money": 0.1,
    "word": "x",
    "switch": True,
    "day": date(2026, 1, 31),
    "choice": 1,
    "either": "x",
    "part": {"share": 0.5, "from": 7},
    "parts": [{"share": 1}],
    "words": ["x", "y"],
    "by_name": {"a": [1, 2.5]},
}


def test_every_kind_of_field_is_read() -> None:
    found = build(Everything, VALID, "x.yaml")
    assert found == Everything(
        number=1.0, whole=2, money=Decimal("0.1"), word="x", switch=True, day=date(2026, 1, 31), choice=1, either="x",
        part=Part(0.5, 7), parts=(Part(1.0),), words=frozenset("xy"), by_name={"a": [1.0, 2.5]},
    )  # fmt: skip
    assert (type(found.number), type(found.part.share)) == (float, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": "1"}, "x.yaml: number must be a number, not '1'."),
        ({"number": True}, "x.yaml: number must be a number, not 'True'."),
        ({"number": float("nan")}, "x.yaml: number must be a number, not 'nan'."),
        ({"number": 10**400}, "x.yaml: number must be a number"),
        ({"whole": 2.0}, "x.yaml: whole must be a whole number, not '2.0'."),
        ({"money": "0.1"}, "x.yaml: money must be a number"),
        ({"word": None}, "x.yaml: word must be text, not 'None'."),
        ({"switch": 1}, "x.yaml: switch must be true or false, not '1'."),
        ({"day": "2026-01-31"}, "x.yaml: day must be a date such as 2026-01-31"),
        ({"choice": "c"}, "x.yaml: choice must be one of a, b, 1, not 'c'."),
        ({"choice": True}, "x.yaml: choice must be one of a, b, 1, not 'True'."),
        ({"either": []}, "x.yaml: either must be a whole number"),
        ({"perhaps": "x"}, "x.yaml: perhaps must be a number"),
        ({"part": {"share": 1.5}}, "x.yaml: part.share must be a number from 0 to 1, not '1.5'."),
        ({"part": {"share": 1, "form": 2}}, "x.yaml: unknown key part.form. Known here: from, share."),
        ({"part": {"share": 1, "from_": 2}}, "x.yaml: unknown key part.from_"),
        ({"part": {}}, "x.yaml: part.share is missing."),
        ({"part": {"share": 1, "from": 101}}, "x.yaml: part.from is above 100."),
        ({"part": []}, "x.yaml: part must be names with values"),
        ({"parts": [{"share": 1}, {"share": -1}]}, "x.yaml: parts[1].share must be a number from 0 to 1"),
        ({"words": ["x", 1]}, "x.yaml: words[1] must be text, not '1'."),
        ({"words": "xy"}, "x.yaml: words must be a list"),
        ({"by_name": {"longer": []}}, "x.yaml: by_name.longer must be a short name, not 'longer'."),
        ({"by_name": {False: []}}, "x.yaml: by_name.False must be text"),
        ({"nonsense": 1}, "x.yaml: unknown key nonsense."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        build(Everything, {**VALID, **change}, "x.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a list", "x.yaml must hold names with values, not list"),
        (b"a: [", "x.yaml is not readable YAML"),
        (b"a: \xff", "x.yaml is not readable YAML"),
        (b"a: 2026-02-31", "x.yaml is not readable YAML"),
        (b"", "x.yaml must hold names with values, not NoneType"),
        (None, "x.yaml cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "x.yaml", Everything)


@dataclass(frozen=True)
class Shipped:
    """A YAML file of the package, what it becomes, and what else reads it."""

    path: str
    cls: type
    read: Callable[[Path], Any] = lambda path: None


SHIPPED = [
    Shipped("companies/shared_domains.yaml", shared_domains.Rules),
    Shipped("companies/validation.yaml", validation.Rules),
    Shipped("companies/legal_forms.yaml", legal_forms.Rules),
    Shipped("intake/names.yaml", names.Rules),
    Shipped("contacts/titles.yaml", titles.TitleRules, titles.read_rules),
    Shipped("addresses/checks.yaml", checks.Rules),
    Shipped("addresses/patterns.yaml", patterns.Rules),
    Shipped("addresses/verification.yaml", verification.Rules),
    Shipped("intake/columns.yaml", mapping.Columns),
    Shipped("intake/values.yaml", values.Rules),
    Shipped("monitoring/alerts.yaml", alerts.AlertSettings),
    Shipped("operations/retention.yaml", retention.Limits),
    Shipped("outbound/outbound.yaml", outbound_settings.Rules),
    Shipped("queue/events.yaml", events.QueueSettings),
    Shipped("scoring/profile.yaml", scoring.Profile),
    Shipped("scoring/scoring.yaml", scoring.Scoring, scoring.read_rules),
    Shipped("vendors/apify.yaml", apify.Rules, apify.read_rules),
    Shipped("vendors/million_verifier.yaml", million_verifier.Rules),
    Shipped("vendors/vendors.yaml", vendor_settings.Rules, vendor_settings.read_rules),
]
OTHER_VALUES = [
    None,
    True,
    1,
    -7,
    2.5,
    float("nan"),
    10**400,
    "text",
    "",
    [],
    ["text"],
    {},
    {"text": 1},
    date(2026, 1, 1),
]


def paths(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the values of nested mappings and lists are; keys and places on the way to each."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [found for key, value in items for found in ((*path, key), *paths(value, (*path, key)))]


@cache
def shipped_content(path: str) -> tuple[Any, list[tuple[Any, ...]]]:
    """What a file of the package holds, and where its values are."""
    content = config.load_yaml(PACKAGE / path)
    return content, paths(content)


def mutate(content: Any, path: tuple[Any, ...], what: str, value: Any) -> Any:
    """The content with one key dropped, added beside the one that the path ends in, or given another value."""
    changed = copy.deepcopy(content)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if what == "drop":
        del inner[path[-1]]
    elif what == "add" and isinstance(inner, dict):
        inner["added"] = value
    elif what == "add":
        inner.insert(path[-1], value)
    else:
        inner[path[-1]] = value
    return changed


def _has_default(field: dataclasses.Field) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def says(found: Any, content: Any) -> bool:
    """Whether settings say exactly what the YAML does; what the YAML leaves out is the default."""
    if dataclasses.is_dataclass(found):
        names = {field.name.rstrip("_"): field for field in dataclasses.fields(found)}
        return content.keys() <= names.keys() and all(
            says(getattr(found, field.name), content[name]) if name in content else _has_default(field)
            for name, field in names.items()
        )
    if isinstance(found, dict):
        return found.keys() == content.keys() and all(says(found[name], content[name]) for name in found)
    if isinstance(found, frozenset):
        return found == set(content)
    if isinstance(found, (list, tuple)):
        return len(found) == len(content) and all(map(says, found, content))
    if isinstance(found, Decimal):
        found = float(found)
    return found == content and isinstance(found, bool) == isinstance(content, bool)


def test_every_yaml_file_of_the_package_is_here() -> None:
    files = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.yaml")}
    assert {shipped.path for shipped in SHIPPED} == files - {"vendors/sandbox/people.yaml"}  # names to invent people of


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.path)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_change_of_one_key_is_taken_as_it_is_written_or_named(shipped: Shipped, tmp_path: Path, data) -> None:
    content, places = shipped_content(shipped.path)
    path = data.draw(st.sampled_from(places), "path")
    what = data.draw(st.sampled_from(["drop", "add", "change"]), "what")
    changed = mutate(content, path, what, data.draw(st.sampled_from(OTHER_VALUES), "value"))
    file = tmp_path / Path(shipped.path).name
    file.write_text(yaml.dump(changed, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False))
    try:
        found: Any = load(file, shipped.cls)
        shipped.read(file)
    except InputError as error:
        names = [str(key) for key in path if isinstance(key, str)]
        named = ["added", *names] if what == "add" else names
        assert str(error).startswith(f"{file.name}: ") and any(name in str(error) for name in named[-2:])
    else:
        assert says(found, changed)


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.path)
def test_the_shipped_files_say_what_is_read(shipped: Shipped) -> None:
    assert says(load(PACKAGE / shipped.path, shipped.cls), config.load_yaml(PACKAGE / shipped.path))


def test_every_variable_that_the_code_names_is_listed_and_none_besides() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".yaml", ".html", ".js")]
    named = {
        name for path in files for name in re.findall(r"\bBARTON_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named == {name for name in config.VARIABLES if name.startswith("BARTON_")}


def test_the_environment_is_read_in_one_place_only() -> None:
    # to hand it on to a process that is started is no reading
    reading = re.compile(r"os\.environ(\.get\(|\[)|os\.getenv|load_dotenv")
    files = {path.name for path in PACKAGE.rglob("*.py") if reading.search(path.read_text(encoding="utf-8"))}
    assert files == {"config.py"}


def test_a_dotenv_file_fills_in_what_the_environment_does_not_have(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".env").write_text("BARTON_HOME= /from/file \nBARTON_SIGNALS_TOKEN=from-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BARTON_HOME", raising=False)
    monkeypatch.setenv("BARTON_SIGNALS_TOKEN", " from-environment\n")
    try:
        assert environment("BARTON_HOME") == "/from/file"
        assert environment("BARTON_SIGNALS_TOKEN") == "from-environment"
        assert environment("APIFY_TOKEN") == "", "set to nothing by the fixture no_vendors"
    finally:
        os.environ.pop("BARTON_HOME", None)
    with pytest.raises(KeyError, match="not listed"):
        environment("BARTON_HOEM")


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_generated_reference_is_current(name: str) -> None:
    written = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert written == reference.PAGES[name](), "Run: python -m tools.reference"
