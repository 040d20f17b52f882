import pytest

from apps.suite import errors
from apps.suite.data import labelled_files
from tests.apps.speech_commands import recorded_words
from tests.apps.speech_commands.recorded_words import tone, write, write_words


def find(path):
    return labelled_files.find(path, recorded_words.RATE_HZ)


def test_folders_are_labels_and_file_names_may_tell_the_speaker(tmp_path):
    names = write_words(tmp_path, ["yes", "no"])
    source = find(tmp_path)
    assert sorted(names) == [recording.name for recording in source.recordings]
    assert source.recordings[0] == ("no/ann_nohash_0.wav", "no", "ann")
    assert (source.name, source.source) == (tmp_path.name, str(tmp_path))
    assert set(source.parts) == {"train"}
    assert not source.divided_by


def test_other_names_tell_no_speaker_and_every_format_counts(tmp_path):
    for name in ("go/1.wav", "go/2.FLAC", "stop/3.ogg", "stop/notes.txt", "stop/.hidden.wav"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("about these recordings")
        else:
            write(tmp_path / name, tone(440))
    found = find(tmp_path).recordings
    assert [each.name for each in found] == ["go/1.wav", "go/2.FLAC", "stop/3.ogg"]
    assert {each.speaker for each in found} == {""}


def test_noise_is_no_word_and_the_underlined_names_are_silence_and_unknown(tmp_path):
    write_words(tmp_path, ["yes", "_silence_", "_unknown_", "_background_noise_"], ["ann"], 1)
    source = find(tmp_path)
    assert [each.label for each in source.recordings] == ["silence", "unknown", "yes"]
    assert [file.name for file in source.background] == ["ann_nohash_0.wav"]


def test_the_lists_of_the_speech_commands_data_make_its_parts(tmp_path):
    write_words(tmp_path, ["yes", "no"])
    (tmp_path / "validation_list.txt").write_text("yes/ann_nohash_0.wav\nno/ann_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("yes/bob_nohash_2.wav\r\nbed/bob_nohash_2.wav\n")
    source = find(tmp_path)
    pairs = zip(source.recordings, source.parts, strict=True)
    parts = {each.name: part for each, part in pairs}
    assert parts["yes/ann_nohash_0.wav"] == parts["no/ann_nohash_0.wav"] == "validation"
    assert parts["yes/bob_nohash_2.wav"] == "test"
    assert list(parts.values()).count("train") == len(parts) - 3
    assert source.divided_by == "validation_list.txt and testing_list.txt"


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (
            {"testing_list.txt": "yes/ann_nohash_0.wav\nyes/zoe_nohash_0.wav\n"},
            r"testing_list\.txt, line 2: yes/zoe_nohash_0\.wav: no such file; take out the line",
        ),
        (
            {
                "validation_list.txt": "yes/ann_nohash_0.wav\n",
                "testing_list.txt": "\nyes/ann_nohash_0.wav\n",
            },
            r"testing_list\.txt, line 2: yes/ann_nohash_0\.wav is listed before",
        ),
    ],
)
def test_lists_that_do_not_fit_the_files(tmp_path, lists, message):
    write_words(tmp_path, ["yes", "no"])
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(errors.UserError, match=message):
        find(tmp_path)


def test_an_empty_folder_of_a_word(tmp_path):
    write_words(tmp_path, ["yes", "no"])
    (tmp_path / "maybe").mkdir()
    with pytest.raises(errors.UserError, match="maybe: no wav, flac or ogg file in this folder"):
        find(tmp_path)


def test_a_folder_without_folders(tmp_path):
    write(tmp_path / "yes.wav", tone(440))
    with pytest.raises(errors.UserError, match="no folder in it; make one for each word"):
        find(tmp_path)


def test_a_file_that_is_no_csv(tmp_path):
    file = write(tmp_path / "yes.wav", tone(440))
    with pytest.raises(errors.UserError, match="give a folder with a folder for each word"):
        find(file)
