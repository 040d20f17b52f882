import pytest

from apps.suite import errors
from apps.suite.data import recordings_csv
from tests.apps.speech_commands import recorded_words
from tests.apps.speech_commands.recorded_words import tone, write, write_csv


def find(path):
    return recordings_csv.find(path, recorded_words.RATE_HZ)


def test_paths_begin_at_the_folder_of_the_csv(tmp_path, monkeypatch):
    file = write_csv(tmp_path / "words.csv", "a/1.wav,yes", "b/2.flac, no ")
    monkeypatch.chdir(tmp_path.parent)
    source = find(file)
    assert source.recordings == (("a/1.wav", "yes", ""), ("b/2.flac", "no", ""))
    assert source.name == "words.csv"
    assert len(source.reader.read(source.places[1])) == 800


def test_speakers_and_parts_are_taken_in_any_order_of_columns(tmp_path):
    for number in (1, 2, 3):
        write(tmp_path / f"{number}.wav", tone(440))
    file = write_csv(
        tmp_path / "words.csv",
        "ann,train,yes,1.wav,loud",
        "bob,validation,no,2.wav,",
        "",
        "cy,test,yes,3.wav,soft",
        header="Speaker,part, label,path,remark",
    )
    source = find(file)
    assert [each.speaker for each in source.recordings] == ["ann", "bob", "cy"]
    assert source.parts == ("train", "validation", "test")
    assert source.divided_by == "the column part of words.csv"


def test_absolute_paths_a_byte_order_mark_and_quotes(tmp_path):
    loud = write(tmp_path / "else" / "where, loud.wav", tone(440))
    (tmp_path / "words.csv").write_text(f'\ufeffpath,label\r\n"{loud}",yes\r\n', encoding="utf-8")
    source = find(tmp_path / "words.csv")
    assert source.recordings[0].name == str(loud)
    assert len(source.reader.read(source.places[0])) == 800


def test_noise_has_a_label_of_its_own(tmp_path):
    source = find(write_csv(tmp_path / "w.csv", "1.wav,yes", "2.wav,_background_noise_"))
    assert [each.label for each in source.recordings] == ["yes"]
    assert [file.name for file in source.background] == ["2.wav"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("path,word", ["1.wav,yes"], "line 1: no column label; the header is path,label"),
        ("label", ["yes"], "line 1: no column path"),
        ("path,label", ["1.wav,yes", "2.wav, "], "line 3: label is empty"),
        ("path,label", [",yes"], "line 2: path is empty"),
        ("path,label", ["1.wav,yes,ann"], "line 2: 3 values for 2 columns"),
        ("path,label", ["1.wav,yes", "", "1.wav,no"], r"line 4: 1\.wav stands in line 2 already"),
        ("path,label", ["1.wav,yes", "./1.wav,yes"], r"line 3: \./1\.wav stands in line 2"),
        ("path,label,part", ["1.wav,yes,dev"], "line 2: part is 'dev', not one of train, valid"),
        ("path,label,part", ["1.wav,yes,"], "line 2: part is ''"),
        ("path,label", [], "lists no recording"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, header, rows, message):
    file = write_csv(tmp_path / "words.csv", *rows, header=header)
    with pytest.raises(errors.UserError, match=message) as raised:
        find(file)
    assert str(raised.value).startswith(str(file))


def test_a_missing_recording_is_said_with_its_line(tmp_path):
    file = write_csv(tmp_path / "words.csv", "1.wav,yes", "2.wav,no")
    (tmp_path / "2.wav").unlink()
    with pytest.raises(errors.UserError, match=r"line 3: no such file: .*2\.wav"):
        find(file)


def test_a_csv_that_is_no_text(tmp_path):
    file = tmp_path / "words.csv"
    file.write_bytes("path,label\n1.wav,öl\n".encode("latin-1"))
    with pytest.raises(errors.UserError, match="not UTF-8 text"):
        find(file)


def test_an_empty_csv(tmp_path):
    (tmp_path / "words.csv").write_text("")
    with pytest.raises(errors.UserError, match="no column path"):
        find(tmp_path / "words.csv")
