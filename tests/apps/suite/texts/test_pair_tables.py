"""Tables of pairs are read as people and spreadsheets save them, and never in other columns."""

import codecs

import pytest

from apps.suite import errors
from apps.suite.texts import pair_files
from apps.suite.texts.pair_files import Notes

NONE = ("", "")
SHEET = [
    ("source", "target", "note"),
    ("Hello, you.", "Salut, toi.", "ok"),
    ('"Hi", he said.', "«\u00a0Salut\u00a0», dit-il.", ""),
    ("Two\nlines", "Deux\tlignes", ""),
    ("None yet", "", ""),
]


def read(path, languages=NONE, notes=None):
    parts = pair_files.read(str(path), languages, Notes() if notes is None else notes)
    return {part: [pair[:2] for pair in found] for part, found in parts.items()}


def write(file, text):
    file.write_text(text, encoding="utf-8", newline="")
    return file


def spelled(cell, signs):
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in signs) else cell


@pytest.mark.parametrize("name", ["a.tsv", "a.txt"])
@pytest.mark.parametrize("signs", ['"\t\n', '"\t\n,'])
@pytest.mark.parametrize("header", [True, False])
def test_a_table_of_a_spreadsheet_is_read_without_its_quotation_marks(
    tmp_path, name, signs, header
):
    rows = SHEET if header else SHEET[1:]
    text = "\r\n".join("\t".join(spelled(cell, signs) for cell in row) for row in rows) + "\r\n"
    (tmp_path / name).write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    notes = Notes()
    assert read(tmp_path / name, notes=notes) == {"": [row[:2] for row in SHEET[1:4]]}
    assert notes == {"with one empty side": 1}


@pytest.mark.parametrize(
    "pairs",
    [
        [('He said "no".', 'Il a dit "non".'), ('"Yes," she said.', '"Oui", dit-elle.')],
        [('"Yes."', '"Oui."'), ("No, never.", "Non, jamais.")],
        [('"Open', "ouvert"), ("and", 'shut"')],
        [('a ""b"" c', "d")],
    ],
)
def test_quotation_marks_of_a_table_of_texts_are_text(tmp_path, pairs):
    rows = "".join(f"{one}\t{other}\n" for one, other in pairs)
    assert read(write(tmp_path / "a.tsv", rows)) == {"": pairs}


@pytest.mark.parametrize(
    "text",
    [
        "source;target;note\nHello, you.;Salut, toi.;1\nBye.;Adieu.;\n",
        "Hello, you.;Salut, toi.\nBye.;Adieu.\n",
        '"Hello, you.","Salut, toi."\nBye.,Adieu.\n',
        "source\ttarget\nHello, you.\tSalut, toi.\nBye.\tAdieu.\n",
    ],
)
def test_a_csv_file_may_be_separated_by_semicolons_or_tabs(tmp_path, text):
    wanted = [("Hello, you.", "Salut, toi."), ("Bye.", "Adieu.")]
    assert read(write(tmp_path / "a.csv", text)) == {"": wanted}


def test_columns_of_numbers_are_no_texts_and_their_name_tells_of_a_header(tmp_path):
    wanted = {"": [("Hello.", "Salut."), ("Bye.", "Adieu.")]}
    numbered = "1276\tHello.\t2\tSalut.\n1277\tBye.\t40\tAdieu.\n"
    assert read(write(tmp_path / "tatoeba.tsv", numbered)) == wanted
    scored = "score,en,fr\n0.5,Hello.,Salut.\n0.25,Bye.,Adieu.\n"
    assert read(write(tmp_path / "a.csv", scored)) == wanted
    numbers = [("12", "twelve"), ("7", "seven")]
    rows = "".join("\t".join(row) + "\n" for row in numbers)
    assert read(write(tmp_path / "numbers.tsv", rows)) == {"": numbers}
    assert read(write(tmp_path / "one.tsv", "a b\t1\n")) == {"": [("a b", "1")]}


def test_languages_name_columns_in_any_spelling_and_one_that_is_missing_is_refused(tmp_path):
    file = write(tmp_path / "a.tsv", "id\tEnglish\tFrench\n1\tBye.\tAdieu.\n")
    assert read(file, ("english", "FRENCH")) == {"": [("Bye.", "Adieu.")]}
    with pytest.raises(
        errors.UserError, match=r"a\.tsv:1: .*'target'.*english, french.*source_lang"
    ):
        read(file, ("English", "German"))
    plain = write(tmp_path / "b.tsv", "Hello.\tSalut.\n")
    assert read(plain, ("en", "fr")) == {"": [("Hello.", "Salut.")]}
