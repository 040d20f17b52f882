"""Own recordings of every usual layout are found, and what is wrong with them is named."""

import json

import numpy as np
import pytest
import soundfile

from apps.speech_to_text import config as configs
from apps.speech_to_text import data, transcripts, utterances
from apps.suite import errors
from tests.apps.speech_to_text import small_run

RATE = small_run.RATE_HZ
TEXTS = ["Tea, toast!", "one note", "No.", "sea-son tea", "ten tents", "a stone"]


def write_sound(file, seconds=1.5, seed=0, rate=RATE):
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)), rate)
    return file


def table(folder, rows, header="path,text,speaker,part", name="list.csv"):
    file = folder / name
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def listed(folder, texts=TEXTS, **options):
    parts = ("train", "train", "train", "train", "validation", "test")
    rows = []
    for at, (text, part) in enumerate(zip(texts, parts, strict=True)):
        write_sound(folder / f"{at}.wav", seed=at, **options)
        rows.append(f'{at}.wav,"{text}",s{at},{part}')
    return table(folder, rows)


def config_of(path, **groups):
    made = small_run.config(data=path)
    return configs.Config(**{**vars(made), **groups})


def ljspeech(folder):
    lines = []
    for at, text in enumerate(TEXTS):
        write_sound(folder / "wavs" / f"LJ-{at}.wav", seed=at)
        lines.append(f"LJ-{at}|{text.upper()}|{text}")
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def common_voice(folder):
    for part, numbers in (("train", (0, 1, 2, 3)), ("dev", (4,)), ("test", (5,))):
        rows = [f"s{at}\t{at}.wav\t{TEXTS[at]}" for at in numbers]
        table(folder, rows, "client_id\tpath\tsentence", f"{part}.tsv")
        for at in numbers:
            write_sound(folder / "clips" / f"{at}.wav", seed=at)
    return folder


def kaldi(folder):
    names = [f"u{at}" for at in range(len(TEXTS))]
    for at, name in enumerate(names):
        write_sound(folder / "audio" / f"{name}.wav", seed=at)
    for file, values in (
        ("wav.scp", [f"audio/{name}.wav" for name in names]), ("text", TEXTS),
        ("utt2spk", [f"s{at}" for at in range(len(TEXTS))]),
    ):  # fmt: skip
        lines = (f"{name} {value}\n" for name, value in zip(names, values, strict=True))
        (folder / file).write_text("".join(lines), encoding="utf-8")
    return folder


def nemo(folder):
    write_sound(folder / "long.wav", 9.0)
    lines = [
        json.dumps(
            {"audio_filepath": "long.wav", "text": text, "offset": 1.5 * at, "duration": 1.5}
        )
        for at, text in enumerate(TEXTS)
    ]
    file = folder / "manifest.json"
    file.write_text("\n".join(lines) + "\n")
    return file


def texts_beside(folder):
    for at, text in enumerate(TEXTS):
        write_sound(folder / "deep" / f"{at}.wav", seed=at).with_suffix(".txt").write_text(text)
    return folder


@pytest.mark.parametrize("layout", [ljspeech, common_voice, kaldi, nemo, texts_beside, listed])
def test_every_layout_gives_the_same_texts(tmp_path, layout):
    found = utterances.find_files(layout(tmp_path), RATE)
    assert [each.text for each in found.recordings] == TEXTS
    assert len({each.name for each in found.recordings}) == len(TEXTS)
    assert found.reader.seconds(found.places) == pytest.approx([1.5] * len(TEXTS))
    if layout is not nemo:
        sounds = [found.reader.read(place) for place in found.places]
        assert len({sound.tobytes() for sound in sounds}) == len(TEXTS)
    corpus = data.load(config_of(tmp_path / "manifest.json" if layout is nemo else tmp_path)
                       if layout is not listed else config_of(tmp_path / "list.csv"))  # fmt: skip
    held = [each.text for part in corpus.parts.values() for each in part.recordings]
    assert sorted(held) == sorted(
        ["tea toast", "one note", "no", "sea son tea", "ten tents", "a stone"]
    )
    assert set("".join(held)) <= set(corpus.alphabet) | {" "}


def refusal(path, **groups):
    with pytest.raises(errors.UserError) as told:
        data.load(config_of(path, **groups))
    return str(told.value)


def test_a_command_in_wav_scp_is_refused_and_not_run(tmp_path):
    folder = kaldi(tmp_path)
    wanted = tmp_path / "was_run"
    lines = (folder / "wav.scp").read_text().splitlines()
    lines[2] = f"u2 touch {wanted}; cat a.wav |"
    (folder / "wav.scp").write_text("\n".join(lines))
    told = refusal(folder)
    assert "wav.scp, line 3" in told
    assert "command" in told
    assert not wanted.exists()


def test_a_sound_too_short_for_its_text_is_named_with_both_numbers(tmp_path):
    file = listed(tmp_path)
    write_sound(tmp_path / "1.wav", 0.2)
    told = refusal(file)
    assert told.startswith("1.wav: 0.20 s give 5 frames")
    assert "needs 8" in told
    assert "--text.too_short drop" in told
    corpus = data.load(config_of(file, text=configs.TextConfig(too_short="drop")))
    assert len(corpus.train.recordings) == 3
    (note,) = corpus.notes
    assert note.startswith("1 of 6 recordings have fewer frames than their texts need")
    assert note.endswith("1.wav")


def test_silent_and_clipped_recordings_are_counted_and_named_and_others_are_not(tmp_path):
    file = listed(tmp_path)
    assert data.load(config_of(file)).notes == ()
    loud = np.clip(np.random.default_rng(0).normal(0, 1.0, RATE), -1.0, 1.0)
    for at, sound in ((1, np.zeros(RATE)), (2, loud), (3, np.full(RATE, 3e-4))):
        soundfile.write(tmp_path / f"{at}.wav", sound, RATE, subtype="PCM_16")
    silent, clipped = data.load(config_of(file)).notes
    assert silent.startswith("2 of 6 recordings are silent")
    assert silent.endswith("1.wav, 3.wav")
    assert clipped.startswith("1 of 6 recordings are clipped")
    assert clipped.endswith("2.wav")


def test_what_is_too_long_is_left_out_and_low_rates_are_told(tmp_path):
    file = listed(tmp_path)
    write_sound(tmp_path / "long.wav", 61.0)
    file.write_text(file.read_text() + "long.wav,no,s0,train\n")
    made = config_of(file, audio=configs.RecordingConfig(sample_rate_hz=2 * RATE))
    corpus = data.load(made)
    assert [len(part.recordings) for part in corpus.parts.values()] == [4, 1, 1]
    long, low = corpus.notes
    assert long.startswith("1 of 7 recordings are longer than 60 s and left out")
    assert long.endswith("long.wav")
    assert f"--audio.sample_rate_hz {RATE} " in low
    table(tmp_path, ["long.wav,no,s0,train"])
    assert "all recordings are longer than 60 s" in refusal(file)


def test_a_table_with_other_usual_names_is_read_and_one_in_a_folder_is_named(tmp_path):
    rows = [f"{at}.wav\t1.5\t{text}" for at, text in enumerate(TEXTS)]
    for at in range(len(TEXTS)):
        write_sound(tmp_path / f"{at}.wav", seed=at)
    file = table(tmp_path, rows, "file\tseconds\ttranscript", "all.tsv")
    found = utterances.find_files(file, RATE)
    assert [each.text for each in found.recordings] == TEXTS
    assert f"give its list, {file}" in refusal(tmp_path)
    table(tmp_path, rows, "file\tseconds\twords", "all.tsv")
    told = refusal(file)
    assert "line 1: no column text or sentence or transcript" in told
    assert "file, seconds, words" in told


def test_letters_outside_of_the_alphabet_are_listed_with_counts_or_dropped(tmp_path):
    texts = [*TEXTS[:5], "a stöne, öööh"]
    file = listed(tmp_path, texts)
    told = refusal(file)
    assert "'ö' 4" in told
    assert "'h' 1" in told
    assert "--text.outside drop" in told
    corpus = data.load(config_of(file, text=configs.TextConfig(outside="drop")))
    assert corpus.test.texts == ["a stne"]
    with pytest.raises(errors.UserError, match=r"text\.alphabet: holds 'a' twice"):
        data.load(config_of(file, text=configs.TextConfig(alphabet="aba")))
    with pytest.raises(errors.UserError, match=r"text\.alphabet: 'A' never stands"):
        data.load(config_of(file, text=configs.TextConfig(alphabet="ABC")))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["0.wav,tea,s", "9.wav,toast,s"], ("line 3", "9.wav", "1 of 2")),
        (["0.wav,tea,s", "0.wav,toast,s"], ("line 3", "0.wav", "twice")),
        (["../0.wav,tea,s"], ("line 2", "leaves the folder")),
        (["0.wav,tea"], ("line 2", "2 values for 3 columns")),
    ],
)
def test_lines_that_cannot_be_meant_are_named(tmp_path, rows, words):
    folder = tmp_path / "in"
    write_sound(folder / "0.wav")
    write_sound(tmp_path / "0.wav")
    told = refusal(table(folder, rows, "path,text,speaker"))
    for word in words:
        assert word in told


def test_a_transcript_without_letters_is_named(tmp_path):
    assert "2.wav" in refusal(listed(tmp_path, [*TEXTS[:2], "?!", *TEXTS[3:]]))


def test_a_manifest_that_is_not_json_names_its_line(tmp_path):
    file = nemo(tmp_path)
    file.write_text(file.read_text() + "{'audio'\n")
    assert "manifest.json:7" in refusal(file)


def test_a_stretch_beyond_the_end_of_its_file_is_named(tmp_path):
    file = nemo(tmp_path)
    row = {"audio_filepath": "long.wav", "text": "tea", "offset": 8.0, "duration": 5.0}
    file.write_text(json.dumps(row))
    told = refusal(file)
    assert "manifest.json:1" in told
    assert "8 to 13 s" in told


def test_recordings_of_one_text_stay_together_where_speakers_are_not_known(tmp_path):
    rows = []
    for at in range(12):
        write_sound(tmp_path / f"{at}.wav", seed=at)
        rows.append(f'{at}.wav,"{TEXTS[at % 6]}"')
    corpus = data.load(config_of(table(tmp_path, rows, "path,text")))
    parts = [set(part.texts) for part in corpus.parts.values()]
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])
    assert "by text" in corpus.split


def test_normalising_says_what_it_does_and_does_it_once():
    plain = configs.TextConfig()
    text = transcripts.normalised("  “Don’t” — STOP;\tno.3, e\u0301 ", plain)
    assert text == "don't stop no 3 é"
    assert transcripts.normalised(text, plain) == text
    kept = configs.TextConfig(lowercase=False, punctuation=True)
    assert transcripts.normalised("Don’t, STOP!", kept) == "Don't, STOP!"
    assert "lower case" in transcripts.told(plain)
    assert "lower case" not in transcripts.told(kept)


def test_letters_and_numbers_are_each_other_s_way_back():
    alphabet = small_run.ALPHABET
    labels = transcripts.numbered("sea tea", alphabet)
    assert transcripts.spelled([0, *labels, -1, -1], alphabet) == "sea tea"
