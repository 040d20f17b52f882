"""Text files are read in the encoding that their byte order mark names, else as UTF-8."""

import codecs
import io

import pytest

from apps.suite import errors
from apps.suite.texts import text_files

TEXT = "zoë\r\nµ 🛶\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    ],
)
def test_the_text_is_the_same_in_every_encoding_that_names_itself(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    assert text_files.decoded(tmp_path / "a.txt") == TEXT
    assert text_files.read(tmp_path / "a.txt") == TEXT.replace("\r", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9", "byte 0xe9 at offset 3 is not UTF-8"),
        (b"a\0b", "NUL byte at offset 1"),
        (codecs.BOM_UTF16_LE + b"a\0b", "not UTF-16"),
        (codecs.BOM_UTF16_LE + "a\0".encode("utf-16-le"), "NUL character at offset 1"),
        ("ab".encode("utf-16-le"), "NUL byte at offset 1"),
    ],
)
def test_what_is_not_text_is_refused_with_its_place(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(errors.UserError, match=rf"a\.txt: .*{message}"):
        text_files.decoded(tmp_path / "a.txt")


def test_a_file_without_text_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(codecs.BOM_UTF16_LE + "\r\n".encode("utf-16-le"))
    with pytest.raises(errors.UserError, match=r"a\.txt: empty"):
        text_files.read(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\u2028more\x0b\n\ntwo", ["one\u2028more\x0b", "", "two"]),
        ("\n", [""]),
    ],
)
def test_standard_input_is_cut_at_line_feeds_alone(monkeypatch, given, found):
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert text_files.asked(()) == found
