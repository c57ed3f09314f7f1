"""Titles to slots, on a labelled set written by hand and on real titles."""

import csv
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.titles import classify, minimum_confidence

LABELLED = Path(__file__).parent / "data" / "titles_labelled.csv"


def filled(title: str) -> str | None:
    match = classify(title)
    return match.slot if match.confidence >= minimum_confidence() else None


def test_precision_and_recall_on_the_labelled_set() -> None:
    with LABELLED.open(encoding="utf-8", newline="") as stream:
        rows = [(row["title"], row["slot"] or None) for row in csv.DictReader(stream)]
    assert len(rows) >= 200
    for slot, least_precision in (("CEO", 0.98), ("CFO", 0.95), ("HR", 0.95)):
        found = {title for title, _ in rows if filled(title) == slot}
        true = {title for title, label in rows if label == slot}
        precision, recall = len(found & true) / len(found), len(found & true) / len(true)
        print(f"{slot}: precision {precision:.3f}, recall {recall:.3f} of {len(true)}")
        assert precision >= least_precision, sorted(found - true)
        assert recall >= 0.9, sorted(true - found)


@given(
    st.sampled_from(["CEO", "Vice President", "HR Director", "Former CFO", "Directeur Général"]),
    st.sampled_from(["", " ", "...", " -", "\u00a0"]),
)
def test_case_blanks_and_punctuation_do_not_matter(title: str, noise: str) -> None:
    assert classify(noise + title.upper() + noise) == classify(title.lower()) == classify(title.replace(" ", "  "))


@given(st.text(max_size=400) | st.none())
def test_never_raises(title: str | None) -> None:
    match = classify(title)
    assert 0 <= match.confidence <= 1 and match.rule
    assert (match.slot is None) == (match.confidence == 0)


def test_marketing_and_sales_titles_are_no_chief_executives(data_dir: Path) -> None:
    heads = ("owner", "founder", "president", "managing", "ceo", "chief executive", "general", "principal", "gesch", "inhaber",
             "gérant", "propriet", "executive director", "gründer")  # fmt: skip
    wrong = []
    with (data_dir / "job_titles" / "department-v2.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if (
                row["label"] in ("Marketing", "Sales")
                and filled(row["text"]) == "CEO"
                and not any(h in row["text"].lower() for h in heads)
            ):
                wrong.append(row["text"])
    assert wrong == []
