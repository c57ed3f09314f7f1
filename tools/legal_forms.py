"""Write sql/objects/functions/legal_forms.sql, the legal forms of companies, from the reviewed file and the library cleanco.

Usage: python -m tools.legal_forms   (after a change of companies/legal_forms.yaml or an upgrade of cleanco)
"""

import textwrap
from collections.abc import Iterable

from barton_pipeline.companies import legal_forms
from barton_pipeline.postgres.sql import sql_path

TARGET = sql_path("objects", "functions", "legal_forms.sql")
STATEMENT = """\
-- Legal forms of companies (companies/legal_forms.yaml and the library cleanco). Written by
-- python -m tools.legal_forms, never by hand. As literals: Postgres looks them up in a hash table.

CREATE OR REPLACE FUNCTION intake.legal_form(form text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN form = ANY (
{certain}
        ) THEN 'certain'
        WHEN form = ANY (
{ambiguous}
        ) THEN 'ambiguous'
        WHEN form = ANY (
{word}
        ) THEN 'word'
        WHEN form = ANY (
{last}
        ) THEN 'last word'
    END
$$;
COMMENT ON FUNCTION intake.legal_form(text) IS
'Whether words are a legal form: certain, ambiguous, word (rather a word), or the last word of one; NULL when not';

CREATE OR REPLACE FUNCTION intake.leading_legal_form(form text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN form = ANY (
{leading_certain}
        ) THEN 'certain'
        WHEN form = ANY (
{leading_ambiguous}
        ) THEN 'ambiguous'
    END
$$;
COMMENT ON FUNCTION intake.leading_legal_form(text) IS
'Whether words are a legal form that stands before a name: certain or ambiguous; NULL when not';

CREATE OR REPLACE FUNCTION intake.without_joined_legal_form(key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        nullif(regexp_replace(key, '^(' || forms || ') ?| ?(' || forms || ')$', ''), ''),
        key
    )
    FROM (VALUES (normalize('{joined}', NFKD))) AS f (forms)
$$;
COMMENT ON FUNCTION intake.without_joined_legal_form(text) IS
'A name key without a legal form of a script that puts no space between name and form';
"""


def _array(forms: Iterable[str]) -> str:
    unbroken = ", ".join(form.replace(" ", "_") for form in sorted(forms))
    lines = textwrap.fill(unbroken, 100, break_on_hyphens=False).replace("_", " ")
    return textwrap.indent("'{" + lines + "}'", " " * 12)


def statement() -> str:
    """The whole file."""
    trailing, leading = legal_forms.trailing(), legal_forms.leading()
    last_words = {form.split()[-1] for form in trailing} | {form[-1] for form in trailing if form.isalpha()}

    def of(forms: dict[str, str], kind: str) -> str:
        return _array(form for form, its_kind in forms.items() if its_kind == kind)

    return STATEMENT.format(
        certain=of(trailing, "certain"),
        ambiguous=of(trailing, "ambiguous"),
        word=of(trailing, "word"),
        last=_array(last_words - trailing.keys()),
        leading_certain=of(leading, "certain"),
        leading_ambiguous=of(leading, "ambiguous"),
        joined="|".join(sorted(legal_forms.rules().joined, key=len, reverse=True)),
    )


def main() -> None:
    """Write the file."""
    TARGET.write_text(statement(), encoding="utf-8")
    print(f"{TARGET.name}: {len(legal_forms.trailing())} forms")


if __name__ == "__main__":
    main()
