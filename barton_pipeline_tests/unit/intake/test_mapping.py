"""Headers to fields: the exports people have, as their vendors write them."""

import csv
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.errors import InputError
from barton_pipeline.intake import mapping
from barton_pipeline.intake.mapping import guess_kind, map_columns, name_key, recognise_source
from barton_pipeline_tests.conftest import PROJECT

DATA = Path(os.environ.get("BARTON_TEST_DATA", PROJECT.parent / "shared" / "data"))

APOLLO_ACCOUNTS = (
    "Company,Company Name for Emails,Account Stage,Lists,# Employees,Industry,Account Owner,Website,"
    "Company Linkedin Url,Facebook Url,Twitter Url,Company Street,Company City,Company State,Company Country,"
    "Company Postal Code,Company Address,Keywords,Company Phone,Technologies,Annual Revenue,Apollo Account Id,"
    "SIC Codes,Short Description,Founded Year"
)
APOLLO_CONTACTS = (
    "First Name,Last Name,Title,Company,Company Name for Emails,Email,Email Status,Seniority,Departments,"
    "Contact Owner,Work Direct Phone,Home Phone,Mobile Phone,Corporate Phone,Other Phone,# Employees,Industry,"
    "Person Linkedin Url,Website,Company Linkedin Url,City,State,Country,Company Address,Company City,"
    "Company State,Company Country,Company Phone,Apollo Contact Id,Apollo Account Id,Secondary Email"
)
HUNTER = (
    "Domain name,Organization,Email address,First name,Last name,Position,Department,Confidence score,"
    "Twitter handle,LinkedIn URL,Phone number,Type,Verification status"
)
HUBSPOT_COMPANIES = (
    "Record ID,Company name,Company Domain Name,Website URL,Phone Number,City,State/Region,Country/Region,"
    "Industry,Number of Employees,LinkedIn Company Page,Create Date"
)
PHANTOMBUSTER = (
    "profileUrl,fullName,firstName,lastName,companyName,title,companyId,companyUrl,regularCompanyUrl,summary,"
    "industry,companyLocation,location,pastExperienceCompanyName,name,vmid,linkedInProfileUrl,query,timestamp"
)

# header, kind, source, some of what must come out: {field: column}; None: no column
CASES = [
    (
        APOLLO_ACCOUNTS, "companies", "apollo",
        {"company": "Company", "website": "Website", "num_employees": "# Employees", "company_city": "Company City",
         "company_phone": "Company Phone", "source_record_id": "Apollo Account Id", "sic_codes": "SIC Codes",
         "company_linkedin_url": "Company Linkedin Url", "company_address": "Company Address"},
    ),
    (
        APOLLO_CONTACTS, "people", "apollo",
        {"company": "Company", "website": "Website", "linkedin_url": "Person Linkedin Url", "email": "Email",
         "company_linkedin_url": "Company Linkedin Url", "city": "City", "phone": "Work Direct Phone",
         "mobile_phone": "Mobile Phone", "source_record_id": "Apollo Contact Id", "email_status": "Email Status"},
    ),
    (
        HUNTER, "people", "hunter",
        {"website": "Domain name", "company": "Organization", "title": "Position", "email": "Email address",
         "email_status": "Verification status", "linkedin_url": "LinkedIn URL", "phone": "Phone number"},
    ),
    (
        HUBSPOT_COMPANIES, "companies", "hubspot",
        {"company": "Company name", "website": "Website URL", "company_phone": "Phone Number",
         "company_state": "State/Region", "company_linkedin_url": "LinkedIn Company Page",
         "source_record_id": "Record ID", "num_employees": "Number of Employees"},
    ),
    (
        "Record ID,First Name,Last Name,Email,Phone Number,Lead Status,Associated Company,Country/Region",
        "people", "hubspot",
        {"company": "Associated Company", "country": "Country/Region", "source_record_id": "Record ID"},
    ),
    (
        PHANTOMBUSTER, "people", "sales_navigator",
        {"full_name": "fullName", "company": "companyName", "linkedin_url": "linkedInProfileUrl", "website": None,
         "company_linkedin_url": "regularCompanyUrl", "source_record_id": "vmid"},
    ),
    (
        "First Name,Last Name,URL,Email Address,Company,Position,Connected On", "people", "linkedin",
        {"linkedin_url": "URL", "title": "Position", "email": "Email Address", "website": None},
    ),
    (
        "First Name,Last Name,Full Name,Company Domain,LinkedIn Profile", "people", "clay",
        {"website": "Company Domain", "linkedin_url": "LinkedIn Profile", "company": None},
    ),
    (
        "Rank,Company,Industry,City,State,Zip Code,Website,Employees,Revenue (rounded),CEO", "companies", "plain",
        {"company_postal_code": "Zip Code", "num_employees": "Employees", "company_city": "City"},
    ),
    (
        "company_name_id,company_name,url,year_founded,city,state,country,full_time_employees,company_category",
        "companies", "plain",
        {"website": "url", "founded_year": "year_founded", "num_employees": "full_time_employees",
         "source_record_id": "company_name_id"},
    ),
    (
        "id,name,brewery_type,address_1,address_2,city,state_province,postal_code,country,phone,website_url",
        "companies", "plain",
        {"company": "name", "company_street": "address_1", "company_state": "state_province",
         "source_record_id": "id", "website": "website_url"},
    ),
    (
        "Company,Website,Signal Type,Strength,Occurred At,External Id,Source", "signals", "plain",
        {"signal_type": "Signal Type", "occurred_at": "Occurred At", "external_id": "External Id",
         "source_system": "Source"},
    ),
    (
        "Name,Company,Email", "people", "plain", {"full_name": "Name", "company": "Company", "email": "Email"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("header", "kind", "source", "expected"), CASES)
def test_known_exports(header: str, kind: str, source: str, expected: dict[str, str | None]) -> None:
    names = header.split(",")
    assert guess_kind(names) == kind
    found = map_columns(names, kind)
    assert found.source == source
    first = {field: columns[0] for field, columns in found.to_dict()["columns"].items()}
    assert {field: first.get(field) for field in expected} == expected


@pytest.mark.parametrize("style", [str.upper, str.lower, lambda name: name.replace(" ", "_"), lambda name: f" {name} "])
def test_the_way_names_are_written_does_not_matter(style) -> None:
    for header, kind, _, _ in CASES:
        names = header.split(",")
        assert map_columns([style(name) for name in names], kind).columns == map_columns(names, kind).columns


def test_several_columns_of_one_meaning_all_count_the_best_first() -> None:
    found = map_columns(["Company Domain Name", "Company name", "Website URL", "Company name (2)"], "companies")
    assert found.columns["website"] == (2, 0)
    assert found.columns["company"] == (1, 3)
    assert found.unused == []


def test_vague_names_count_only_without_better_ones() -> None:
    assert map_columns(["Name", "Company", "City", "Company City"], "companies").unused == ["Name", "City"]


def test_a_column_feeds_one_field_and_the_rest_is_unused() -> None:
    for header, kind, _, _ in CASES:
        names = header.split(",")
        found = map_columns(names, kind)
        used = [index for indexes in found.columns.values() for index in indexes]
        assert len(set(used)) == len(used)
        assert sorted([names[index] for index in used] + found.unused) == sorted(names)


@pytest.mark.parametrize(
    ("header", "kind", "message"),
    [
        (["Website", "City"], "companies", "company name.*'Website', 'City'.*organization"),
        (["Title", "Company"], "people", "name or e-mail"),
        (["First Name", "Email"], "people", "company"),
        (["Company", "Strength"], "signals", "signal's type"),
        (["Signal Type", "Strength"], "signals", "Barton ID"),
        (["Company"], "leads", "not a kind"),
    ],
)
def test_what_is_missing_is_said(header: list[str], kind: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        map_columns(header, kind)


def test_every_field_of_the_configuration_is_a_column_of_its_table() -> None:
    files = sorted((PROJECT / "sql" / "migrations").glob("*[a-z].sql"))
    schema = "\n".join(file.read_text(encoding="utf-8") for file in files if not file.name.endswith(".down.sql"))
    configuration = yaml.safe_load(
        (PROJECT / "barton_pipeline" / "intake" / "columns.yaml").read_text(encoding="utf-8")
    )
    tables = {"companies": "company", "people": "people", "signals": "signals", "outcomes": "outcomes"}
    assert set(configuration["kinds"]) == set(tables) == set(mapping.KINDS)
    for kind, fields in configuration["kinds"].items():
        body = schema.split(f"intake.{tables[kind]}_raw_intake (")[1].split("\n);")[0]
        columns = {line.split()[0] for line in body.splitlines() if line.strip()}
        columns |= set(
            re.findall(rf"ALTER TABLE intake.{tables[kind]}_raw_intake ADD COLUMN IF NOT EXISTS (\w+)", schema)
        )
        assert set(fields) <= columns
    for source in configuration["sources"].values():
        for kind, fields in source.get("columns", {}).items():
            assert set(fields) <= set(configuration["kinds"][kind])


def test_no_name_stands_for_two_fields_at_the_same_rank() -> None:
    configuration = yaml.safe_load(
        (PROJECT / "barton_pipeline" / "intake" / "columns.yaml").read_text(encoding="utf-8")
    )
    for kind, fields in configuration["kinds"].items():
        for rank in ("names", "fallback"):
            keys = [name_key(name) for entry in fields.values() for name in entry.get(rank, [])]
            assert sorted(set(keys)) == sorted(keys), (kind, rank)


@given(st.lists(st.text(max_size=20), max_size=10))
def test_any_header_maps_or_says_why_not(header: list[str]) -> None:
    recognise_source(header)
    found = map_columns([*header, "Company"], "companies")
    assert found.columns["company"]
    try:
        map_columns(header, guess_kind(header))
    except InputError as error:
        assert "needs" in str(error)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here (BARTON_TEST_DATA)")
def test_the_real_files_map() -> None:
    kinds = {}
    files = [*DATA.glob("export_headers/*.csv"), *DATA.glob("openbrewery/*.csv"), *DATA.glob("*500*.csv")]
    for path in [*files, DATA / "wv_companies.csv"]:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file))
        kinds[path.name] = guess_kind(header)
        found = map_columns(header, kinds[path.name])
        if path.parent.name == "export_headers":
            assert found.source != "plain", path.name
    assert {name for name, kind in kinds.items() if kind == "people"} == {
        "apollo_contacts_header.csv",
        "apollo_contacts_header_from_app_source.csv",
        "apollo_people_header_variant_newer.csv",
        "hubspot_contacts_fixture_a.csv",
        "hubspot_contacts_fixture_b.csv",
        "linkedin_connections_header.csv",
        "phantombuster_salesnavigator_header.csv",
    }
    assert len(kinds) >= 15


def test_a_given_column_feeds_its_field_and_no_other() -> None:
    header = ["Company", "Firma", "Website", "Homepage", "Website (2)"]
    assert map_columns(header, "companies").columns == {"company": (0,), "website": (2, 4, 3)}
    found = map_columns(header, "companies", {"company": "Firma", "industry": "website"})
    assert found.columns == {"company": (1,), "website": (4, 3), "industry": (2,)}
    assert found.unused == ["Company"]


def test_a_field_may_be_given_no_column() -> None:
    found = map_columns(["Company", "Industry"], "companies", {"industry": ""})
    assert found.columns == {"company": (0,)} and found.unused == ["Industry"]
    with pytest.raises(InputError, match="No column for a company name"):
        map_columns(["Company", "Website"], "companies", {"company": ""})


def test_a_vaguer_name_is_tried_when_the_first_one_is_given_away() -> None:
    header = ["Account", "Name"]
    assert map_columns(header, "companies").columns == {"company": (0,)}
    assert map_columns(header, "companies", {"industry": "Account"}).columns == {"company": (1,), "industry": (0,)}


def test_a_given_column_makes_up_for_a_missing_name() -> None:
    with pytest.raises(InputError, match="No column for a company name"):
        map_columns(["Firma"], "companies")
    assert map_columns(["Firma"], "companies", {"company": "FIRMA "}).columns == {"company": (0,)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"compnay": "Firma"}, "'compnay' is not a field of companies; they are: company,"),
        ({"company": "Firm"}, "The file has no column 'Firm'. Its columns are 'Firma', 'Web', 'web '"),
        ({"website": "WEB"}, "The file has several columns 'WEB'"),
        ({"company": "Firma", "industry": "Firma"}, "Column 'Firma' is given to two fields"),
    ],
)
def test_what_cannot_be_given_is_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        map_columns(["Firma", "Web", "web "], "companies", given)
