"""Guessing addresses: spellings, learning, ranking; how often the first guess is right after so many examples."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline import email_patterns
from barton_pipeline.email_checks import check_address
from barton_pipeline.email_patterns import Example, guesses, learn, matching_patterns, spellings

PATTERNS = list(email_patterns._rules()["patterns"])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Müller", ("mueller", "muller")),
        ("Søren", ("soren", "soeren")),
        ("O'Brien", ("obrien",)),
        ("van der Berg", ("vanderberg", "berg")),
        ("Smith-Jones", ("smithjones", "smith")),
        ("Smith, PharmD", ("smith",)),
        ("Núñez", ("nunez",)),
        ("Groß", ("gross",)),
        ("Smith Jr.", ("smith",)),
        ("李", ()),
        ("", ()),
    ],
)
def test_names_as_mail_systems_write_them(name: str, written: tuple[str, ...]) -> None:
    assert spellings(name) == written


def test_a_known_address_names_its_patterns() -> None:
    assert matching_patterns("jane.doe", "Jane", "Doe") == ["{first}.{last}"]
    assert matching_patterns("jdoe", "Jane", "Doe") == ["{f}{last}"]
    assert matching_patterns("sales", "Jane", "Doe") == []
    assert set(matching_patterns("jdoe", "J", "Doe")) == {"{f}{last}", "{first}{last}"}, "a short name is ambiguous"


def test_evidence_beats_the_prior_and_failures_count_against_a_pattern() -> None:
    nothing = learn([])
    assert guesses("Jane", "Doe", "acme.com", nothing, 1)[0].email == "jane.doe@acme.com"
    known = learn([Example("Al", "Bo", "al_bo@acme.com", "valid"), Example("Cy", "Do", "cy_do@acme.com", "valid")])
    assert guesses("Jane", "Doe", "acme.com", known, 1)[0].email == "jane_doe@acme.com"
    failed = learn([Example("Al", "Bo", "al.bo@acme.com", "invalid")])
    assert guesses("Jane", "Doe", "acme.com", failed, 1)[0].email == "jdoe@acme.com"
    assert learn([Example("Al", "Bo", "al_bo@acme.com", "risky")]) == nothing, "a catch-all domain proves nothing"


def test_excluded_addresses_are_not_guessed_again() -> None:
    found = guesses("Jane", "Doe", "acme.com", learn([]), 3, exclude=["JANE.DOE@acme.com"])
    assert [guess.email for guess in found] == ["jdoe@acme.com", "jane@acme.com", "janedoe@acme.com"]


@given(first=st.text(max_size=20), last=st.text(max_size=20))
def test_every_guess_is_a_well_formed_address_once(first: str, last: str) -> None:
    found = guesses(first, last, "acme.com", learn([]), 100)
    assert len({guess.email for guess in found}) == len(found)
    assert [guess.probability for guess in found] == sorted((guess.probability for guess in found), reverse=True)
    for guess in found:
        assert 0 < guess.probability <= 1
        assert check_address(guess.email).reason != "syntax", guess.email


def test_the_first_guess_gets_better_with_each_example() -> None:
    chance = random.Random(7)
    firsts = ["Anna", "Bernd", "Clara", "Jürgen", "Eve", "Femke", "Gus", "Hal", "Ida", "Jo"]
    lasts = ["Adler", "van Dyk", "Cole", "Drake", "Evans", "Falk", "O'Hara", "Hill", "Ives", "Jung"]
    weights = email_patterns._rules()["patterns"]
    right = {0: 0, 1: 0, 2: 0, 3: 0}
    companies = 300
    for _ in range(companies):
        pattern = chance.choices(PATTERNS, [weights[p] for p in PATTERNS])[0]
        people = chance.sample([(f, last) for f in firsts for last in lasts], 4)

        def address(person: tuple[str, str], pattern: str = pattern) -> str:
            return next(email_patterns._locals(pattern, *person)) + "@acme.com"

        for n in right:
            known = learn([Example(*person, address(person), "valid") for person in people[1 : n + 1]])
            right[n] += guesses(*people[0], "acme.com", known, 1)[0].email == address(people[0])
    share = {n: hits / companies for n, hits in right.items()}
    assert share[0] < 0.5 < 0.85 < share[1] <= share[2] <= share[3]
    assert share[3] > 0.97
