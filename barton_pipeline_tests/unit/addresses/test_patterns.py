"""Guessing addresses: spellings, learning, ranking; how often the first guess is right after so many examples."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barton_pipeline.addresses import patterns
from barton_pipeline.addresses.checks import check_address
from barton_pipeline.addresses.patterns import (
    OTHER,
    DomainPatterns,
    Example,
    guess_addresses,
    learn,
    match_patterns,
    spell_name,
)
from barton_pipeline.intake import names

RULES = patterns.rules()
PATTERNS = list(RULES.patterns)
NOTHING = learn([])

NAMES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["Jürgen", "Robert", "Bob", "J.", "Jean-Luc", "van der Berg", "O'Hara", "Smith-Jones", "Li", "Doe", "李", "Al"]
    ),
)
PEOPLE = st.tuples(NAMES, NAMES)
LOCALS = st.sampled_from(["jdoe", "jane.doe", "al.li", "li", "bob", "j.doe", "rdoe", "jdoe2", "info", "x9"])
EXAMPLES = st.lists(
    st.builds(
        lambda person, local, status: Example(person[0], person[1], f"{local}@acme.com", status),
        st.one_of(PEOPLE, st.sampled_from([("Jane", "Doe"), ("Al", "Li"), ("Robert", "Doe")])),
        LOCALS,
        st.sampled_from(["valid", "invalid", "risky", "unknown"]),
    ),
    max_size=8,
)


def emails(first: str, last: str, learned: DomainPatterns = NOTHING, limit: int = 100, **more) -> list[str]:
    return [guess.email for guess in guess_addresses(first, last, "acme.com", learned, limit, **more)]


def address(pattern: str, person: tuple[str, str]) -> str:
    """What a company with this pattern gives the person: the likeliest spelling."""
    made = patterns._make_locals(pattern, *person)
    return max(made, key=lambda local: made[local]) + "@acme.com"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Müller", ["mueller", "muller"]),
        ("Søren", ["soren", "soeren"]),
        ("Åberg", ["aberg", "aaberg"]),
        ("Groß", ["gross"]),
        ("Núñez", ["nunez"]),
        ("O'Brien", ["obrien"]),
        ("O’Brien", ["obrien"]),
        ("van der Berg", ["vanderberg", "berg"]),
        ("de la Cruz", ["delacruz", "cruz"]),
        ("Smith-Jones", ["smithjones", "smith-jones", "smith"]),
        ("García Márquez", ["garciamarquez", "garcia", "marquez"]),
        ("Smith, PharmD", ["smith"]),
        ("Smith Jr.", ["smith"]),
        ("Smith III, Ph.D.", ["smith"]),
        ("Van", ["van"]),
        ("Jr.", []),
        ("李", []),
        ("Иванов", []),
        ("Smith李", []),
        ("R2D2", []),
        ("", []),
    ],
)
def test_last_names_as_mail_systems_write_them(name: str, written: list[str]) -> None:
    assert list(spell_name(name)) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Jane", ["jane"]),
        ("Jane Q.", ["jane"]),
        ("J. Robert", ["robert", "bob", "rob"]),
        ("Mary Ann", ["mary", "maryann"]),
        ("Dr. Jane", ["jane"]),
        ("Bob", ["bob", "robert"]),
        ("William (Bill)", ["william", "bill", "will"]),
        ("Jean-Luc", ["jeanluc", "jean-luc", "jean"]),
        ("JD", ["jd"]),
        ("Van", ["van"]),
        ("Dr.", []),
        ("伟", []),
    ],
)
def test_first_names_as_mail_systems_write_them(name: str, written: list[str]) -> None:
    assert list(spell_name(name, given=True)) == written


@given(full=st.text(max_size=40))
def test_any_text_can_be_read_and_spelt(full: str) -> None:
    name = names.read(full)
    for part in (name.first, name.last):
        for is_given in (True, False):
            shares = spell_name(part, is_given)
            assert not shares or sum(shares.values()) == pytest.approx(1)
            assert all(patterns._WRITTEN.fullmatch(text) for text in shares)


def test_the_prior_is_a_distribution() -> None:
    assert sum(RULES.patterns.values()) + RULES.other == pytest.approx(1)
    assert list(RULES.patterns.values()) == sorted(RULES.patterns.values(), reverse=True)


def test_a_known_address_names_its_patterns() -> None:
    assert match_patterns("jane.doe", "Jane", "Doe") == ["{first}.{last}"]
    assert match_patterns("JDoe", "Jane", "Doe") == ["{f}{last}"]
    assert match_patterns("jdoe2", "Jane", "Doe") == ["{f}{last}"], "the second J. Doe"
    assert match_patterns("jdoe+news", "Jane", "Doe") == ["{f}{last}"]
    assert match_patterns("bob.doe", "Robert", "Doe") == ["{first}.{last}"]
    assert match_patterns("sales", "Jane", "Doe") == []
    assert match_patterns("wei", "Wei", "李") == []


def test_short_and_equal_names_are_explained_by_several_patterns() -> None:
    assert set(match_patterns("jdoe", "J", "Doe")) == {"{f}{last}", "{first}{last}"}
    assert set(match_patterns("martin", "Martin", "Martin")) == {"{first}", "{last}"}
    assert set(match_patterns("martin.martin", "Martin", "Martin")) == {"{first}.{last}", "{last}.{first}"}


@given(person=PEOPLE, pattern=st.sampled_from(PATTERNS))
def test_what_a_pattern_makes_it_explains(person: tuple[str, str], pattern: str) -> None:
    if patterns._can_be_written(*person):
        for local in patterns._make_locals(pattern, *person):
            assert pattern in match_patterns(local, *person)


def test_an_ambiguous_address_is_shared_by_the_prior() -> None:
    """A one-letter name is rarely whole: j.doe speaks rather for {f}.{last}, though {first}.{last} is likelier by itself."""
    plain = learn([Example("Jane", "Doe", "jdoe@acme.com", "valid")])
    initial = learn([Example("J", "Doe", "jdoe@acme.com", "valid")])
    assert plain.weights["{f}{last}"] > initial.weights["{f}{last}"] > 10 * initial.weights["{first}{last}"]
    assert initial.weights["{first}{last}"] > plain.weights["{first}{last}"]
    same = learn([Example("Martin", "Martin", "martin@acme.com", "valid")])
    assert same.weights["{first}"] / same.weights["{last}"] == pytest.approx(0.12 / 0.02)


def test_an_initial_is_not_taken_for_a_name() -> None:
    """Of a J. Doe we do not know what stands before the point in {first}.{last}."""
    assert emails("J.", "Doe")[0] == "jdoe@acme.com"
    by_email = {guess.email: guess for guess in guess_addresses("J.", "Doe", "acme.com", NOTHING, 100)}
    assert (
        by_email["j.doe@acme.com"].probability
        < 0.1
        < 0.3
        < guess_addresses("Jane", "Doe", "acme.com", NOTHING, 1)[0].probability
    )


def test_evidence_beats_the_prior_and_failures_count_against_a_pattern() -> None:
    assert emails("Jane", "Doe")[0] == "jane.doe@acme.com"
    known = learn([Example("Al", "Bo", "al_bo@acme.com", "valid")])
    first = guess_addresses("Jane", "Doe", "acme.com", known, 1)[0]
    assert (first.email, first.pattern, first.evidence) == ("jane_doe@acme.com", "{first}_{last}", 1)
    failed = learn([Example("Al", "Bo", "al.bo@acme.com", "invalid")])
    assert emails("Jane", "Doe", failed)[0] == "jdoe@acme.com"
    assert failed.invalid == {"{first}.{last}": 1}


def test_catch_all_and_unknown_addresses_prove_nothing() -> None:
    for status in ("risky", "unknown", "unverified"):
        assert learn([Example("Al", "Bo", "al_bo@acme.com", status)]) == NOTHING


def test_role_accounts_say_nothing_of_patterns_but_free_choice_does() -> None:
    assert learn([Example("Al", "Bo", "info@acme.com", "valid")]).weights == NOTHING.weights
    free = learn([Example("Al", "Bo", "bigboss@acme.com", "valid")])
    assert free.weights[OTHER] > 0.5
    assert guess_addresses("Jane", "Doe", "acme.com", free, 1)[0].probability < 0.15


def test_one_failure_does_not_refute_what_ten_addresses_prove() -> None:
    """Somebody may simply have no address: the first of two failures costs a proven pattern little."""
    people = [("Al", f"Bo{letter}") for letter in "abcdefghij"]
    proof = [Example(*person, address("{f}{last}", person), "valid") for person in people]
    failures = [Example("Cy", f"Do{letter}", f"cdo{letter}@acme.com", "invalid") for letter in "ab"]
    before = guess_addresses("Jane", "Doe", "acme.com", learn(proof), 1)[0]
    after = guess_addresses("Jane", "Doe", "acme.com", learn(proof + failures), 1)[0]
    assert before.email == after.email == "jdoe@acme.com"
    assert before.probability > after.probability > 0.75


def test_the_failure_of_a_rare_spelling_costs_a_pattern_less() -> None:
    likely = learn([Example("Al", "Müller", "al.mueller@acme.com", "invalid")])
    rare = learn([Example("Al", "Müller", "al.muller@acme.com", "invalid")])
    assert likely.weights["{first}.{last}"] < rare.weights["{first}.{last}"] < NOTHING.weights["{first}.{last}"]


def test_excluded_known_and_role_addresses_are_not_guessed() -> None:
    assert emails("Jane", "Doe", limit=3, exclude=["JANE.DOE@acme.com"]) == [
        "jdoe@acme.com",
        "jane@acme.com",
        "janedoe@acme.com",
    ]
    # John's guess jdoe@ would verify as valid and reach Jane
    janes = learn([Example("Jane", "Doe", "JDoe@acme.com", "valid")])
    assert "jdoe@acme.com" not in emails("John", "Doe", janes)
    assert "jdoe@acme.com" in emails("John", "Doe")
    assert "ahr@acme.com" in emails("Anna", "Hr")
    assert "hr@acme.com" not in emails("Anna", "Hr")


@pytest.mark.parametrize(
    ("first", "last"), [("伟", "李"), ("Wei", "李"), ("Иван", "Petrov"), ("", ""), ("Dr.", "Jr."), ("😀", "Doe")]
)
def test_names_we_cannot_write_give_no_guess(first: str, last: str) -> None:
    assert emails(first, last) == []


def test_a_domain_that_takes_no_names_gives_no_guess() -> None:
    for domain in ("", "acme", "ac me.com", "mailinator.com"):
        assert guess_addresses("Jane", "Doe", domain, NOTHING, 5) == []
    assert guess_addresses("Jane", "Doe", "Müller.DE", NOTHING, 1)[0].email == "jane.doe@xn--mller-kva.de"


@given(person=PEOPLE, examples=EXAMPLES, limit=st.integers(0, 30))
def test_guesses_are_well_formed_distinct_ranked_and_no_more_than_certain(
    person: tuple[str, str], examples: list[Example], limit: int
) -> None:
    learned = learn(examples)
    assert sum(learned.weights.values()) == pytest.approx(1)
    everything = guess_addresses(*person, "acme.com", learned, 1000)
    found = guess_addresses(*person, "acme.com", learned, limit)
    assert found == everything[:limit]
    assert len({guess.email for guess in everything}) == len(everything)
    assert not {guess.email for guess in everything} & learned.known
    assert sum(guess.probability for guess in everything) <= RULES.has_address + 1e-9
    ranks = [round(guess.probability, 9) for guess in everything]
    assert ranks == sorted(ranks, reverse=True)
    for guess in everything:
        check = check_address(guess.email)
        assert (check.status, check.is_role) == ("unknown", False), guess.email
        assert guess.pattern in match_patterns(guess.email.partition("@")[0], *person)


@given(examples=EXAMPLES, order=st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_examples_matters(examples: list[Example], order: random.Random) -> None:
    shuffled = examples * 2
    order.shuffle(shuffled)
    assert learn(shuffled) == learn(examples)


@given(person=PEOPLE, pattern=st.sampled_from(PATTERNS))
def test_a_valid_address_never_makes_its_patterns_less_likely_nor_an_invalid_one_more(
    person: tuple[str, str], pattern: str
) -> None:
    if not patterns._can_be_written(*person) or not patterns._make_locals(pattern, *person):
        return
    email = address(pattern, person)
    explained = match_patterns(email.partition("@")[0], *person)

    def weight(learned: DomainPatterns) -> float:
        return sum(learned.weights[name] for name in explained)

    assert weight(learn([Example(*person, email, "valid")])) > weight(NOTHING)
    assert weight(learn([Example(*person, email, "invalid")])) < weight(NOTHING)


FIRSTS = ["Anna", "Bernd", "Clara", "Jürgen", "Eve", "Femke", "Robert", "Hal", "Ida", "J.", "Martin", "Jean-Luc"]
LASTS = [
    "Adler",
    "van Dyk",
    "Cole",
    "Drake",
    "Evans",
    "Falk",
    "O'Hara",
    "Smith-Jones",
    "Ives",
    "Jung",
    "Martin",
    "Núñez",
]
SPELT_AS_LISTED = 0.9


def _company(chance: random.Random) -> tuple[tuple[str, str], str, list[Example]]:
    """Somebody, their address, and 1 to 5 colleagues with theirs: one pattern, in one of ten cases in an unusual spelling."""
    pattern = chance.choices(PATTERNS, list(RULES.patterns.values()))[0]
    everybody = chance.sample([(first, last) for first in FIRSTS for last in LASTS], chance.randint(2, 6))

    def given_address(person: tuple[str, str]) -> str:
        made = sorted(patterns._make_locals(pattern, *person))
        return f"{chance.choice(made)}@acme.com" if chance.random() > SPELT_AS_LISTED else address(pattern, person)

    examples = [Example(*person, given_address(person), "valid") for person in everybody[1:]]
    return everybody[0], given_address(everybody[0]), examples


def _right(companies: list[tuple[tuple[str, str], str, list[Example]]], examples: int) -> float:
    """Share of first guesses that are right with that many colleagues known (all, where a company has fewer)."""
    hits = 0
    for person, truth, known in companies:
        found = emails(*person, learn(known[:examples]), limit=1)
        hits += found == [truth]
    return hits / len(companies)


@pytest.mark.parametrize("seed", [1, 2, 3])  # populations; the floors are not luck of one
def test_the_first_guess_gets_better_with_each_example(seed: int) -> None:
    chance = random.Random(seed)
    companies = [_company(chance) for _ in range(200)]
    share = [_right(companies, examples) for examples in range(4)]
    print(f"first guess right after 0, 1, 2, 3 examples: {share}")
    assert share[0] < 0.45 < 0.88 < share[1] <= share[3]
    assert share[3] > 0.92
