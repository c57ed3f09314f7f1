"""Leads, touches and outcomes of an invented software company, made by leadforge (PyPI, MIT), as files that ``barton load`` takes.

A lead's attempt is the moment leadforge observes it: 30 days after it was created. Conversions are recorded as won. Inbound
touches and web sessions become signals, outbound ones do not: they are what the seller did. Opportunities stay out: nearly every
lead has one.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

import pandas as pd

SNAPSHOT_DAYS = 30
SIGNALS = {
    "content_download": "content_download",
    "webinar": "content_download",
    "email": "email_click",
    "call": "linkedin_click",
    "linkedin_message": "linkedin_click",
    "pricing_page": "pricing_page_visit",
    "demo_page": "site_visit",
    "website": "site_visit",
}


def generate(folder: Path, leads: int = 5000, seed: int = 42) -> None:
    """Run leadforge as the issue on PLE names it."""
    subprocess.run(
        [sys.executable, "-c", "from leadforge.cli.main import app; app()", "generate",
         "--recipe", "b2b_saas_procurement_v1", "--seed", str(seed),
         "--n-leads", str(leads), "--difficulty", "intermediate", "--mode", "research_instructor", "--out", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def task_table(folder: Path) -> pd.DataFrame:
    """All leads of leadforge's own task with its columns, planted leaks included."""
    files = sorted((folder / "tasks" / "converted_within_90_days").glob("*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def write_files(folder: Path, target: Path, spread_days: int = 0) -> dict[str, Path]:
    """companies.csv, people.csv, signals.csv, outcomes.csv made of leadforge's tables; {kind: file}.

    leadforge creates all leads within one month. ``spread_days`` moves each account with everything it did back by up to so many
    days (by a hash of its name), so that models can be tested in time order.
    """
    tables = {name: pd.read_parquet(folder / "tables" / f"{name}.parquet") for name in
              ("accounts", "contacts", "leads", "touches", "sessions")}  # fmt: skip
    leads = tables["leads"].astype({"account_id": str, "lead_id": str})
    back = {
        account: pd.Timedelta(days=int(hashlib.md5(account.encode()).hexdigest(), 16) % (spread_days + 1))
        for account in tables["accounts"].account_id.astype(str)
    }
    account_of = dict(zip(leads.lead_id, leads.account_id, strict=True))

    def moments(values: pd.Series, accounts: pd.Series, days: int = 0) -> pd.Series:
        moved = pd.to_datetime(values) + pd.Timedelta(days=days) - accounts.map(back)
        return moved.dt.strftime("%Y-%m-%dT%H:%M:%SZ")

    def website(accounts: pd.Series) -> pd.Series:
        return accounts.astype(str).str.replace("_", "-") + ".com"

    accounts = tables["accounts"]
    companies = pd.DataFrame(
        {
            "Company": accounts.company_name.astype(str),
            "Website": website(accounts.account_id),
            "Industry": accounts.industry.astype(str).str.replace("_", " "),
            "# Employees": accounts.employee_band.astype(str),
            "Company Country": accounts.region.astype(str),
        }
    )
    contacts = tables["contacts"]
    people = pd.DataFrame(
        {
            "Full Name": "Contact " + contacts.contact_id.astype(str).str.removeprefix("cnt_").str.translate(
                str.maketrans("0123456789", "abcdefghij")).str.capitalize(),
            "Title": contacts.job_title.astype(str),
            "Website": website(contacts.account_id),
        }
    )  # fmt: skip

    def signals(table: pd.DataFrame, kind: str, moment: str, number: str) -> pd.DataFrame:
        owner = table.lead_id.astype(str).map(account_of)
        when = moments(table[moment], owner)
        return pd.DataFrame(
            {
                "website": website(owner), "signal type": table[kind].astype(str).map(SIGNALS), "occurred at": when,
                "observed at": when, "source": "crm", "external id": table[number].astype(str),
            }
        )  # fmt: skip

    touches = tables["touches"]
    inbound = touches[touches.touch_direction.astype(str) == "inbound"]
    events = [
        signals(inbound, "touch_type", "touch_timestamp", "touch_id"),
        signals(tables["sessions"], "session_type", "session_timestamp", "session_id"),
    ]
    won = leads[leads.conversion_timestamp.notna()]
    outcomes = [
        pd.DataFrame(
            {
                "website": website(rows.account_id), "outcome type": kind, "lead id": rows.lead_id,
                "occurred at": moments(rows[moment], rows.account_id, days), "source": "crm", "external id": kind + rows.lead_id,
            }
        )
        for rows, kind, moment, days in (
            (leads, "attempt", "lead_created_at", SNAPSHOT_DAYS), (won, "won", "conversion_timestamp", 0),
        )
    ]  # fmt: skip
    made = {"companies": companies, "people": people, "signals": pd.concat(events), "outcomes": pd.concat(outcomes)}
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for kind, table in made.items():
        files[kind] = target / f"{kind}.csv"
        table.to_csv(files[kind], index=False)
    return files
