"""Cold lists give targets, engagement only raises, the profile decides who fits, and nobody sees an empty list without a word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.cli.main import barton
from barton_pipeline.errors import InputError
from barton_pipeline.postgres.connection import transaction
from barton_pipeline.reports.targets import list_next_best, list_targets
from barton_pipeline.scoring import bit, config, ple, selection, suggestion
from barton_pipeline.scoring.config import FILE, PROFILE, Profile, profile_as_yaml, read_rules, rules
from barton_pipeline_tests.builders import insert_companies, run_stages

COMPANY = "04.04.01.84.00001.001"
CUT = rules().targets.ple_cut
IDEAL = """
    UPDATE marketing.company_master SET industry = 'Mining', employee_count = 100, founded_year = 1990, city = 'Wheeling',
        state = 'Ohio', phone = '+13045550100', linkedin_url = 'https://www.linkedin.com/company/one'
"""
EXECUTIVES = """
    INSERT INTO intake.people_raw_intake (full_name, title, email, company, website, import_batch_id) VALUES
    ('Ann Ames', 'CEO', 'ann@company1.com', 'Company 1', 'company1.com', 'P1'),
    ('Bo Bell', 'CFO', 'bo@company1.com', 'Company 1', 'company1.com', 'P1'),
    ('Cy Cole', 'HR Director', 'cy@company1.com', 'Company 1', 'company1.com', 'P1')
"""
VERIFIED = "UPDATE marketing.email_verification SET status = %s, source = 'million_verifier'"
RELAXED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def cold(db: Any) -> Any:
    """A company of the ideal profile whose three executives are known, without any signal."""
    insert_companies(db, "B1", 1)
    run_stages("B1", ("raw_intake", "validated_companies", "company_master", "company_slots"))
    db.execute(IDEAL)
    db.execute(EXECUTIVES)
    run_stages("P1")
    return db


@pytest.fixture
def in_force(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Puts a profile.yaml into the working directory; what it does not name is as in the one that ships."""

    def use(**changes: Any) -> None:
        content = {**yaml.safe_load(PROFILE.read_text()), **changes}
        (tmp_path / "profile.yaml").write_text(yaml.safe_dump(content))
        rules.cache_clear()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagster.yaml").touch()
    rules.cache_clear()
    yield use
    rules.cache_clear()


def ple_of(db: Any) -> tuple[float, list[dict[str, Any]]]:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        selection.choose_company(connection, COMPANY)
        bit.score(connection)
        ple.score(connection, None)
        cursor.execute("SELECT score, reasons FROM pg_temp.ple_now")
        ((score, reasons),) = cursor.fetchall()
    assert sum(reason["share"] for reason in reasons) == pytest.approx(score, abs=1e-9)
    return score, reasons


def test_a_cold_company_of_the_profile_with_three_verified_executives_is_a_target(cold: Any) -> None:
    cold.execute(VERIFIED, "valid")
    score, reasons = ple_of(cold)
    assert score > CUT
    assert "engagement" not in {reason["feature"] for reason in reasons}
    assert run_stages("P1")["sniper_targets"]["entered"] == 1


def test_unverified_it_is_not_but_stands_next(cold: Any) -> None:
    cold.execute(VERIFIED, "unknown")
    assert run_stages("P1")["sniper_targets"]["rows_out"] == 0
    with transaction(cold.url) as connection:
        assert list_targets(connection) == []
        (nearest,) = list_next_best(connection)
        assert list_next_best(connection, "P1") == [nearest]
    assert 0 < nearest.short_by < 0.05
    assert set(nearest.lacking) == {"CEO's address", "CFO's address", "HR head's address"}
    shown = CliRunner().invoke(barton, ["targets"])
    assert "Company 1" in shown.output, shown.output


def test_without_any_score_the_list_says_what_to_do(db: Any) -> None:
    assert "barton load FILE" in CliRunner().invoke(barton, ["targets"]).output


@RELAXED
@given(
    status=st.sampled_from(["valid", "unknown", "invalid"]),
    employees=st.sampled_from([None, 3, 30, 100, 9000]),
    strengths=st.lists(st.floats(0, 1, width=32), max_size=4),
)
def test_engagement_only_raises_and_begins_without_a_jump(
    cold: Any, status: str, employees: int | None, strengths: list[float]
) -> None:
    cold.execute(VERIFIED, status)
    cold.execute("UPDATE marketing.company_master SET employee_count = %s", employees)
    cold.execute("DELETE FROM marketing.bit_signals")
    before = [ple_of(cold)[0]]
    for number, strength in enumerate(strengths):
        cold.execute(
            "INSERT INTO marketing.bit_signals (company_id, signal_type, bit_intent_score, signal_timestamp, source, external_id) "
            "VALUES (%s, 'reply', %s, now() - interval '1 hour', 'crm', %s)",
            COMPANY,
            strength,
            str(number),
        )
        score, _ = ple_of(cold)
        most = rules().ple.points.engagement.points / 100
        assert before[-1] - 1e-6 <= score <= 1, "up to the decay of a moment"
        assert score - before[-1] <= most * strength / rules().ple.engagement_full_at + 1e-6, "as much as the signal is"
        before.append(score)


@pytest.mark.parametrize(
    "exclusions",
    [{"domains": ["company1.com"]}, {"industries": ["minin"]}, {"places": ["ohio"]}],
    ids=lambda exclusions: next(iter(exclusions)),
)
def test_who_is_excluded_is_no_target_whatever_it_scores(cold: Any, in_force: Any, exclusions: dict[str, Any]) -> None:
    cold.execute(VERIFIED, "valid")
    cold.execute(
        "INSERT INTO marketing.bit_signals (company_id, signal_type, signal_timestamp, source, external_id) "
        "VALUES (%s, 'demo_request', now(), 'crm', 'x')",
        COMPANY,
    )
    assert run_stages("P1")["sniper_targets"]["entered"] == 1
    in_force(exclusions={"domains": [], "industries": [], "places": [], **exclusions})
    counts = run_stages("P1")["sniper_targets"]
    assert (counts["left_the_list"], counts["excluded"]) == (1, 1)
    score, reasons = ple_of(cold)
    assert score == 0
    assert reasons[0]["label"].startswith("excluded by profile.yaml")
    with transaction(cold.url) as connection:
        assert list_next_best(connection) == []


def test_the_profile_decides_who_fits(cold: Any, in_force: Any) -> None:
    liked = ple_of(cold)[0]
    in_force(industries={"preferred": ["software"], "other_share": 0.1})
    other_industry = ple_of(cold)[0]
    in_force(
        industries={"preferred": ["software"], "other_share": 0.1}, places={"preferred": ["texas"], "other_share": 0.0}
    )
    assert liked > other_industry > ple_of(cold)[0]
    in_force(places={"preferred": ["wheeling"], "other_share": 0.0})
    assert ple_of(cold)[0] == liked


def test_the_profile_in_force_is_shown(in_force: Any) -> None:
    assert str(PROFILE) in CliRunner().invoke(barton, ["profile"]).output
    in_force(places={"preferred": ["texas"], "other_share": 0.2})
    assert "texas" in CliRunner().invoke(barton, ["profile"]).stdout


def test_a_wrong_profile_names_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(PROFILE.read_text().replace("other_share: 0.6", "other_share: 6"))
    with pytest.raises(InputError, match=r"profile\.yaml: industries\.other_share"):
        read_rules(FILE, tmp_path / "profile.yaml")


def test_a_cut_that_no_cold_list_can_reach_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "scoring.yaml").write_text(FILE.read_text().replace("ple_cut: 0.75", "ple_cut: 0.9 "))
    with pytest.raises(InputError, match=r"targets\.ple_cut.*cold list"):
        read_rules(tmp_path / "scoring.yaml")


def won(db: Any, industry: str, companies: int, wins: int, start: int) -> None:
    db.execute(
        """
        INSERT INTO marketing.company_master (company_unique_id, company_name, website_url, domain, company_name_key, industry,
            employee_count, state, import_batch_id)
        SELECT marketing.barton_id('01', n), 'C' || n, 'c' || n, 'c' || n || '.com', 'c' || n, %s, 20, 'Ohio', 'W'
        FROM generate_series(%s, %s) AS n
        """,
        industry,
        start,
        start + companies - 1,
    )
    db.execute(
        """
        INSERT INTO marketing.outcomes (company_id, outcome_type, occurred_at, source, external_id)
        SELECT company_unique_id, 'won', now(), 'crm', company_unique_id FROM marketing.company_master WHERE industry = %s LIMIT %s
        """,
        industry,
        wins,
    )


def test_wins_suggest_a_profile_that_can_be_put_in_force(db: Any, tmp_path: Path) -> None:
    with transaction(db.url) as connection, pytest.raises(InputError, match="0 companies were won and 20 are needed"):
        suggestion.suggest(connection)
    won(db, "Dental", 100, 30, 1)
    won(db, "Retail", 300, 6, 101)
    with transaction(db.url) as connection:
        found = suggestion.suggest(connection)
    assert found.profile.industries.preferred == ["dental"]
    assert found.profile.industries.other_share < 0.5
    assert found.profile.places.preferred == [], "all are there"
    shown = CliRunner().invoke(barton, ["profile", "--suggest"])
    assert shown.exit_code == 0, shown.output
    (tmp_path / "profile.yaml").write_text(shown.stdout)
    assert read_rules(FILE, tmp_path / "profile.yaml").profile == found.profile


def test_a_profile_as_yaml_says_the_same() -> None:
    text = profile_as_yaml(rules().profile)
    assert config.config.build(Profile, yaml.safe_load(text), "profile.yaml") == rules().profile
