"""One file of contacts is enough: whole loads of files with the columns that each tool exports."""

import csv
from collections.abc import Callable
from typing import Any

import pytest

from barton_pipeline.intake.loading import LoadReport, read_file
from barton_pipeline.postgres.connection import transaction
from barton_pipeline_tests.builders import run_stages

# first name, last name, title, company, domain
PEOPLE = [
    ("Ada", "Roe", "Chief Executive Officer", "Acme Works", "acmeworks.com"),
    ("Bob", "Poe", "CFO", "Acme Works", "acmeworks.com"),
    ("Cyd", "Noe", "HR Director", "Globex", "globex.org"),
]
Cells = Callable[[str, str, str, str, str], dict[str, str]]

EXPORTS: dict[str, Cells] = {
    "apollo": lambda first, last, title, company, domain: {
        "First Name": first, "Last Name": last, "Title": title, "Company": company, "Company Name for Emails": company,
        "Email": f"{first}@{domain}", "Email Status": "Verified", "Seniority": "C suite", "Departments": "", "Home Phone": "",
        "Corporate Phone": "'+1 330-555-0101", "# Employees": "120", "Industry": "construction", "Person Linkedin Url": "",
        "Website": f"http://www.{domain}", "Company Linkedin Url": "", "City": "Bonn", "Country": "Germany", "Company City": "Akron",
        "Company State": "Ohio", "Company Country": "United States", "Apollo Contact Id": first, "Apollo Account Id": company,
    },
    "apollo_newer": lambda first, last, title, company, domain: {
        "First Name": first, "Last Name": last, "Title": title, "Company Name": company, "Company Name for Emails": company,
        "Email": f"{first}@{domain}", "Mobile Phone": "", "Corporate Phone": "", "Keywords": "", "Person Linkedin Url": "",
        "Website": f"http://www.{domain}", "Company Linkedin Url": "", "Company Address": "", "Company City": "Akron",
    },
    "clay": lambda first, last, title, company, domain: {
        "Company Table Data": company, "First Name": first, "Last Name": last, "Full Name": f"{first} {last}", "Job Title": title,
        "Location": "Bonn", "Company Domain": domain, "LinkedIn Profile": f"https://www.linkedin.com/in/{first}{last}",
    },
    "hubspot": lambda first, last, title, company, domain: {
        "Record ID": first, "First Name": first, "Last Name": last, "Job Title": title, "Email": f"{first}@{domain}",
        "Phone Number": "", "Contact owner": "Kim", "Lifecycle Stage": "Lead", "Company name": company, "Website URL": domain,
    },
    "sales_navigator": lambda first, last, title, company, domain: {
        "profileUrl": "", "fullName": f"{first} {last}", "firstName": first, "lastName": last, "companyName": company, "title": title,
        "companyId": "1", "regularCompanyUrl": f"https://www.linkedin.com/company/{company[:4]}", "companyLocation": "Akron, Ohio",
        "location": "Bonn", "companyWebsite": f"https://{domain}", "vmid": first,
    },
    "google": lambda first, last, title, company, domain: {
        "First Name": first, "Middle Name": "", "Last Name": last, "Organization Name": company, "Organization Title": title,
        "Labels": "* myContacts", "E-mail 1 - Label": "* Work", "E-mail 1 - Value": f"{first}@{domain}",
        "Website 1 - Label": "Work", "Website 1 - Value": f"https://{domain}",
    },
    "outlook": lambda first, last, title, company, domain: {
        "Title": "Mr.", "First Name": first, "Last Name": last, "Company": company, "Job Title": title, "Business Street": "1 Main St",
        "Business City": "Akron", "Business State": "OH", "Business Postal Code": "44301", "Business Phone": "",
        "E-mail Address": f"{first}@{domain}", "Web Page": f"http://{domain}",
    },
    "zoominfo": lambda first, last, title, company, domain: {
        "ZoomInfo Contact ID": first, "Last Name": last, "First Name": first, "Salutation": "", "Job Title": title,
        "Management Level": "C-Level", "Email Address": f"{first}@{domain}", "ZoomInfo Company ID": company, "Company Name": company,
        "Website": domain, "Founded Year": "1999", "Company HQ Phone": "(330) 555-0101", "Employees": "120", "Company City": "Akron",
    },
    "chamber_of_commerce": lambda first, last, title, company, domain: {
        "Business Name": company, "Contact Name": f"{first} {last}", "Contact Title": title, "Address": "1 Main St", "City": "Akron",
        "State": "OH", "Zip": "44301", "Phone": "330-555-0101", "Website": domain,
    },
}  # fmt: skip
# What a file says of the town is the person's where it does not say whose it is.
WITHOUT_TOWN = {"clay", "google", "hubspot", "sales_navigator"}


def load(db: Any, path: Any, rows: list[dict[str, str]]) -> LoadReport:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with transaction(db.url) as connection:
        return read_file(connection, path, batch="B1")


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_of_contacts_brings_companies_slots_and_people(db: Any, tmp_path: Any, export: str) -> None:
    report = load(db, tmp_path / "contacts.csv", [EXPORTS[export](*person) for person in PEOPLE])
    assert (report.kind, report.loaded, report.rejected, report.companies) == ("people", 3, 0, 2)
    assert any("describes companies too" in note for note in report.notes)
    run_stages("B1")
    town = None if export in WITHOUT_TOWN else "Akron"
    assert db.query("SELECT company_name, domain, city FROM marketing.company_master ORDER BY 1") == [
        ("Acme Works", "acmeworks.com", town),
        ("Globex", "globex.org", town),
    ]
    assert db.query(
        """SELECT c.company_name, s.slot_type, p.full_name FROM marketing.company_slots s
           JOIN marketing.company_master c USING (company_unique_id) JOIN marketing.people_master p USING (person_unique_id)
           ORDER BY 1, 2"""
    ) == [("Acme Works", "CEO", "Ada Roe"), ("Acme Works", "CFO", "Bob Poe"), ("Globex", "HR", "Cyd Noe")]


def test_contacts_without_their_companies_websites_wait_and_the_load_says_why(db: Any, tmp_path: Any) -> None:
    rows = [
        {"First Name": first, "Last Name": last, "URL": "", "Email Address": "", "Company": company, "Position": title,
         "Connected On": "12 Mar 2024"}
        for first, last, title, company, _ in PEOPLE
    ]  # fmt: skip
    report = load(db, tmp_path / "Connections.csv", rows)
    assert (report.loaded, report.companies) == (3, 0)
    assert any(
        "no columns of the companies' names and websites" in note and "barton status" in note for note in report.notes
    )
    run_stages("B1")
    assert db.value("SELECT count(*) FROM intake.people_raw_intake WHERE outcome = 'company_unknown'") == 3
