"""Which encoding a text is in: names of companies in the alphabets that exports come in."""

import pytest

from barton_pipeline.errors import InputError
from barton_pipeline.intake.encodings import CODE_PAGES, check_encoding, detect_encoding

TEXTS = [
    ("cp1252", "Company,Website\nCafé Zürich,cafe.ch\n"),
    ("cp1252", "Company,City\nMüller GmbH,Köln\nJosé Peña,León\n"),
    ("cp1252", "Name\nSociété Générale – Œuvres\n"),
    ("cp1252", "Company,Website\nBjörk & Søn ApS,x.dk\n"),
    ("cp1252", "Company\nFjällräven Åkeri\nSmörgås\n"),
    ("cp1252", "Name\nO’Brien “Pumps”\n"),
    ("cp1252", "Company\nJoão Conceição\nAção Ltda\n"),
    ("cp1252", "Name\nGonzález e Hijos\nMuñoz S.A.\n"),
    ("cp1250", "Firma,Miasto\nŻółw Śląski Sp. z o.o.,Łódź\nCzęstochowa Węgiel,Kraków\n"),
    ("cp1250", "Cég\nGyőri Szőlő Kft\n"),
    ("cp1250", "Firma\nŽižkov Hřiště\nŠkoda Plzeň\n"),
    ("cp1251", "Company,Website\nРомашка Насосы,romashka.ru\n"),
    ("cp1251", "Компания,Сайт\nООО Северный Ветер,veter.ru\n"),
    ("koi8_u", "Company,Website\nРомашка Насосы,romashka.ru\nСеверный Ветер,veter.ru\n"),
    ("cp1253", "Company\nΕλληνικές Αντλίες ΑΕ,Αθήνα\nΚύματος\n"),
    ("cp932", "会社,サイト\n株式会社山田ポンプ,yamada.jp\n"),
    ("gb18030", "公司,网站\n北京水泵有限公司,bj.cn\n"),
    ("cp949", "회사,웹사이트\n서울펌프 주식회사,seoul.kr\n"),
    ("cp1257", "Įmonė\nŠiaulių siurbliai\n"),
    ("cp1255", "חברה,אתר\nמשאבות ישראל,x.il\n"),
    ("utf-8", "Café,Zürich\n"),
    ("utf-8", "é"),
    ("utf-8", "Company\nPlain\n"),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS, ids=[f"{encoding}-{text[:20]!r}" for encoding, text in TEXTS])
def test_detected(encoding: str, text: str) -> None:
    assert detect_encoding(text.encode(encoding)) == encoding


def test_mostly_utf8_stays_utf8() -> None:
    assert detect_encoding("Zürich Genève Łódź".encode() + b" M\xfcnchen") == "utf-8"


def test_a_character_cut_in_two_by_the_sample_does_not_matter() -> None:
    for end in range(1, 4):
        assert detect_encoding(("Plain text " * 5 + "北").encode()[:-end]) == "utf-8"


def test_every_code_page_exists_and_a_wrong_name_is_explained() -> None:
    assert [check_encoding(page) for page in CODE_PAGES]
    assert check_encoding("Windows-1251") == "cp1251"
    with pytest.raises(InputError, match="'klingon' is not an encoding"):
        check_encoding("klingon")
