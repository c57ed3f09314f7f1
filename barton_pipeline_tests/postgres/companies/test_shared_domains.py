"""Whose domain is it: what is nobody's own counts for nobody, in companies, people, signals and outcomes alike."""

from typing import Any

import pytest

from barton_pipeline.companies import validation
from barton_pipeline.companies.shared_domains import rules, shared_domains
from barton_pipeline.intake.loading import read_file
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import run_stages
from barton_pipeline_tests.conftest import PROJECT
from tools.shared_domains import TARGET, statement

CASES = PROJECT / "barton_pipeline_tests" / "data" / "cases"
BUILDERS = [
    "weebly.com",
    "square.site",
    "wixsite.com",
    "wordpress.com",
    "squarespace.com",
    "myshopify.com",
    "webflow.io",
    "godaddysites.com",
    "jimdosite.com",
    "jimdofree.com",
    "jimdo.com",
    "strikingly.com",
    "mystrikingly.com",
    "site123.me",
    "yolasite.com",
    "webnode.com",
    "webnode.page",
    "webs.com",
    "webstarts.com",
    "homestead.com",
    "tripod.com",
    "angelfire.com",
    "moonfruit.com",
    "doodlekit.com",
    "ucraft.net",
    "tilda.ws",
    "simplesite.com",
    "bravesites.com",
    "blogspot.com",
    "typepad.com",
    "livejournal.com",
    "ghost.io",
    "substack.com",
    "over-blog.com",
    "e-monsite.com",
    "business.site",
    "dudaone.com",
    "multiscreensite.com",
    "zyrosite.com",
    "ueniweb.com",
    "mobirisesite.com",
    "cargo.site",
    "format.com",
    "smugmug.com",
    "pixieset.com",
    "zenfolio.com",
    "notion.site",
    "super.site",
    "softr.app",
    "bubbleapps.io",
    "glide.page",
    "framer.website",
    "framer.app",
    "carrd.co",
    "mailchimpsites.com",
    "clickfunnels.com",
    "leadpages.co",
    "unbounce.com",
    "teachable.com",
    "thinkific.com",
    "systeme.io",
    "hs-sites.com",
    "000webhostapp.com",
    "altervista.org",
    "bigcartel.com",
    "ecwid.com",
    "mybigcommerce.com",
    "github.io",
    "gitlab.io",
    "bitbucket.io",
    "neocities.org",
    "herokuapp.com",
    "netlify.app",
    "vercel.app",
    "pages.dev",
    "workers.dev",
    "web.app",
    "firebaseapp.com",
    "onrender.com",
    "fly.dev",
    "surge.sh",
    "glitch.me",
    "azurewebsites.net",
    "wpengine.com",
    "wpcomstaging.com",
    "readthedocs.io",
    "codeberg.page",
    "appspot.com",
    "strato-hosting.eu",
    "npage.de",
    "booksy.com",
]


def load_and_run(db: Any, files: dict[str, str], folder: Any, batch: str = "B1") -> None:
    for name, text in files.items():
        path = folder / f"{name}.csv"
        path.write_text(text)
        with transaction(db.url) as connection:
            read_file(connection, path, kind=name, batch=batch)
    run_stages(batch)


def run_case(db: Any, case: str) -> None:
    for path in sorted((CASES / case).glob("[0-9]_*")):
        with transaction(db.url) as connection:
            read_file(connection, path, batch="CASE")
    run_stages("CASE")


@pytest.mark.parametrize(
    "case",
    [
        "freemail-website",
        "adviser-mail-beats-company-name",
        "person-of-a-neighbour-on-a-site-builder",
        "site-on-a-public-suffix",
        "social-website-hides-the-company-name",
        "locked-apollo-address",
    ],
)
def test_case(db: Any, case: str) -> None:
    run_case(db, case)
    assert db.value((CASES / case / "check.sql").read_text()) is True


def test_a_signal_with_a_page_on_a_social_site_finds_its_company_by_name(db: Any) -> None:
    run_case(db, "signal-with-social-website")
    assert db.query("SELECT outcome FROM intake.signals_raw_intake") == [("recorded",)]


def test_two_companies_on_one_ordering_site_are_not_one(db: Any) -> None:
    run_case(db, "two-companies-one-ordering-site")
    assert (
        db.query("SELECT validation_reasons FROM intake.company_raw_intake")
        == [(["website_missing", "website_is_ordering_page"],)] * 2
    )


def test_two_customers_of_a_site_builder_never_share_a_domain(db: Any) -> None:
    assert len(set(BUILDERS)) >= 60
    for builder in BUILDERS:
        for customer in ("alice", "bob"):
            db.execute(
                "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES (%s, %s, 'B1')",
                f"{customer} Works", f"https://{customer}.{builder}/{customer}",
            )  # fmt: skip
        db.execute(
            "INSERT INTO intake.company_raw_intake (company, website, import_batch_id) VALUES ('Path Works', %s, 'B1')",
            f"https://www.{builder}/somebody",
        )
    with transaction(db.url) as connection:
        validation.run(connection, "B1")
    assert (
        db.query("SELECT domain FROM intake.company_raw_intake WHERE domain IS NOT NULL GROUP BY 1 HAVING count(*) > 1")
        == []
    )
    assert db.query("SELECT DISTINCT validated FROM intake.company_raw_intake WHERE company = 'Path Works'") == [
        (False,)
    ]
    assert ("alice.github.io",) in db.query("SELECT domain FROM intake.company_raw_intake WHERE validated")


def test_the_stored_list_is_what_the_file_and_the_package_say() -> None:
    assert TARGET.read_text(encoding="utf-8") == statement()


def test_the_list_is_well_formed() -> None:
    names = [name for part in (rules().domains, rules().hosts) for listed in part.values() for name in listed]
    assert len(names) == len(set(names))
    assert set(rules().owners) <= set(shared_domains())
    for shared in shared_domains().values():
        assert f"website_is_{shared.category}" in validation.REASONS, shared


def test_a_site_s_own_company_keeps_its_site_its_people_and_its_signals(db: Any, tmp_path: Any) -> None:
    load_and_run(
        db,
        {
            "companies": "Company,Website\nEtsy Inc,https://www.etsy.com\nMeta,facebook.com\n",
            "people": "Full Name,Title,Company,Website,Email\nJo Doe,CEO,Etsy,etsy.com,jo@etsy.com\n",
            "signals": "company,website,signal_type,occurred_at\nEtsy,etsy.com,pricing_page_visit,2026-11-20\n",
        },
        tmp_path,
    )
    assert db.query("SELECT domain FROM marketing.company_master ORDER BY 1") == [("etsy.com",), ("facebook.com",)]
    assert db.query("SELECT outcome, domain FROM intake.people_raw_intake") == [("matched", "etsy.com")]
    assert db.query("SELECT outcome, domain FROM intake.signals_raw_intake") == [("recorded", "etsy.com")]


@pytest.mark.parametrize(
    "page",
    ["gmail.com", "https://t-online.de/~zeta", "comcast.net", "wp.pl", "yelp.com/biz/zeta", "toasttab.com/zeta", "zeta.weebly.com",
     "https://github.com/zeta", "calendly.com/zeta", "eventbrite.com/o/zeta", "https://bit.ly/zeta", "indeed.com/cmp/zeta"],
)  # fmt: skip
def test_a_page_on_somebody_else_s_site_counts_as_none_everywhere(db: Any, tmp_path: Any, page: str) -> None:
    load_and_run(
        db,
        {
            "companies": f"Company,Website\nZeta,zetafab.com\nYoke,{page}\n",
            "people": f"Full Name,Title,Company,Website\nJo Doe,CEO,Zeta,{page}\n",
            "signals": f"company,website,signal_type,occurred_at\nZeta,{page},pricing_page_visit,2026-11-20\n",
            "outcomes": f"company,website,outcome_type,occurred_at\nZeta,{page},won,2026-11-20\n",
        },
        tmp_path,
    )
    reasons = db.value("SELECT validation_reasons FROM intake.company_raw_intake WHERE company = 'Yoke'")
    assert reasons[0] == "website_missing" and reasons[1].startswith("website_is_")
    assert db.query("SELECT outcome, outcome_reasons FROM intake.people_raw_intake") == [("matched", ["by_name"])]
    assert db.query("SELECT outcome FROM intake.signals_raw_intake") == [("recorded",)]
    assert db.query("SELECT outcome FROM intake.outcomes_raw_intake") == [("recorded",)]


@pytest.mark.parametrize(
    "address",
    ["email_not_unlocked@domain.com", "Email_Not_Unlocked@zetafab.com", "not_available@apollo.io", "noemail@none.com"],
)
def test_what_a_vendor_writes_for_no_address_is_none(db: Any, tmp_path: Any, address: str) -> None:
    people = f"Full Name,Title,Company,Email\nJo Doe,CEO,Zeta,{address}\n"
    load_and_run(db, {"companies": "Company,Website\nZeta,zetafab.com\n", "people": people}, tmp_path)
    assert db.query("SELECT full_name, email FROM marketing.people_master") == [("Jo Doe", None)]


@pytest.mark.parametrize("address", ["norma.mail@zetafab.com", "nina@zetafab.com", "noel@zetafab.com"])
def test_an_address_like_those_is_one(db: Any, tmp_path: Any, address: str) -> None:
    people = f"Full Name,Title,Company,Email\nJo Doe,CEO,Zeta,{address}\n"
    load_and_run(db, {"companies": "Company,Website\nZeta,zetafab.com\n", "people": people}, tmp_path)
    assert db.query("SELECT email FROM marketing.people_master") == [(address,)]
