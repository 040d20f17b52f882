import pickle

import numpy as np
import pytest

from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.data import file_reader
from tests.apps.speech_commands.recorded_words import RATE_HZ, tone, write


@pytest.fixture
def reader(tmp_path):
    write(tmp_path / "a.wav", tone(300))
    write(tmp_path / "b.wav", tone(400))
    return file_reader.FileReader(tmp_path, RATE_HZ)


def test_reads_whole_files_and_stretches_of_them(reader):
    whole = reader.read(recordings.Place("a.wav"))
    np.testing.assert_allclose(whole, tone(300), atol=4e-5)
    np.testing.assert_array_equal(reader.read(recordings.Place("a.wav", 100, 50)), whole[100:150])


def test_digests_tell_files_apart_and_follow_their_content(reader, tmp_path):
    places = [recordings.Place("a.wav"), recordings.Place("b.wav")]
    before = reader.digests(places)
    assert len(set(before)) == 2
    write(tmp_path / "b.wav", tone(500))
    after = reader.digests(places)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(61 * RATE_HZ)])
def test_digests_refuse_what_can_be_no_clip(reader, tmp_path, samples):
    write(tmp_path / "c.wav", samples)
    with pytest.raises(errors.UserError, match=r"c\.wav: (holds no sample|61\.0 s is longer)"):
        reader.digests([recordings.Place("a.wav"), recordings.Place("c.wav")])


def test_goes_to_another_process(reader):
    there = pickle.loads(pickle.dumps(reader))
    place = recordings.Place("a.wav")
    np.testing.assert_array_equal(there.read(place), reader.read(place))
