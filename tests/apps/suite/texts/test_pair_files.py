"""Pairs of texts are read from every kind of file, and what is wrong is named by its line."""

import gzip
import json
import zipfile

import polib
import pytest

from apps.suite import errors
from apps.suite.texts import pair_files
from apps.suite.texts.pair_files import Notes

PAIRS = [("Hello.", "Salut."), ("Où?", "A tab"), ('a "quoted" one', "l’autre")]
NONE = ("", "")


def read(path, languages=NONE, notes=None):
    parts = pair_files.read(str(path), languages, Notes() if notes is None else notes)
    return {part: [pair[:2] for pair in found] for part, found in parts.items()}


def write(file, text):
    file.write_text(text, encoding="utf-8")
    return file


def test_tables_are_read_with_and_without_a_header(tmp_path):
    rows = "".join(f"{one}\t{other}\n" for one, other in PAIRS)
    assert read(write(tmp_path / "a.tsv", rows)) == {"": PAIRS}
    assert read(write(tmp_path / "b.txt", f"{rows}\n\n")) == {"": PAIRS}
    header = "".join(f"{other}\tnote\t{one}\n" for one, other in PAIRS)
    assert read(write(tmp_path / "c.tsv", f"target\tnote\tsource\n{header}")) == {"": PAIRS}
    header = f"fr\tnote\ten\n{header}"
    assert read(write(tmp_path / "d.tsv", header), ("en", "fr")) == {"": PAIRS}
    quoted = 'source,target\nHello.,Salut.\nOù?,"A tab"\n"a ""quoted"" one",l’autre\n'
    assert read(write(tmp_path / "e.csv", quoted)) == {"": PAIRS}


def test_a_third_column_names_parts_or_is_left_alone(tmp_path):
    text = "a\tb\ttrain\nc\td\tdev\ne\tf\ttest\n"
    assert read(write(tmp_path / "a.tsv", text)) == {
        "train": [("a", "b")], "validation": [("c", "d")], "test": [("e", "f")],
    }  # fmt: skip
    attributed = "a\tb\tCC-BY 2.0 (France)\nc\td\tCC-BY 2.0 (France)\n"
    assert read(write(tmp_path / "b.tsv", attributed)) == {"": [("a", "b"), ("c", "d")]}
    with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "About these pairs")
        archive.writestr("fra.txt", attributed)
    assert read(tmp_path / "fra-eng.zip") == {"": [("a", "b"), ("c", "d")]}


def test_two_files_belong_together_line_by_line(tmp_path):
    one = write(tmp_path / "a.en", "".join(f"{pair[0]}\n" for pair in PAIRS) + "\nx\n")
    other = write(tmp_path / "a.fr", "".join(f"{pair[1]}\n" for pair in PAIRS) + "\n\n")
    notes = Notes()
    assert read(f"{one}+{other}", notes=notes) == {"": PAIRS}
    assert notes == {"with one empty side": 1}
    write(other, "".join(f"{pair[1]}\n" for pair in PAIRS))
    longer = write(tmp_path / "b.en", "".join(f"{pair[0]}\n" for pair in PAIRS) + "\n \n")
    assert read(f"{longer}+{other}") == {"": PAIRS}
    write(other, "only one\n")
    with pytest.raises(errors.UserError, match=r"a\.en has 5 lines and .*a\.fr 1"):
        read(f"{one}+{other}")


def test_compressed_files_are_read_where_they_are_text(tmp_path):
    rows = "".join(f"{one}\t{other}\n" for one, other in PAIRS).encode()
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(rows))
    assert read(tmp_path / "a.tsv.gz") == {"": PAIRS}
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"source,target\na,b\n"))
    assert read(tmp_path / "b.csv.gz") == {"": [("a", "b")]}
    for ending, text in (("en", b"a\n"), ("fr", b"b\n")):
        (tmp_path / f"c.{ending}.gz").write_bytes(gzip.compress(text))
    assert read(f"{tmp_path / 'c.en.gz'}+{tmp_path / 'c.fr.gz'}") == {"": [("a", "b")]}
    (tmp_path / "d.tsv.gz").write_bytes(gzip.compress(rows)[:-12])
    with pytest.raises(errors.UserError, match=r"d\.tsv\.gz: cannot be read: "):
        read(tmp_path / "d.tsv.gz")
    (tmp_path / "e.po.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(errors.UserError, match=r"e\.po\.gz: unpack it"):
        read(tmp_path / "e.po.gz")


@pytest.mark.parametrize(
    ("endings", "given", "found"),
    [
        (("en", "zh-CN"), NONE, ("en", "zh-CN")),
        (("EN.gz", "fr.gz"), ("", "french"), ("en", "french")),
        (("src", "tgt"), NONE, NONE),
        (("txt", "tsv"), NONE, NONE),
        (("one", "other"), NONE, NONE),
    ],
)
def test_two_files_name_their_languages_by_codes(tmp_path, endings, given, found):
    both = [write(tmp_path / f"a.{ending}", "a\n") for ending in endings]
    told = pair_files.languages_of("+".join(map(str, both)), given)
    assert tuple(each.lower() for each in told) == tuple(each.lower() for each in found)
    assert pair_files.languages_of(str(both[0]), given) == given


def test_a_folder_has_a_file_or_two_for_each_part(tmp_path):
    for part in ("train", "valid", "newstest"):
        write(tmp_path / f"{part}.fr", f"{part} fr\n")
        write(tmp_path / f"{part}.en", f"{part} en\n")
    write(tmp_path / "test.tsv", "a\tb\n")
    found = read(tmp_path, ("fr", "en"))
    assert found == {
        "train": [("train fr", "train en")],
        "validation": [("valid fr", "valid en")],
        "test": [("a", "b")],
    }
    write(tmp_path / "test.de", "more\n")
    with pytest.raises(errors.UserError, match=r"test\.de, test\.tsv are all of the part test"):
        read(tmp_path)


def catalogue(path):
    made = polib.POFile()
    made.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    entries = [
        {"msgid": "Open %s", "msgstr": "Ouvrir %s"},
        {"msgid": "Close", "msgstr": "Fermer", "flags": ["fuzzy"]},
        {"msgid": "Empty", "msgstr": ""},
        {"msgid": "Old", "msgstr": "Vieux", "obsolete": True},
        {"msgid": "%d file", "msgid_plural": "%d files",
         "msgstr_plural": {0: "%d fichier", 1: "%d fichiers"}},
        {"msgid": "Lost %s", "msgstr": "Perdu"},
    ]  # fmt: skip
    made.extend(polib.POEntry(**entry) for entry in entries)
    (made.save if path.suffix == ".po" else made.save_as_mofile)(str(path))
    return path


def test_messages_are_read_without_those_that_nobody_has_checked(tmp_path):
    wanted = {
        "": [("Open %s", "Ouvrir %s"), ("%d file", "%d fichier"), ("%d files", "%d fichiers")]
    }
    notes = Notes()
    assert read(catalogue(tmp_path / "a.po"), notes=notes) == wanted
    assert notes == {
        "fuzzy or obsolete": 2,
        "with one empty side": 1,
        "with other placeholders in the translation": 1,
    }
    compiled = read(catalogue(tmp_path / "a.mo"))
    assert sorted(compiled[""]) == sorted(wanted[""])


MEMORY = """<?xml version="1.0"?>
{doctype}<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="fr-FR"><seg>Un <bpt i="1">&lt;b&gt;</bpt>chat<ept i="1">x</ept> !</seg></tuv>
<tuv xml:lang="en-US"><seg>A cat!</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>A dog</seg></tuv><tuv xml:lang="de"><seg>Ein Hund</seg></tuv></tu>
</body></tmx>"""


def test_a_translation_memory_is_read_by_its_languages(tmp_path):
    file = write(tmp_path / "a.tmx", MEMORY.format(doctype='<!DOCTYPE tmx SYSTEM "tmx14.dtd">'))
    notes = Notes()
    assert read(file, ("en", "fr"), notes) == {"": [("A cat!", "Un chat !")]}
    assert notes == {"with one empty side": 1}
    with pytest.raises(errors.UserError, match="fr, en, de"):
        read(file)
    bomb = '<!DOCTYPE tmx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(errors.UserError, match="entities"):
        read(write(file, MEMORY.format(doctype=bomb)), ("en", "fr"))
    with pytest.raises(errors.UserError, match=r"a\.tmx: cannot be read as XML"):
        read(write(file, MEMORY[:200]), ("en", "fr"))


def test_json_lines_name_their_sides(tmp_path):
    rows = [
        {"source": "a", "target": "b", "part": "test"},
        {"translation": {"fr": "d", "en": "c"}},
    ]
    file = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    wanted = {"test": [("a", "b")], "": [("c", "d")]}
    assert read(file, ("en", "fr")) == wanted
    assert read(write(tmp_path / "a.json", json.dumps(rows, indent=2)), ("en", "fr")) == wanted


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.tsv", "a\tb\nno tab\n", r"a\.tsv:2: has 1 column, .* a tab"),
        ("a.csv", "source,target\na\n", r"a\.csv:2: has 1 column, .* a comma"),
        ("a.csv", 'source,target\n"a,b\n', r"a\.csv:\d: is not csv"),
        ("a.tsv", "source\ttarget\tpart\na\tb\ttraining set\n", r"a\.tsv:2: part is"),
        (
            "a.jsonl",
            '{"source": "a"}\n',
            r"a\.jsonl:1: has no text 'target'; it has 'source'",
        ),
        ("a.jsonl", '{"source": "a", "target": null}\n', r"a\.jsonl:1: target is None"),
        ("a.jsonl", '{"source": "a\\ud800", "target": "b"}', r"a\.jsonl:1: source holds '.ud800'"),
        ("a.jsonl", '{"source": "a", "target": "\\u0000"}', r"a\.jsonl:1: target holds"),
        ("a.jsonl", '{"source": "a", "target": "b", "group": []}', r"a\.jsonl:1: group is \[\]"),
        ("a.po", '#, fuzzy\nmsgid "a"\nmsgstr "b"\n', r"a\.po: holds no pair .* 1 are fuzzy"),
        ("a.jsonl", "[1]\n", r"a\.jsonl: entry 1: is not a JSON object"),
        ("a.jsonl", "1\n", r"a\.jsonl:1: is not a JSON object"),
        ("a.json", "[{}, ", r"a\.json: is not JSON"),
        ("a.jsonl", '{"source": 1\n', r"a\.jsonl:1: is not JSON"),
        ("a.jsonl", '{"source": "a", "target": "b", "part": "x"}', r"a\.jsonl:1: part is 'x'"),
        ("a.jsonl", '{"source": "a", "target": "b", "part": [1]}', r"a\.jsonl:1: part is \[1\]"),
        ("a.po", 'msgid "a"\nmsgtext b\n', r"a\.po: cannot be read as gettext messages"),
        ("a.mo", "not binary", r"a\.mo: cannot be read as gettext messages"),
        ("a.zip", "no archive", r"a\.zip: cannot be read as a zip archive"),
        ("a.docx", "x", r"a\.docx: is not a file of pairs that is known"),
        ("a.tsv", "a\t\n\t\n", r"a\.tsv: holds no pair"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, told):
    with pytest.raises(errors.UserError, match=told) as raised:
        read(write(tmp_path / name, content))
    assert "\n" not in str(raised.value)


def test_text_in_another_encoding_is_refused_with_its_place(tmp_path):
    (tmp_path / "a.tsv").write_bytes("é\tb\n".encode("latin-1"))
    with pytest.raises(errors.UserError, match="0xe9 at offset 0"):
        read(tmp_path / "a.tsv")


def test_an_archive_of_several_files_names_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.tsv", "a\tb\n")
        archive.writestr("two.tsv", "a\tb\n")
    with pytest.raises(errors.UserError, match=r"one\.tsv, two\.tsv"):
        read(tmp_path / "a.zip")
