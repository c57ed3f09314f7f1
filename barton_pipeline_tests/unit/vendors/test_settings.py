"""The vendors' YAML: a mistake in it is found when it is read, and names the file and the key."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from barton_pipeline import config
from barton_pipeline.errors import InputError
from barton_pipeline.vendors import apify, million_verifier, registry, settings

FOLDER = Path(settings.__file__).parent


def read_million_verifier(path: Path) -> Any:
    return config.load(path, million_verifier.Rules)


@pytest.mark.parametrize(
    ("read", "name", "right", "wrong", "key"),
    [
        (settings.read_rules, "vendors", "    usd_start: 0.02", "    usd_strat: 0.02", "operations.leads_finder.usd_strat"),
        (settings.read_rules, "vendors", "    usd_start: 0.02\n", "", "operations.leads_finder.usd_start"),
        (settings.read_rules, "vendors", "usd_per_item: 0.0037", "usd_per_item: cheap", "operations.verify_email.usd_per_item"),
        (settings.read_rules, "vendors", "inputs_per_request: 10000", "inputs_per_request: 1.5", "operations.verify_email.inputs_per_request"),
        (settings.read_rules, "vendors", "apify: {usd: {run: 10", "apify: {usd: {rum: 10", "budgets.apify.usd.rum"),
        (settings.read_rules, "vendors", "apify: {usd: {run: 10, ", "apify: {usd: {", "budgets.apify.usd.run"),
        (settings.read_rules, "vendors", "requests: {day: 20}", "requests: {dya: 20}", "budgets.apify.requests.dya"),
        (settings.read_rules, "vendors", "usd_per_item: 0.0037", "usd_per_item: -0.0037", "operations.verify_email.usd_per_item"),
        (settings.read_rules, "vendors", "at_most: 3", "at_most: true", "guessing.at_most"),
        (settings.read_rules, "vendors", "[leads_finder, linkedin_employees]", "[leads_finder, linkedin]", "waterfall[1]"),
        (settings.read_rules, "vendors", "vendor: million_verifier", "vendor: milion_verifier", "operations.verify_email.vendor"),
        (apify.read_rules, "apify", "overdue_seconds: 60", "overdue: 60", "overdue"),
        (apify.read_rules, "apify", "  leads_finder: {id: code_crafter~leads-finder}\n", "", "actors.leads_finder"),
        (apify.read_rules, "apify", "{id: code_crafter~leads-finder}", "{actor: code_crafter~leads-finder}", "actors.leads_finder.actor"),
        (read_million_verifier, "million_verifier", "single_below: 50", "single_bellow: 50", "single_bellow"),
        (read_million_verifier, "million_verifier", "[ok, invalid, disposable]", "ok", "charged_results"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_and_key(
    tmp_path: Path, read: Callable[[Path], Any], name: str, right: str, wrong: str, key: str
) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    assert text.count(right) == 1
    mistaken = tmp_path / f"{name}.yaml"
    mistaken.write_text(text.replace(right, wrong))
    with pytest.raises(InputError, match=rf"^{name}\.yaml: .*{re.escape(key)}(?!\w)"):
        read(mistaken)


def test_what_is_sold_has_a_vendor_that_can_be_reached() -> None:
    rules = settings.rules()
    assert {operation.vendor for operation in rules.operations.values()} == set(registry.VENDORS) == set(rules.budgets)
    assert {name: operation.name for name, operation in rules.operations.items()} == {
        name: name for name in rules.operations
    }
    for vendor in registry.VENDORS.values():
        assert vendor.key_variable in config.VARIABLES


def test_an_unknown_vendor_is_named() -> None:
    with pytest.raises(InputError, match=r"names the vendor nobody, which is none of apify, million_verifier"):
        registry.access("nobody")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"APIFY_TOKEN": " secret "}, ("real", "secret", {"api": "https://api.apify.com"})),
        ({"MILLIONVERIFIER_API_KEY": "secret"}, None),
        (
            {"APIFY_TOKEN": "secret", "BARTON_SANDBOX_URL": "http://localhost:1/"},
            ("sandbox", "sandbox", {"api": "http://localhost:1"}),
        ),
    ],
)
def test_how_a_vendor_is_reached(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: Any) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    access = registry.access("apify")
    assert (access and (access.environment, access.key, access.urls)) == expected
    assert "secret" not in repr(access)
