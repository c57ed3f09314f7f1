"""``python -m benchmarks.titles [FOLDER]``: how well titles are read, per slot, and how fast.

On our hand-labelled titles: precision and recall of each slot. With FOLDER (seniority-v2.csv and department-v2.csv: text, label;
real titles labelled by others): how often what fills a slot has a label that fits, and examples that do not, to look at.
"""

import csv
import sys
import time
from collections import Counter
from pathlib import Path

from barton_pipeline.contacts.titles import classify, minimum_confidence
from benchmarks.system import PROJECT

LABELLED = PROJECT / "barton_pipeline_tests" / "data" / "titles_labelled.csv"
# which labels of the other authors agree with a slot
FITTING = {
    "seniority-v2.csv": {"CEO": {"Management", "Director"}},
    "department-v2.csv": {"HR": {"Human Resources"}},
}


def slot_of(title: str) -> str | None:
    """The slot the title fills."""
    match = classify(title)
    return match.slot if match.confidence >= minimum_confidence() else None


def rows(path: Path, label: str) -> list[tuple[str, str]]:
    """(title, label) of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["title" if "title" in row else "text"], row[label]) for row in csv.DictReader(stream)]


def main() -> None:
    """Print the report."""
    labelled = rows(LABELLED, "slot")
    print(f"{len(labelled)} hand-labelled titles")
    for slot in ("CEO", "CFO", "HR"):
        found = {title for title, _ in labelled if slot_of(title) == slot}
        true = {title for title, label in labelled if label == slot}
        print(
            f"  {slot}: precision {len(found & true) / len(found):.3f}, recall {len(found & true) / len(true):.3f} of {len(true)}"
        )
    for folder in map(Path, sys.argv[1:]):
        for name, fitting in FITTING.items():
            _against_others(folder / name, fitting)


def _against_others(path: Path, fitting: dict[str, set[str]]) -> None:
    titles = rows(path, "label")
    started = time.monotonic()
    slots = [(title, label, slot_of(title)) for title, label in titles]
    per_second = len(titles) / (time.monotonic() - started)
    print(f"{path.name}: {len(titles):,} titles, {per_second:,.0f} a second")
    for slot, labels in fitting.items():
        agree = Counter(label in labels for _, label, found in slots if found == slot)
        others = Counter(label for _, label, found in slots if found == slot and label not in labels)
        missed = sum(label in labels and found is None for _, label, found in slots)
        total = sum(agree.values()) or 1
        print(
            f"  {slot}: {agree[True]} of {total} have a label that fits ({agree[True] / total:.1%}); others {others.most_common(4)}"
        )
        examples = [title for title, label, found in slots if found == slot and label not in labels][:8]
        print(f"       for example {examples}; {missed} titles with such a label fill no slot")


if __name__ == "__main__":
    main()
