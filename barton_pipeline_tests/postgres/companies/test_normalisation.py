"""Domains agree with tldextract, an independent reader of the same list; names do not depend on how they are written."""

import tldextract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barton_pipeline.postgres.connection import transaction

ORACLE = tldextract.TLDExtract(suffix_list_urls=(), include_psl_private_domains=True, cache_dir=None)
LABELS = st.sampled_from(["www", "shop", "acme", "a1", "x-y", "bücher", "city", "co", "com", "uk", "github", "io", "kawasaki", "jp", "ck",
                          "de", "k12", "wv", "us", "amazonaws", "s3", "compute", "nosuch", "10", "test"])  # fmt: skip
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def expected_domain(host: str) -> str:
    """tldextract's answer, spelt in Unicode."""
    labels = ORACLE(host).top_domain_under_public_suffix.split(".")
    return ".".join(x[4:].encode().decode("punycode") if x.startswith("xn--") else x for x in labels)


def domains(db, hosts: list[str]) -> dict[str, str]:
    with transaction(db.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT host, domain FROM intake.registrable_domains(%s)", (hosts,))
        return dict(cursor.fetchall())


@RELAXED
@given(names=st.lists(st.lists(LABELS, min_size=1, max_size=5).map(".".join), min_size=1, max_size=40, unique=True))
def test_registrable_domains_agree_with_tldextract(db, names: list[str]) -> None:
    found = domains(db, names)
    expected = {name: expected_domain(name) for name in names}
    assert found == {name: domain for name, domain in expected.items() if domain}


def test_every_rule_of_the_list_agrees_with_tldextract(db) -> None:
    kinds = dict(db.query("SELECT suffix, kind FROM intake.public_suffix"))
    hosts = [prefix + suffix for suffix in kinds for prefix in ("", "a.", "b.a.", "c.b.a.")]
    # below two nested wildcards tldextract reads only the inner one: *.futurecms.at and *.ex.futurecms.at for ex.futurecms.at
    nested = {s for s, kind in kinds.items() if kind == "wildcard" and kinds.get(s.partition(".")[2]) == "wildcard"}
    found = domains(db, hosts)
    wrong = [h for h in hosts if h not in nested and found.get(h, "") != expected_domain(h)]
    assert wrong == []


def test_malformed_hosts_have_no_domain(db) -> None:
    assert (
        domains(
            db, ["10.0.0.1", "localhost", "a..com", "-a.com", "a-.com", "a b.com", "a_b.com", "x" * 64 + ".com", ""]
        )
        == {}
    )


@RELAXED
@given(label=st.text(alphabet="abcxyz019-äöüßéøłжщ漢字☃𝄞", min_size=1, max_size=20))
def test_punycode_is_read_as_the_standard_library_reads_it(db, label: str) -> None:
    written = label + "ü"  # a label without a letter beyond ASCII is never written as xn--
    assert db.value("SELECT intake.punycode_decode(%s)", written.encode("punycode").decode()) == written


@RELAXED
@given(label=st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", max_size=70))
def test_what_is_not_punycode_never_fails(db, label: str) -> None:
    db.value("SELECT intake.punycode_decode(%s)", label)


def test_both_spellings_of_a_domain_are_one(db) -> None:
    hosts = ["xn--mnchen-3ya.de", "www.münchen.de", "www.mu\u0308nchen.de", "a.xn--55qx5d.cn", "xn--.de", "xn--9.com"]
    assert domains(db, hosts) == {
        "xn--mnchen-3ya.de": "münchen.de",
        "www.münchen.de": "münchen.de",
        "www.mu\u0308nchen.de": "münchen.de",
        "a.xn--55qx5d.cn": "a.公司.cn",
    }


WORDS = st.lists(st.sampled_from(["Acme", "Café", "Øl", "Müller", "Works", "Nord", "7"]), min_size=1, max_size=3)


@RELAXED
@given(
    words=WORDS,
    legal=st.sampled_from(["", " Inc", ", Inc.", " LLC", " GmbH", " & Co.", " Corporation", " S.A.", " Ltd. Co."]),
    the=st.sampled_from(["", "The ", "THE "]),
    upper=st.booleans(),
    gap=st.sampled_from([" ", "  ", " - ", "\u00a0"]),
)
def test_a_name_key_is_the_same_however_the_name_is_written(db, words, legal, the, upper, gap) -> None:
    written = the + gap.join(words) + legal
    plain = " ".join(words).lower().translate(str.maketrans("éøü", "eou"))
    assert db.value("SELECT intake.company_name_key(%s)", written.upper() if upper else written) == plain


@RELAXED
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60))
def test_a_name_key_is_stable_and_never_fails(db, name: str) -> None:
    ((key, again, _),) = db.query(
        "SELECT key, intake.company_name_key(key), intake.website_host(%s) FROM intake.company_name_key(%s) AS key",
        name,
        name,
    )
    assert key is not None and (key == again or len(again) < len(key))


def test_hosts(db) -> None:
    for website, host in [
        ("http://www.Acme.com/x", "www.acme.com"),
        ("https://user:pw@acme.co.uk:8080/a?b#c", "acme.co.uk"),
        ("acme.com.", "acme.com"),
        ("//acme.com", "acme.com"),
        ("acme.com:80", "acme.com"),
        ("ftp://acme.com", None),
        ("mailto:info@acme.com", None),
        ("http://", None),
        ("two words.com", None),
    ]:
        assert db.value("SELECT intake.website_host(%s)", website) == host, website
