import pickle
from pathlib import Path

from apps.speech_commands import recordings
from apps.suite.data import file_reader


def test_words_come_in_order_then_silence_then_unknown():
    labels = {"unknown", "yes", "silence", "no", "backward"}
    assert recordings.label_names(labels) == ("backward", "no", "yes", "silence", "unknown")
    assert recordings.label_names({"b", "unknown", "a"}) == ("a", "b", "unknown")
    assert recordings.label_names({"b", "a"}) == ("a", "b")


def test_a_part_goes_to_another_process_without_its_samples():
    count = 1_000
    part = recordings.Clips(
        tuple(recordings.Recording(f"yes/{n}.wav", "yes", f"v{n}") for n in range(count)),
        tuple(recordings.Place(f"yes/{n}.wav") for n in range(count)),
        file_reader.FileReader(Path("/data"), 16_000),
    )
    sent = pickle.dumps(part)
    assert pickle.loads(sent) == part
    assert len(sent) < 100 * count
