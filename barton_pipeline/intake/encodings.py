"""The encoding of a text file: its byte-order mark, else UTF-8 where the bytes allow it, else what chardet finds most likely.

Belongs here: bytes to the name of an encoding. Not here: lines and records (``readers``).
"""

import codecs
import re

from barton_pipeline.errors import InputError

# chardet's names → the Windows code page, which has the same letters and more. What it calls otherwise is not tried: DOS and EBCDIC
# pages are seldom what a customer's export is, and short texts look like them by chance.
CODE_PAGES = {
    "cp1252": ("windows-1252", "iso-8859-1", "iso8859-1", "iso-8859-15", "iso8859-15"),
    "cp1250": ("windows-1250", "iso-8859-2", "iso8859-2", "iso-8859-16", "iso8859-16"),
    "cp1251": ("windows-1251", "maccyrillic", "kz1048", "ptcp154"),
    "koi8_u": ("koi8-r", "koi8-u"),
    "cp1253": ("windows-1253", "iso-8859-7", "iso8859-7"),
    "cp1254": ("windows-1254", "iso-8859-9", "iso8859-9"),
    "cp1255": ("windows-1255", "iso-8859-8", "iso8859-8"),
    "cp1256": ("windows-1256", "iso-8859-6", "iso8859-6"),
    "cp1257": ("windows-1257", "iso-8859-13", "iso8859-13"),
    "cp932": ("cp932", "shift_jis", "shift-jis"),
    "euc_jp": ("euc-jp", "euc_jp"),
    "gb18030": ("gb18030", "gbk", "gb2312"),
    "big5": ("big5", "big5-hkscs"),
    "cp949": ("cp949", "euc-kr"),
}
_BY_NAME = {name: page for page, names in CODE_PAGES.items() for name in names}
# A word of these alphabets has no ASCII letters in it, as a word of any Latin alphabet with accents nearly always has.
_OTHER_ALPHABETS = ("cp1251", "koi8_u", "cp1253", "cp1255", "cp1256")
# Western text is by far the commonest, and a few of its letters look like Central European ones: it wins unless clearly beaten.
WESTERN = "cp1252"
WESTERN_IS_BEATEN_BY = 2.0


def check_encoding(name: str) -> str:
    """Python's name of an encoding that the operator named. Raises InputError for one that does not exist."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise InputError(
            f"{name!r} is not an encoding; common ones are utf-8, windows-1252 (Western), windows-1250 (Central European), "
            "windows-1251 (Cyrillic), shift_jis and gb18030."
        ) from None


def detect_encoding(start: bytes) -> str:
    """The encoding of a text that begins with ``start``; utf-8 for pure ASCII."""
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # without a mark, Latin text in UTF-16 is every other byte NUL
    if start[1::2].count(0) > len(start) * 0.3:
        return "utf-16-le"
    if start[::2].count(0) > len(start) * 0.3:
        return "utf-16-be"
    return "utf-8" if _is_mostly_utf8(start) else _detect_code_page(start)


def _is_mostly_utf8(start: bytes) -> bool:
    """Whether more of the text outside ASCII is well-formed UTF-8 than not; a file pasted together of two keeps UTF-8."""
    text = start.decode("utf-8", "replace")
    wrong = text.count("\ufffd") - start.count("\ufffd".encode())
    right = sum(character > "\x7f" for character in text) - text.count("\ufffd")
    return wrong <= max(right, 1 if start[-4:].isascii() is False else 0)


def _detect_code_page(start: bytes) -> str:
    import chardet  # a few hundredths of a second, and only for files that are not UTF-8

    # ASCII words say nothing, and would drown a few words that do
    words = [word for word in re.split(rb"[\s,;\"]+", start) if not word.isascii()]
    mixed = sum(bool(re.search(rb"[A-Za-z]", word)) for word in words) > len(words) / 3
    likely: dict[str, float] = {}
    for found in chardet.detect_all(b" ".join(words)):
        page = _BY_NAME.get(str(found["encoding"]).lower())
        if page and _decodes(start, page) and not (mixed and page in _OTHER_ALPHABETS):
            likely[page] = max(likely.get(page, 0.0), found["confidence"] or 0.0)
    if not likely:
        return WESTERN
    best = max(likely, key=lambda page: likely[page])
    return WESTERN if likely[best] < likely.get(WESTERN, 0.0) * WESTERN_IS_BEATEN_BY else best


def _decodes(start: bytes, page: str) -> bool:
    decoder = codecs.getincrementaldecoder(page)()
    try:
        decoder.decode(start)
    except UnicodeDecodeError:
        return page == WESTERN  # its five unused bytes are read as Latin-1
    return True
