"""Which names are one company: legal forms, brackets, umlauts, scripts; and what becomes of keys when the rules change."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.companies import legal_forms
from barton_pipeline.companies.matching import unmatch
from barton_pipeline.operations import replay
from barton_pipeline.postgres import migrations
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import run_stages
from tools.legal_forms import TARGET, statement

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Written differently, and found by its name alone.
ONE_NAME = [
    (
        "Nordwind Pumpen",
        "Nordwind Pumpen GmbH & Co. KGaA",
        "Nordwind Pumpen GmbH & Co. KG",
        "NORDWIND PUMPEN AG",
        "Nordwind Pumpen S.E.",
    ),
    ("Tischlerei Adler", "Tischlerei Adler e.K.", "Tischlerei Adler OHG", "Tischlerei Adler e. Kfm."),
    ("Kovarna Dub", "Kovarna Dub s.r.o.", "Kovarna Dub, spol. s r.o.", "Kovarna Dub a.s.", "KOVARNA DUB S.R.O."),
    ("Huta Lipa", "Huta Lipa Sp. z o.o.", "Huta Lipa Sp. z o. o.", "Huta Lipa S.A."),
    ("Mobler", "Møbler A/S", "Møbler ApS", "Møbler ASA", "Möbler AB", "Møbler AS"),
    ("Talleres Rio", "Talleres Río S.L.", "Talleres Rio S.A. de C.V.", "Talleres Río Ltda.", "Talleres Río, S.L.U."),
    ("Drvo", "Drvo d.o.o.", "DRVO D.O.O."),
    ("Fonderie Alpi", "Fonderie Alpi S.p.A.", "Fonderie Alpi SpA", "Fonderie Alpi S.r.l.", "Fonderie Alpi S. P. A."),
    ("Moulin Vert", "Moulin Vert S.à r.l.", "SARL Moulin Vert", "Moulin Vert SAS", "Moulin Vert & Cie"),
    (
        "Hadley & Sons",
        "Hadley &amp; Sons",
        "Hadley and Sons, LLC",
        "The Hadley & Sons Company",
        "Hadley & Sons, L.L.C.",
    ),
    ("Evergreen", "Evergreen, PC", "Evergreen P.C.", "Evergreen, P.A.", "Evergreen S.p.A."),
    (
        "Ромашка Насосы",
        "РОМАШКА НАСОСЫ",
        "ООО Ромашка Насосы",
        'ООО "Ромашка Насосы"',
        "ООО «Ромашка Насосы»",
        "Ромашка Насосы, АО",
    ),
    (
        "Bäcker Holz",
        "„Bäcker Holz“ GmbH",
        "Bäcker Holz GmbH u. Co. KG",
        "»Bäcker Holz«",
        "Bäcker Holz GmbH i.L.",
        "Bäcker Holz GmbH i. G.",
    ),
    ("Silva", "Silva e Cia", "Silva & Cia. Ltda.", "Silva y Compañía"),
    ("Vitamin E", "Vitamin E Co.", "Vitamin E Company, Inc."),
    ("גל", 'גל בע"מ', "גל בע״מ"),
    ("Modra", "Modra j.d.o.o."),
    ("Delta Textiles", "Delta Textiles S.A.E.", "Delta Textiles SAL"),
    ("Ακτή Γυαλί", "ΑΚΤΉ ΓΥΑΛΊ", "Ακτή Γυαλί Α.Ε."),
    ("Κύματος", "ΚΥΜΑΤΟΣ"),
    (
        "さくら鉄工",
        "株式会社さくら鉄工",
        "さくら鉄工株式会社",
        "(株)さくら鉄工",
        "さくら鉄工㈱",
        "（株）さくら鉄工",
        "「さくら鉄工」",
    ),
    ("한빛", "㈜한빛", "한빛(주)", "주식회사 한빛"),
    ("Pty Works", "Pty Works Pty Ltd", "Pty Works (Pty) Ltd", "Pty Works Private Limited"),
    ("Zero Width", "Zero\u200b Width", "Zero Width\ufeff"),
]
# Not one company for a name like it.
OTHER_NAMES = [
    ("Evergreen", "Evergreen Spa", "EVERGREEN SPA", "Evergreen PC", "Evergreen Pa", "Evergreen Ag"),
    ("Blue Moon", "Blu Moon"),
    ("Acme", "Acme (Ohio)", "Acme Holdings"),
    ("SAS", "AB", "Co"),
    ("Sports", "Sports Unlimited", "Sports Coop", "Sports Scoop"),
    ("Lufthansa", "SIA Lufthansa"),
    ("Old Town", "Old Town Compagnie"),
]
# One company when they are on one domain.
ONE_ON_A_DOMAIN = [
    ("Glasbau Müller GmbH", "Glasbau Mueller GmbH", "GLASBAU MUELLER", "Glasbau Muller"),
    ("Acme Pumps", "Acme Pumps (Ohio)", "Acme Pumps [formerly Pumpco], Inc."),
    ("Volvo", "AB Volvo", "Volvo AB", "Volvo (publ) AB"),
    ("Evergreen Spa", "Evergreen LLC", "Evergreen SpA"),
    ("さくら", "さくら（東京）"),
    ("Lufthansa", "SIA Lufthansa", "UAB Lufthansa"),
    ("Jørgensen", "Joergensen A/S", "Jorgensen"),
    ("Bäckerei Größ", "Baeckerei Groess", "BÄCKEREI GRÖSS e.K."),
]


def keys(db: Any, function: str, names: tuple[str, ...]) -> list[str]:
    return [db.value(f"SELECT intake.{function}(%s)", name) for name in names]


@pytest.mark.parametrize("names", ONE_NAME, ids=lambda names: names[0])
def test_one_name(db: Any, names: tuple[str, ...]) -> None:
    found = dict(zip(names, keys(db, "company_name_key", names), strict=True))
    assert set(found.values()) == {found[names[0]]}, found


@pytest.mark.parametrize("names", OTHER_NAMES, ids=lambda names: names[0])
def test_other_names(db: Any, names: tuple[str, ...]) -> None:
    plain, *others = keys(db, "company_name_key", names)
    assert plain not in others


@pytest.mark.parametrize("names", ONE_ON_A_DOMAIN, ids=lambda names: names[0])
@pytest.mark.parametrize("at_once", [True, False])
def test_one_company_on_a_domain(db: Any, names: tuple[str, ...], at_once: bool) -> None:
    for number, name in enumerate(names):
        bring(db, "B" if at_once else f"B{number}", name)
    for batch in ["B"] if at_once else [f"B{number}" for number in range(len(names))]:
        run_stages(batch)
    assert db.value("SELECT count(*) FROM marketing.company_master") == 1
    assert db.value("SELECT count(*) FROM marketing.company_matches") == len(names)


def bring(db: Any, batch: str, name: str, domain: str = "one-company.de") -> None:
    db.execute(
        "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, %s, %s)",
        name,
        domain,
        batch,
    )


FORMS = st.sampled_from(legal_forms.rules().certain)
WORDS = st.lists(st.sampled_from(["Acme", "Øl", "Müller", "Works", "Насосы", "7"]), min_size=1, max_size=3).map(
    " ".join
)


@RELAXED
@given(
    name=WORDS, form=FORMS, comma=st.sampled_from([" ", ", ", "  "]), case=st.sampled_from([str, str.upper, str.lower])
)
def test_a_certain_form_is_cut_in_any_spelling(db: Any, name: str, form: str, comma: str, case: Any) -> None:
    plain, formal = keys(db, "company_name_key", (name, case(f"{name}{comma}{form}")))
    assert plain == formal


@RELAXED
@given(
    st.lists(
        st.sampled_from([*legal_forms.trailing(), *legal_forms.leading(), "acme", "and", "the", "(", ")"]),
        min_size=1,
        max_size=6,
    ).map(" ".join)
)
def test_a_name_of_nothing_but_forms_is_still_a_name(db: Any, name: str) -> None:
    for key in keys(db, "company_name_key", (name,)) + keys(db, "loose_name_key", (name,)):
        assert key.strip() or not name.strip("() ")


def test_forms_are_written_as_names_are_normalised(db: Any) -> None:
    rules = legal_forms.rules()
    for form in (*rules.certain, *rules.ambiguous, *rules.words, *rules.leading, *rules.leading_ambiguous):
        words = db.value("SELECT intake.words(%s)", form)
        assert legal_forms.key(form) in (words, words.replace(" ", "")), form


def test_the_functions_are_written_from_the_lists() -> None:
    assert TARGET.read_text(encoding="utf-8") == statement(), "Run: python -m tools.legal_forms"


def test_two_batches_that_bring_a_company_in_two_spellings_at_once(db: Any) -> None:
    for batch, spelling in (("B1", "Möbel %s GmbH"), ("B2", "Moebel %s")):
        for number in range(200):
            bring(db, batch, spelling % number, f"moebel{number}.de")
        run_stages(batch, ("raw_intake", "validated_companies"))
    barrier = threading.Barrier(2)

    def promote(batch: str) -> None:
        barrier.wait()
        run_stages(batch, ("company_master", "company_slots"))

    with ThreadPoolExecutor() as pool:
        list(pool.map(promote, ("B1", "B2")))
    assert db.value("SELECT count(*) FROM marketing.company_master") == 200
    assert db.value("SELECT count(*) FROM marketing.company_matches") == 400


def test_an_undone_match_of_spellings_stays_undone(db: Any) -> None:
    for name in ("Evergreen LLC", "Evergreen Spa"):
        bring(db, "B1", name)
    run_stages("B1")
    with transaction(db.url) as connection:
        assert unmatch(connection, 2, "the spa next door") == 1
    run_stages("B1")
    bring(db, "B2", "EVERGREEN SPA")
    bring(db, "B2", "Evergreen, Inc.")
    run_stages("B2")
    companies = db.query(
        """SELECT array_agg(r.company ORDER BY r.id) FROM marketing.company_matches m JOIN intake.company_raw_intake r ON r.id = m.intake_id
        GROUP BY company_unique_id ORDER BY 1"""
    )
    assert companies == [(["Evergreen LLC", "Evergreen, Inc."],), (["Evergreen Spa", "EVERGREEN SPA"],)]
    assert replay.replay(db.url).differences == ()


def test_names_of_one_key_and_several_aliases_are_one_company(db: Any) -> None:
    for name in ("Foo (Bar)", "Foo Bar", "Foo"):
        bring(db, "B1", name)
    run_stages("B1")
    assert db.query("SELECT company_name FROM marketing.company_master") == [("Foo (Bar)",)]


def test_companies_and_people_who_wait_follow_new_rules(db: Any) -> None:
    for name, domain in itertools.product(["Tischlerei Adler e.K.", "Glasbau Mueller"], ["one.de", "two.de"]):
        bring(db, "B1", name, domain)
    db.execute(
        "INSERT INTO intake.people_raw_intake (full_name, company, import_batch_id) VALUES ('Jo Doe', 'Kovarna Dub s.r.o.', 'P1')"
    )
    run_stages("B1")
    run_stages("P1")
    ids = db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1")
    # as they were before the form was known
    db.execute(
        "UPDATE marketing.company_master SET company_name_key = 'tischlerei adler ek' WHERE company_name LIKE 'Tisch%%'"
    )
    db.execute("UPDATE intake.people_raw_intake SET company_name_key = 'kovarna dub sro'")
    db.execute("DELETE FROM marketing.company_aliases")
    db.execute(
        "UPDATE marketing.schema_objects SET checksum = 'older' WHERE path = 'objects/functions/legal_forms.sql'"
    )
    migrations.migrate(db.url)
    for name, domain in itertools.product(["Tischlerei Adler", "Glasbau Müller"], ["one.de", "two.de"]):
        bring(db, "B2", name, domain)
    bring(db, "B2", "Kovarna Dub", "dub.cz")
    run_stages("B2")
    assert db.query("SELECT company_unique_id FROM marketing.company_master ORDER BY 1")[:4] == ids
    assert db.value("SELECT count(*) FROM marketing.company_master") == 5
    assert db.query("SELECT outcome FROM intake.people_raw_intake") == [("matched",)]
