"""PLE learns: honest tests, leaks caught, SQL and Python agree, reasons add up, drift is noticed (docs/explanation/learning.md)."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2.extras import execute_values

from barton_pipeline.definitions import defs
from barton_pipeline.errors import BartonError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.scoring import bit, drift, explain, learning, models, ple, rescoring, selection, training
from barton_pipeline.scoring.config import rules
from barton_pipeline.scoring.scorecards import Examples, Scorecard, assign, fit, make_bins
from barton_pipeline_tests.builders import insert_companies, run_stages

RULES = rules().learning
NOW = datetime.now(UTC)


def world(db, companies: int = 1000, years: float = 3.0, seed: int = 5) -> None:
    """Companies whose conversions depend on their size, industry and visits to the pricing page; four attempts at each."""
    chance = random.Random(seed)
    sizes = {f"Company {n} Inc": chance.choice([5, 30, 120, 800, 6000]) for n in range(companies)}
    industries = {name: chance.choice(["Construction", "Retail", "Law", "Software"]) for name in sizes}
    with transaction(db.url) as connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO intake.company_raw_intake (company, website, num_employees, industry, import_batch_id) VALUES %s",
            [(name, f"https://world{n}.com", str(sizes[name]), industries[name], "W") for n, name in enumerate(sizes)],
        )
    run_stages("W")
    ids = dict(db.query("SELECT company_name, company_unique_id FROM marketing.company_master"))
    signals, outcomes = [], []
    for name, company in ids.items():
        for number in range(4):
            as_of = NOW - timedelta(days=365 * years * (number + chance.random()) / 4 + 95)
            engaged = chance.random() < 0.4
            if engaged:
                seen = as_of - timedelta(days=chance.randint(0, 10))
                signals.append((company, "pricing_page_visit", seen, seen, "crm", f"{company}-{number}"))
            odds = -2.6 + 2.2 * engaged + 1.2 * (sizes[name] in (120, 800)) + 0.8 * (industries[name] == "Construction")
            lead = f"{company}-{number}"
            outcomes.append((company, "attempt", lead, as_of, "crm", f"a{lead}"))
            if chance.random() < 1 / (1 + np.exp(-odds)):
                outcomes.append(
                    (company, "meeting", lead, as_of + timedelta(days=chance.randint(1, 80)), "crm", f"m{lead}")
                )
    with transaction(db.url) as connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp, observed_at, source, external_id) VALUES %s",
            signals,
        )
        execute_values(
            cursor,
            "INSERT INTO marketing.outcomes (company_id, outcome_type, lead_reference, occurred_at, source, external_id) VALUES %s",
            outcomes,
        )


def built(db) -> Examples:
    with transaction(db.url) as connection:
        training.build(connection)
        return training.read_examples(connection)


def made(n: int = 600, seed: int = 3, **columns) -> Examples:
    """Examples of two real features and whatever is given; a third convert."""
    chance = np.random.default_rng(seed)
    size, engaged = chance.normal(size=n), chance.random(n) < 0.3
    converted = chance.random(n) < 1 / (1 + np.exp(1.3 - size - 1.5 * engaged))
    given_columns = {name: make(converted, chance) for name, make in columns.items()}
    features = pd.DataFrame({"size": size, "engaged": engaged.astype(float), **given_columns})
    as_of = np.datetime64("2022-01-01") + np.arange(n) * np.timedelta64(1000 * 24 // n, "h")
    return Examples(
        features, pd.DataFrame(index=features.index), converted, np.array([f"c{i // 2}" for i in range(n)]), as_of
    )


SMALL = replace(RULES, least_examples=100, least_positives=20)


def test_a_column_that_knows_the_outcome_stops_the_build() -> None:
    leaked = made(
        stage_code=lambda y, r: y + 0.0,
        verdict=lambda y, r: pd.Series(np.where(y, "yes", "no"), dtype=object),
        touches_all=lambda y, r: r.normal(size=len(y)),
        is_qualified=lambda y, r: pd.Series(np.where(~y & (r.random(len(y)) < 0.3), "no", "yes"), dtype=object),
        harmless=lambda y, r: pd.Series(r.choice(["a", "b"], len(y)), dtype=object),
    )
    with pytest.raises(learning.LeakFound) as caught:
        learning.learn(leaked, SMALL, 0.75)
    found = caught.value.findings
    assert set(found) == {"stage_code", "verdict", "touches_all", "is_qualified"}
    assert "AUC of 1.00" in found["stage_code"] and "written later" in found["touches_all"]
    assert "0.0% are positive" in found["is_qualified"]
    assert set(learning.find_leaks(leaked, replace(SMALL, cleared=["verdict"]))) == set(found) - {"verdict"}


def test_labels_that_can_be_predicted_when_shuffled_stop_the_build(monkeypatch) -> None:
    monkeypatch.setattr(
        learning, "predict_out_of_fold", lambda examples, method, rules: {"p": examples.converted + 0.0}
    )
    with pytest.raises(BartonError, match="test itself leaks"):
        learning.learn(made(), SMALL, 0.75)


def test_too_few_leads_leave_the_rubric_and_say_so() -> None:
    outcome = learning.learn(made(400), RULES, 0.75)
    assert outcome.card is None and not outcome.publish
    assert outcome.reason.startswith("The rubric stays: 400 judged leads")


def test_no_dates_no_publication() -> None:
    outcome = learning.learn(replace(made(1500), as_of=None), SMALL, 0.75)
    assert outcome.card is not None and not outcome.publish and "without dates" in outcome.reason


def test_a_block_is_tested_only_on_what_was_known_when_it_began_and_on_other_companies(monkeypatch) -> None:
    seen = []
    original = learning.fit

    def spy(examples, method, rules):
        seen.append(examples)
        return original(examples, method, rules)

    monkeypatch.setattr(learning, "fit", spy)
    examples = made(1500)
    blocks = learning.measure_blocks(examples, SMALL, None)
    tested = [block for block in blocks if "logistic" in block]
    assert len(tested) >= 3
    assert examples.as_of is not None
    horizon = np.timedelta64(RULES.horizon_days, "D")
    order = np.array_split(np.argsort(examples.as_of, kind="stable"), RULES.blocks)
    for block, trained in zip(tested, seen[::2], strict=True):
        assert (trained.as_of + horizon <= np.datetime64(block["from"])).all()
        assert not set(trained.company) & set(examples.company[order[block["block"] - 1]])


def test_a_useful_model_beats_noise_and_noise_is_not_published() -> None:
    useful = learning.learn(made(2400), SMALL, 0.75)
    assert useful.publish and useful.report["auc"] > 0.65 and useful.report["brier_skill"] > 0.05
    assert useful.report["lift_at_10_interval"][0] > 1.2 and useful.report["ece"] < 0.05
    examples = made(2400)
    noise = replace(examples, converted=np.random.default_rng(0).permutation(examples.converted))
    published = learning.learn(noise, SMALL, 0.75)
    assert not published.publish and abs(published.report["auc"] - 0.5) < 0.06


def test_a_challenger_that_is_no_better_than_the_champion_is_not_published() -> None:
    examples = made(2400)
    champion = fit(examples, "logistic", SMALL)
    assert not learning.learn(examples, SMALL, 0.75, champion).publish
    worse = replace(champion, calibration_slope=0.0, calibration_intercept=0.0)
    assert learning.learn(examples, SMALL, 0.75, worse).publish


@pytest.mark.parametrize("method", ["logistic", "boosting"])
def test_contributions_are_the_model(method: str) -> None:
    examples = made(
        1200,
        word=lambda y, r: pd.Series(np.where(r.random(len(y)) < 0.2, None, r.choice(["a", "b"], len(y))), dtype=object),
    )
    card = fit(examples, method, SMALL)
    contributions = card.contributions(examples)
    assert np.allclose(card.intercept + contributions.sum(axis=1), card.logits(examples))
    assert np.allclose(contributions.mean(), 0, atol=1e-9), "the average example contributes nothing"
    assert Scorecard.from_dict(json.loads(json.dumps(card.to_dict()))) == card
    scores = card.scores(examples)
    assert scores.min() >= 0 and scores.max() <= 1 and 0.2 < (scores > 0.75).mean() < 0.3, (
        "a rank: a quarter is above 0.75"
    )
    assert abs(card.probabilities(examples).mean() - examples.converted.mean()) < 0.02


def test_monotone_features_push_one_way() -> None:
    examples = made(1200, engagement=lambda y, r: r.random(len(y)) - 0.8 * y)  # the data say less is better
    card = fit(examples, "boosting", SMALL)
    points = [entry.points for entry in card.bins if entry.feature == "engagement" and not entry.missing]
    assert points == sorted(points), "engagement may not lower the score (learning.monotone)"


NUMBERS = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-3, 3).map(float)), min_size=1, max_size=60)
WORDS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"])), min_size=1, max_size=60)


@settings(deadline=None)
@given(numbers=NUMBERS, words=WORDS, probes=NUMBERS, other=WORDS)
def test_every_value_is_in_exactly_one_bin(numbers, words, probes, other) -> None:
    number_bins = make_bins("x", pd.Series(numbers, dtype=float), 8, 0.02)
    for value, place in zip(probes, assign(pd.Series(probes, dtype=float), number_bins), strict=True):
        entry = number_bins[place]
        if value is None:
            assert entry.missing
        else:
            assert not entry.missing
            assert (entry.lower is None or value >= entry.lower) and (entry.upper is None or value < entry.upper)
    word_bins = make_bins("w", pd.Series(words, dtype=object), 8, 0.3)
    for value, place in zip(other, assign(pd.Series(other, dtype=object), word_bins), strict=True):
        entry = word_bins[place]
        known = value in {bin_.word for bin_ in word_bins if bin_.word}
        assert (entry.missing, entry.word) == ((True, None) if value is None else (False, value if known else None))


def test_lift_counts_equals_in_part() -> None:
    converted = np.array([True] * 10 + [False] * 90)
    assert learning.measure_lift(converted, np.zeros(100)) == pytest.approx(1)
    assert learning.measure_lift(converted, np.arange(100)[::-1]) == pytest.approx(10)
    assert learning.measure_lift(converted, np.arange(100)) == 0


@pytest.mark.slow
def test_from_outcomes_to_a_published_model_that_scores_with_reasons_that_add_up(db) -> None:
    world(db)
    with dg.instance_for_test() as instance:
        for _ in range(2):  # the second training finds nothing better
            assert defs.resolve_job_def("learning_job").execute_in_process(instance=instance).success
        records = instance.fetch_materializations(dg.AssetKey("ple_model"), limit=2).records
    trainings: list[Any] = [record.event_log_entry.asset_materialization for record in reversed(records)]
    first, second = trainings
    metadata = first.metadata
    assert metadata["published"].value is True and "data:image/png;base64," in metadata["reliability"].md_str
    assert "beats the rubric" in metadata["decision"].value and metadata["auc"].value > 0.65
    assert second.metadata["published"].value is False
    (version,) = db.query("SELECT version FROM marketing.ple_models WHERE status = 'champion'")[0]

    assert drift.raise_alarm() == {}, "the companies are those of the training"

    db.execute(
        "UPDATE marketing.bit_signals SET signal_timestamp = now() - interval '1 day', observed_at = now() WHERE id % 3 = 0"
    )
    counts = run_stages("W", ("bit_scores", "ple_scores", "sniper_targets"))
    assert counts["ple_scores"]["method"] in version and counts["sniper_targets"]["expected_precision"]
    rows = db.query(
        "SELECT ple_score, p_convert, ple_model_version, metadata FROM marketing.ple_results WHERE ple_model_version = %s",
        version,
    )
    assert len(rows) == 1000
    for score, p, _, kept in rows:
        assert kept["base"] + sum(reason["share"] for reason in kept["reasons"]) == pytest.approx(score, abs=1e-9)
        assert 0 < p < 1
    precision = {row["cut"]: row["expected_precision"] for row in counts["sniper_targets"]["expected_precision"]}
    assert precision[0.9] > precision[0.5]

    # SQL scores as the Python that learned does, at the moments of the training set
    examples = built(db)
    with transaction(db.url) as connection, connection.cursor() as cursor:
        champion = models.read_champion(connection)
        assert champion is not None
        training.build(connection)
        bit.score(connection)
        ple.score(connection, champion.scorecard)
        cursor.execute(
            "SELECT n.score, n.p_convert FROM pg_temp.ple_now n JOIN marketing.ple_training_examples e USING (id) ORDER BY e.as_of, e.id"
        )
        sql = np.array(cursor.fetchall(), float)
    card = Scorecard.from_dict(champion.scorecard)
    assert np.allclose(sql[:, 0], card.scores(examples), atol=1e-9)
    assert np.allclose(sql[:, 1], card.probabilities(examples), atol=1e-9)

    # what came later changes no example
    before = db.query("SELECT id, features FROM marketing.ple_training_examples ORDER BY id")
    db.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp, observed_at) "
        "SELECT company_id, 'demo_request', occurred_at - interval '1 day', now() FROM marketing.outcomes WHERE outcome_type = 'attempt'"
    )
    built(db)
    assert db.query("SELECT id, features FROM marketing.ple_training_examples ORDER BY id") == before

    # the alarm: loud on other companies, told once
    db.execute("UPDATE marketing.company_master SET employee_count = 40000, industry = 'Mining'")
    assert {"employees", "industry"} <= set(drift.raise_alarm())
    drift.raise_alarm()
    assert db.value("SELECT count(*) FROM marketing.pipeline_errors WHERE event_type = 'ple_drift'") == 1

    with transaction(db.url) as connection:
        assert models.retire(connection) == version and models.read_champion(connection) is None
    assert run_stages("W", ("ple_scores",))["ple_scores"]["method"].startswith("rubric")


@pytest.mark.slow
def test_leadforge_through_our_tables_is_modest_and_its_planted_leaks_are_caught(db, tmp_path) -> None:
    from benchmarks import leadforge
    from benchmarks.learning import examples_of, load, without

    leadforge.generate(tmp_path / "bundle")
    table = leadforge.task_table(tmp_path / "bundle")
    flat = examples_of(table, "converted_within_90_days", "account_id", "lead_created_at", ("contact_id", "lead_id"))
    planted = {"current_stage", "is_sql", "total_touches_all"}
    found = learning.find_leaks(flat, RULES)
    assert set(found) == planted and "AUC of 1.00" in found["current_stage"]
    assert set(learning.find_leaks(flat, replace(RULES, never=[]))) == planted - {"total_touches_all"}
    honest = learning.predict_out_of_fold(without(flat, sorted(planted)), "logistic", RULES)
    assert 0.58 < learning.measure_quality(flat, honest["p"])["auc"] < 0.66

    load(leadforge.write_files(tmp_path / "bundle", tmp_path / "files", spread_days=720))
    assert db.query(
        "SELECT DISTINCT outcome FROM intake.outcomes_raw_intake UNION SELECT DISTINCT outcome FROM intake.signals_raw_intake"
    ) == [("recorded",)]
    examples = built(db)
    assert len(examples) > 4900 and 0.19 < examples.converted.mean() < 0.23
    mapped = learning.predict_out_of_fold(examples, "logistic", RULES)
    assert 0.48 < learning.measure_quality(examples, mapped["p"])["auc"] < 0.66


def test_attempts_too_young_or_already_positive_are_left_out_and_one_lead_counts_once(db) -> None:
    insert_companies(db, "B1", 6)
    run_stages("B1")
    ids = [company for (company,) in db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1")]

    def outcome(company: int, kind: str, days_ago: int, lead: str | None = None) -> None:
        db.execute(
            "INSERT INTO marketing.outcomes (company_id, outcome_type, lead_reference, occurred_at) VALUES (%s, %s, %s, now() - make_interval(days => %s))",
            ids[company], kind, lead, days_ago,
        )  # fmt: skip

    outcome(0, "attempt", 200, "L1")
    outcome(0, "meeting", 150, "L1")  # positive
    outcome(0, "attempt", 190, "L1")  # the same lead
    outcome(0, "attempt", 180, "L2")  # another lead, negative
    outcome(1, "attempt", 30)
    outcome(1, "meeting", 10)  # too young, though positive already
    outcome(2, "attempt", 200)
    outcome(2, "won", 201)  # was a customer before
    outcome(3, "attempt", 200)
    outcome(3, "meeting", 100)  # after the horizon
    outcome(4, "attempt", 200)
    outcome(4, "lost", 190)  # lost is not positive
    with transaction(db.url) as connection:
        counts = training.build(connection)
    wanted = {"attempts": 6, "too_young": 1, "already_positive": 1, "examples": 4, "positives": 1}
    assert {name: counts[name] for name in wanted} == wanted
    assert db.query("SELECT company_id, converted FROM marketing.ple_training_examples ORDER BY as_of, company_id") == [
        (ids[0], True), (ids[3], False), (ids[4], False), (ids[0], False),
    ]  # fmt: skip


def test_what_was_learned_later_is_not_a_feature_then(db) -> None:
    """A holder and a verdict of today are unknown a year ago."""
    insert_companies(db, "B1", 1)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, title, email, website, import_batch_id) VALUES ('Ann Ames', 'CEO', 'ann@company1.com', 'company1.com', 'B1')"
    )
    run_stages("B1")
    (company,) = db.query("SELECT company_unique_id FROM marketing.company_master")[0]

    def known(days_ago: int) -> set[str]:
        with transaction(db.url) as connection:
            found = explain.explain(connection, company, datetime.now(UTC) - timedelta(days=days_ago))
            shares = [reason.share for reason in found.ple.reasons]
            assert found.ple.base + sum(shares) == pytest.approx(found.ple.score, abs=1e-9)
            return {reason.feature for reason in found.ple.reasons}

    assert known(0) == {"website", "slot_ceo", "address_ceo"} and known(365) == {"website"}


def test_outcome_rows_are_judged_with_reasons_and_wait_for_their_company(db) -> None:
    insert_companies(db, "B1", 1)
    run_stages("B1")
    rows = [
        ("company1.com", "attempt", "2026-01-01", "recorded"),
        ("company1.com", "attempt", "2026-01-01", "duplicate"),
        ("company1.com", "marriage", "2026-01-01", "invalid"),
        ("company1.com", "won", "soon", "invalid"),
        ("company1.com", "won", "2999-01-01", "invalid"),
        ("company2.com", "won", "2026-01-01", "company_unknown"),
    ]
    for website, kind, when, _ in rows:
        db.execute(
            "INSERT INTO intake.outcomes_raw_intake (website, outcome_type, occurred_at, import_batch_id) VALUES (%s, %s, %s, 'O1')",
            website, kind, when,
        )  # fmt: skip
    assert (
        db.value(
            "SELECT count(*) FROM marketing.pipeline_events WHERE event_type = 'outcome_received' AND import_batch_id = 'O1'"
        )
        == 6
    )
    run_stages("O1", ("ple_scores", "sniper_targets"))
    assert [outcome for (outcome,) in db.query("SELECT outcome FROM intake.outcomes_raw_intake ORDER BY id")] == [
        row[3] for row in rows
    ]
    insert_companies(db, "B2", 1, first=2)
    run_stages("B2")
    assert db.query("SELECT outcome FROM intake.outcomes_raw_intake ORDER BY id DESC LIMIT 1") == [("recorded",)]
    assert db.value("SELECT count(*) FROM marketing.outcomes") == 2


def test_the_nightly_round_lets_scores_decay_and_says_who_left(db, monkeypatch) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 7)
    insert_companies(db, "B1", 20)
    run_stages("B1")
    db.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp) SELECT company_unique_id, 'demo_request', now() FROM marketing.company_master LIMIT 3"
    )
    assert run_stages("B1", ("bit_scores", "ple_scores", "sniper_targets"))["sniper_targets"]["entered"] == 3
    db.execute(
        "UPDATE marketing.bit_signals SET signal_timestamp = now() - interval '60 days', observed_at = now() - interval '60 days'"
    )
    first = rescoring.rescore("manual")
    assert (first["companies"], first["left_the_list"]) == (20, 3)
    results = db.value("SELECT count(*) FROM marketing.bit_results")
    assert rescoring.rescore("manual")["left_the_list"] == 0
    assert db.value("SELECT count(*) FROM marketing.bit_results") == results, "unchanged scores are not written again"
    kinds = db.query(
        "SELECT event_type, count(*) FROM marketing.pipeline_events WHERE event_type LIKE 'target_%' GROUP BY 1 ORDER BY 1"
    )
    assert kinds == [("target_entered", 3), ("target_left", 3)]
    assert (
        db.value("SELECT count(*) FROM marketing.workflow_stats WHERE workflow_name = 'rescore' AND status = 'ok'") == 2
    )


def test_two_trainings_publish_one_after_the_other(db) -> None:
    with transaction(db.url) as connection:
        for version in ("a", "b"):
            models.keep(
                connection, version=version, method="logistic", publish=True, reason="", scorecard={}, report={}, card="", trained_until=NOW
            )  # fmt: skip
    assert db.query("SELECT version, status FROM marketing.ple_models ORDER BY version") == [
        ("a", "retired"),
        ("b", "champion"),
    ]


def test_a_sample_is_of_about_the_size_asked_for(db) -> None:
    insert_companies(db, "B1", 400)
    run_stages("B1", ("raw_intake", "validated_companies", "company_master"))
    with transaction(db.url) as connection:
        assert selection.choose_sample(connection, 100_000) == 400
        assert 20 < selection.choose_sample(connection, 100) < 250
