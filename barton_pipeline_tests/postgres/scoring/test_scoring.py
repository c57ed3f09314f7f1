"""BIT, PLE and the target list: an independent computation, the laws they keep, and reasons that add up."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.scoring import bit, selection, targets
from barton_pipeline.scoring.config import FILE, read_rules, rules
from barton_pipeline.scoring.explain import find_company
from barton_pipeline_tests.builders import insert_companies, run_stages

COMPANY = "04.04.01.84.00001.001"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BIT = rules().bit
TYPES, NEGATIVE_TYPES = list(BIT.signals), list(BIT.negative_signals)
SIGNALS = st.lists(st.tuples(st.sampled_from(TYPES), st.floats(0, 1, width=32), st.integers(0, 300)), max_size=8)
RELAXED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def company(db):
    insert_companies(db, "B1", 1)
    run_stages("B1")
    return db


def score_of(db, signals, as_of: datetime = NOW) -> tuple[float, list[dict]]:
    """BIT of the company with exactly these (type, strength, age in days) signals."""
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM marketing.bit_signals")
        for number, (kind, strength, age) in enumerate(signals):
            cursor.execute(
                "INSERT INTO marketing.bit_signals (company_id, signal_type, bit_intent_score, signal_timestamp, observed_at, source, external_id) "
                "VALUES (%s, %s, %s, %s, '2020-01-01', 'manual', %s)",
                (COMPANY, kind, strength, NOW - timedelta(days=age), str(number)),
            )
        selection.choose_company(connection, COMPANY, as_of)
        bit.score(connection)
        cursor.execute("SELECT score, reasons FROM pg_temp.bit_now")
        ((score, reasons),) = cursor.fetchall()
        return score, reasons


def counted(signals, rules_by_type) -> dict[str, list[tuple[float, int]]]:
    """(probability, age) by type: the strongest, then newest, signal of each duplicate window."""
    by_type: dict[str, dict[int, tuple[float, int]]] = {}
    for kind, strength, age in signals:
        rule = rules_by_type.get(kind)
        if rule is None:
            continue
        window_days = rule.duplicate_window_days or BIT.duplicate_window_days
        window = math.floor((NOW - timedelta(days=age)).timestamp() / 86400 / window_days)
        decay = 2 ** (-age / rule.half_life_days) if kind in BIT.signals else 1
        seen = by_type.setdefault(kind, {})
        seen[window] = max((rule.weight * strength * decay, -age), seen.get(window, (0.0, -1000)))
    return {kind: [(p, -negative_age) for p, negative_age in seen.values()] for kind, seen in by_type.items()}


def expected(signals) -> float:
    """The noisy-or of docs/explanation/scoring.md, negative types included, computed without SQL."""
    negatives = counted(signals, BIT.negative_signals)
    rest = 1.0
    for kind, evidence in counted(signals, BIT.signals).items():
        total = 0.0
        for p, age in evidence:
            kept = 1.0
            for negative_type, rule in BIT.negative_signals.items():
                reach = [q for q, told in negatives.get(negative_type, []) if age >= told - rule.lasts_days]
                kept *= 1 - min(rule.cap, 1 - math.prod(1 - q for q in reach))
            total += -math.log(1 - p) * kept
        rest *= max(1 - BIT.signals[kind].cap, math.exp(-total))
    return 1 - rest


@RELAXED
@given(signals=SIGNALS)
def test_bit_is_the_capped_noisy_or_and_its_shares_add_up(company, signals) -> None:
    score, reasons = score_of(company, signals)
    assert score == pytest.approx(expected(signals), abs=1e-6)
    assert sum(reason["share"] for reason in reasons) == pytest.approx(score, abs=1e-9)


@RELAXED
@given(signals=SIGNALS, negative=st.lists(st.tuples(st.sampled_from(NEGATIVE_TYPES), st.floats(0, 1, width=32), st.integers(0, 300)), min_size=1, max_size=4))  # fmt: skip
def test_negative_signals_take_their_share_and_never_more(company, signals, negative) -> None:
    score, reasons = score_of(company, signals + negative)
    assert score == pytest.approx(expected(signals + negative), abs=1e-6)
    assert sum(reason["share"] for reason in reasons) == pytest.approx(score, abs=1e-9)
    assert 0 <= score <= score_of(company, signals)[0] + 1e-9


def test_an_unsubscription_lowers_what_came_before_it_and_not_what_comes_long_after(company) -> None:
    before, after = [("reply", 1, 10), ("unsubscribe", 1, 5)], [("reply", 1, 10), ("unsubscribe", 1, 105)]
    plain, _ = score_of(company, [("reply", 1, 10)])
    assert score_of(company, before)[0] < 0.75 * plain
    assert score_of(company, after)[0] == plain


@RELAXED
@given(
    signals=SIGNALS,
    more=st.tuples(st.sampled_from(TYPES), st.floats(0, 1, width=32), st.integers(0, 300)),
    days=st.integers(1, 400),
)
def test_evidence_never_lowers_time_never_raises_order_does_not_matter(company, signals, more, days) -> None:
    score, _ = score_of(company, signals)
    assert score_of(company, [*signals, more])[0] >= score - 1e-9
    assert score_of(company, signals, NOW + timedelta(days=days))[0] <= score + 1e-9
    assert score_of(company, signals[::-1])[0] == pytest.approx(score, abs=1e-9)


def test_what_was_not_yet_known_does_not_count(company) -> None:
    assert score_of(company, [("reply", 1, 10)], NOW - timedelta(days=11))[0] == 0


def test_200_page_views_do_not_outweigh_one_reply(company) -> None:
    assert (
        score_of(company, [("site_visit", 1, age) for age in range(200)])[0] < score_of(company, [("reply", 1, 0)])[0]
    )


def test_signals_are_judged_with_reasons(company) -> None:
    rows = [
        ("company1.com", "reply", "2026-10-01", None, "recorded"),
        ("company1.com", "reply", "2026-10-01", None, "duplicate"),
        ("company1.com", "telepathy", "2026-10-01", None, "invalid"),
        ("company1.com", "reply", "yesterday", None, "invalid"),
        ("company1.com", "reply", "2026-02-31", None, "invalid"),
        ("company1.com", "reply", "2999-01-01", None, "invalid"),
        ("company1.com", "reply", "2026-10-01", "200", "invalid"),
        ("nobody.com", "reply", "2026-10-01", None, "company_unknown"),
    ]
    for website, kind, when, strength, _ in rows:
        company.execute(
            "INSERT INTO intake.signals_raw_intake (website, signal_type, occurred_at, strength, import_batch_id) VALUES (%s, %s, %s, %s, 'S1')",
            website, kind, when, strength,
        )  # fmt: skip
    run_stages("S1")
    assert [o for (o,) in company.query("SELECT outcome FROM intake.signals_raw_intake ORDER BY id")] == [
        row[4] for row in rows
    ]
    assert company.value("SELECT count(*) FROM marketing.pipeline_events WHERE status <> 'processed'") == 0


def test_signals_of_an_unknown_type_by_sql_are_reported_once(company) -> None:
    company.execute(
        f"INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) VALUES ('{COMPANY}', 'telepathy', now())"
    )
    for _ in range(2):
        run_stages("B1")
    assert company.value("SELECT count(*) FROM marketing.pipeline_errors WHERE event_type = 'signal_type_unknown'") == 1


def test_a_company_is_found_by_its_id_domain_or_name_and_never_by_a_slots_id(company) -> None:
    with transaction(company.url) as connection:
        assert {find_company(connection, text) for text in (COMPANY, " company1.com ", "COMPANY 1 INC")} == {COMPANY}
        with pytest.raises(InputError, match="is the ID of a slot"):
            find_company(connection, "04.04.05.84.00001.001")
        with pytest.raises(InputError, match="No company has"):
            find_company(connection, "company2.com")


def test_ple_reasons_add_up_and_nothing_known_is_a_low_score(company) -> None:
    ((score, reasons, method, p),) = company.query(
        "SELECT ple_score, metadata->'reasons', method, p_convert FROM marketing.ple_results"
    )
    assert score < 0.35 and (method, p) == ("rubric", None)
    assert sum(reason["share"] for reason in reasons) == pytest.approx(score, abs=1e-9)
    assert {reason["feature"] for reason in reasons} == {"website"}


def test_a_well_known_engaged_company_is_a_target_until_it_cools_down(db) -> None:
    db.execute(
        """INSERT INTO intake.company_raw_intake (company, website, industry, num_employees, founded_year, company_city, company_state,
        company_phone, company_linkedin_url, import_batch_id) VALUES ('Company 1', 'company1.com', 'construction', '200', '1990', 'Bonn',
        'NRW', '+49 228 123456', 'linkedin.com/company/c1', 'B1'), ('Cold', 'cold1.com', null, null, null, null, null, null, null, 'B1')"""
    )
    for name, title in (("Ann A", "CEO"), ("Bob B", "CFO"), ("Cid C", "HR Director")):
        db.execute(
            "INSERT INTO intake.people_raw_intake (full_name, title, email, company, website, import_batch_id) VALUES (%s, %s, %s, 'Company 1', 'company1.com', 'B1')",
            name, title, f"{name[:3].lower()}@company1.com",
        )  # fmt: skip
    run_stages("B1")
    assert db.query("SELECT * FROM marketing.v_sniper_targets") == []
    db.execute(
        f"INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) VALUES ('{COMPANY}', 'demo_request', now())"
    )
    assert run_stages("B1")["sniper_targets"]["entered"] == 1
    ((ple, bit_score, reasons),) = db.query(
        "SELECT ple_score, bit_intent_score, reasons FROM marketing.v_sniper_targets"
    )
    assert ple > 0.75 and bit_score > 0.75 and any("demo request" in reason for reason in reasons)
    ((shares, score),) = db.query(
        "SELECT (SELECT sum((r->>'share')::float8) FROM jsonb_array_elements(metadata->'reasons') r), ple_score FROM marketing.ple_results "
        "ORDER BY ple_score DESC LIMIT 1"
    )
    assert shares == pytest.approx(score, abs=1e-9)
    db.execute("DELETE FROM marketing.bit_signals")
    assert run_stages("B1")["sniper_targets"]["left_the_list"] == 1
    with transaction(db.url) as connection:
        assert targets.run(connection, "B1")["rows_out"] == 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("points: 14", "points: 40", "at most 100"), ("weight: 0.70", "weight: 1.70", "reply.weight"), ("ple_cut: 0.75", "ple_kut: 0.75", "ple_cut"),
     ("half_life_days: 60, cap: 0.50", "half_life_days: 0, cap: 0.50", "half_life_days")],
)  # fmt: skip
def test_a_wrong_rules_file_names_the_key(tmp_path, old: str, new: str, named: str) -> None:
    text = FILE.read_text()
    assert old in text
    (tmp_path / "scoring.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=named):
        read_rules(tmp_path / "scoring.yaml")
