"""Operations and what money allows; the package that knows no vendor."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from barton_pipeline import config, outbound
from barton_pipeline.errors import InputError
from barton_pipeline.outbound.settings import Operation, Rules
from barton_pipeline.vendors import buying

SOURCES = Path(outbound.__file__).parent
TWO_CENTS_AND_A_THOUSANDTH_AN_ITEM = Operation(
    vendor="anyone", stage="enriched_contacts", usd_start=Decimal("0.02"), usd_per_item=Decimal("0.001"),
    items_per_input=4, inputs_per_request=50, at_once=3, fresh_days=30,
)  # fmt: skip


@pytest.mark.parametrize(
    ("usd", "inputs"), [("-1", 0), ("0.0239", 0), ("0.024", 1), ("0.0279", 1), ("0.028", 2), ("0.06", 10)]
)
def test_a_request_has_as_many_inputs_as_the_money_allows(usd: str, inputs: int) -> None:
    operation = TWO_CENTS_AND_A_THOUSANDTH_AN_ITEM
    assert operation.affordable(Decimal(usd)) == inputs
    assert inputs == 0 or operation.estimate(inputs) <= Decimal(usd) < operation.estimate(inputs + 1)


def test_free_questions_need_no_money() -> None:
    free = replace(TWO_CENTS_AND_A_THOUSANDTH_AN_ITEM, usd_start=Decimal(0), usd_per_item=Decimal(0))
    assert free.affordable(Decimal(0)) == free.inputs_per_request
    assert free.affordable(Decimal("-0.01")) == 0


@pytest.mark.parametrize(
    ("line", "mistaken", "key"),
    [
        ("lease_seconds: 45", "lease_second: 45", "lease_second"),
        ("retries: 6", "retries: six", "retries"),
        ("in_flight: 1", "inflight: 1", "hold_minutes.inflight"),
        ("warn_at: 0.8", "", "warn_at"),
        ("warn_at: 0.8", "warn_at: 80", "warn_at"),
        ("heartbeat_seconds: 10", "heartbeat_seconds: 45", "heartbeat_seconds"),
    ],
)
def test_a_mistake_in_outbound_yaml_names_file_and_key(tmp_path: Path, line: str, mistaken: str, key: str) -> None:
    text = (SOURCES / "outbound.yaml").read_text()
    assert text.count(line) == 1
    (tmp_path / "outbound.yaml").write_text(text.replace(line, mistaken))
    with pytest.raises(InputError, match=rf"^outbound\.yaml: .*\b{re.escape(key)}\b"):
        config.load(tmp_path / "outbound.yaml", Rules)


def test_outbound_and_buying_name_no_vendor() -> None:
    files = [*SOURCES.glob("*.py"), *SOURCES.glob("*.yaml"), Path(buying.__file__)]
    assert len(files) > 7
    for file in files:
        assert not re.search(r"apify|million|leads_finder|verify_email", file.read_text(), re.IGNORECASE), file.name
    for file in SOURCES.glob("*.py"):
        assert not re.search(r"^\s*(from|import) .*\bvendors\b", file.read_text(), re.MULTILINE), file.name
