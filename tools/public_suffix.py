"""Print the INSERT statements of sql/migrations/0003_normalisation.sql from tldextract's bundled public suffix list.

Usage: python tools/public_suffix.py > /tmp/suffixes.sql   (a newer list belongs in a new migration)
"""

from importlib.resources import files

ROWS_PER_STATEMENT = 500


def suffixes() -> list[tuple[str, str]]:
    """(suffix, kind) pairs; kind is rule, wildcard or exception. Unicode rules appear in Punycode too."""
    found: dict[str, str] = {}
    text = (files("tldextract") / ".tld_set_snapshot").read_text(encoding="utf-8")
    for line in text.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("//"):
            continue
        kind = "rule"
        if rule.startswith("*."):
            rule, kind = rule[2:], "wildcard"
        elif rule.startswith("!"):
            rule, kind = rule[1:], "exception"
        for name in {rule, rule.encode("idna").decode()}:
            # ck is both a rule and the base of *.ck: the wildcard implies the rule
            if found.get(name) != "wildcard":
                found[name] = kind
    return sorted(found.items())


def main() -> None:
    rows = suffixes()
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        values = ",".join(f"('{name}','{kind}')" for name, kind in rows[start : start + ROWS_PER_STATEMENT])
        print(f"INSERT INTO intake.public_suffix (suffix, kind) VALUES {values} ON CONFLICT (suffix) DO NOTHING;")


if __name__ == "__main__":
    main()
