"""People's names as files hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.intake import names

JANE = [
    "Jane Doe",
    "Doe, Jane",
    "Doe,Jane",
    "Dr. Jane Doe",
    "Doe, Dr. Jane",
    "Ms. Jane Doe",
    "Frau Prof. Dr. Jane Doe",
    "Jane Doe, PhD",
    "Jane Doe, MBA, CPA",
    "Jane Doe MBA",
    "Jane Doe MA",
    "Jane Doe, M.A.",
    "Jane Doe, SHRM-SCP",
    "Doe, Jane, CPA",
    "Jane Doe (she/her)",
    "Jane Doe she/her/hers",
    "Jane Doe (She/Her)",
    "Jane Doe (she, they)",
    "Jane Doe [Sie/Ihr]",
    'Jane "JD" Doe',
    "Jane (JD) Doe",
    "Jane Doe | CEO at Acme",
    "Jane Doe - Acme",
    "Jane&nbsp;Doe",
    "\u200bJane  Doe ",
    "Jane Doe, HR Director",
]


@pytest.mark.parametrize("written", JANE)
def test_one_person_however_she_is_written(written: str) -> None:
    assert names.read(written) == names.Name("Jane", "Doe", "Jane Doe")


@pytest.mark.parametrize(
    ("written", "first", "last", "plain", "generation"),
    [
        ("Jack Ma", "Jack", "Ma", "Jack Ma", ""),
        ("Ma, Jack", "Jack", "Ma", "Jack Ma", ""),
        ("Mary Jo Ma", "Mary", "Ma", "Mary Jo Ma", ""),
        ("Mary Jo Ma, CFA", "Mary", "Ma", "Mary Jo Ma", ""),
        ("Kim Ba", "Kim", "Ba", "Kim Ba", ""),
        ("Jon Pe", "Jon", "Pe", "Jon Pe", ""),
        ("Amy Do", "Amy", "Do", "Amy Do", ""),
        ("Ed Ng", "Ed", "Ng", "Ed Ng", ""),
        ("Li Na", "Li", "Na", "Li Na", ""),
        ("Jo Null", "Jo", "Null", "Jo Null", ""),
        ("John Smith Jr.", "John", "Smith", "John Smith", "jr"),
        ("Smith Jr., John", "John", "Smith", "John Smith", "jr"),
        ("Smith, John, Jr.", "John", "Smith", "John Smith", "jr"),
        ("John Smith, Sr", "John", "Smith", "John Smith", "sr"),
        ("John Smith Jnr", "John", "Smith", "John Smith", "jr"),
        ("John Smith, Snr.", "John", "Smith", "John Smith", "sr"),
        ("John Smith 3rd", "John", "Smith", "John Smith", "iii"),
        ("João Silva Júnior", "João", "Silva", "João Silva", "jr"),
        ("jane smith/jones", "jane", "smith/jones", "jane smith/jones", ""),
        ("John Smith III, Esq.", "John", "Smith", "John Smith", "iii"),
        ("Ludwig van der Berg", "Ludwig", "van der Berg", "Ludwig van der Berg", ""),
        ("van der Berg, Ludwig", "Ludwig", "van der Berg", "Ludwig van der Berg", ""),
        ("J. Robert Oppenheimer", "Robert", "Oppenheimer", "J. Robert Oppenheimer", ""),
        ("J. Doe", "J.", "Doe", "J. Doe", ""),
        ("Sean O&#39;Brien", "Sean", "O'Brien", "Sean O'Brien", ""),
        ("Judge Reinhold", "Judge", "Reinhold", "Judge Reinhold", ""),
        ("Cher", "Cher", "", "Cher", ""),
        ("Mr Doe", "Doe", "", "Doe", ""),
        ("王小明", "王小明", "", "王小明", ""),
        ("Dipl.-Kfm. Hans Meier", "Hans", "Meier", "Hans Meier", ""),
        ("JUDr. Jan Novák", "Jan", "Novák", "Jan Novák", ""),
    ],
)
def test_names(written: str, first: str, last: str, plain: str, generation: str) -> None:
    assert names.read(written) == names.Name(first, last, plain, generation)


@pytest.mark.parametrize(
    "written",
    ["", " ", "N/A", "n.a.", "-", "--", "???", "Unknown", "UNKNOWN", "unknown unknown", "null", "NULL NULL", "None", "Test", "Test Test", "First Last",
     "Vacant", "TBD", "To be hired", "Open Position", "HR", "info", "LinkedIn Member", "jane@acme.com", "12345", "Dr.", "Ms. Test", "(none)", "#N/A", "nan nan",
     "General Manager", "Accounts Payable", "Customer Service", "Sales Department", "Sales Team", "Managing Director", "Business Owner", "Store Manager",
     "Current Occupant", "FNU LNU", "HR Department", "Office Manager"],
)  # fmt: skip
def test_nobody(written: str) -> None:
    assert names.read(written) == names.Name()


WORDS = st.sampled_from(
    [
        "Jane",
        "Doe",
        "Ma",
        "Dr.",
        "PhD",
        "van",
        "Jr.",
        ",",
        "(she/her)",
        "-",
        "|",
        "O'Brien",
        "Müller",
        "李",
        "N/A",
        "MBA",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=7).map(" ".join)))
def test_every_text_can_be_read_and_what_is_read_stays(written: str) -> None:
    name = names.read(written)
    assert bool(name.plain) == bool(name.first)
    assert not (name.last and name.last.split()[-1] not in name.plain)
