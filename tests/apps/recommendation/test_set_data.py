import numpy as np
import pytest

from apps.recommendation import config as configs
from apps.recommendation import log as set_data
from apps.suite import errors


@pytest.fixture(autouse=True)
def folder_of_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_a_set_with_an_event_an_example_is_read_by_the_names_of_its_features(folder_of_sets):
    import tensorflow_datasets as tfds

    class Films(tfds.core.GeneratorBasedBuilder):
        """Ratings as movielens has them."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {
                        "user_id": tfds.features.Text(),
                        "movie_id": tfds.features.Text(),
                        "movie_title": tfds.features.Text(),
                        "timestamp": np.int64,
                        "user_rating": np.float32,
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for key in range(9):
                yield (
                    key,
                    {
                        "user_id": f"u{key % 2}",
                        "movie_id": f"m{key % 4}",
                        "movie_title": f"Фильм {key % 4}",
                        "timestamp": key,
                        "user_rating": 3.0,
                    },
                )

    log = set_data.read_set("films")
    rows = sorted(zip(log.times, log.users.to_pylist(), log.items.to_pylist(), strict=True))
    assert rows == [(key, f"u{key % 2}", f"m{key % 4}") for key in range(9)]
    by_item = dict(zip(log.items.dictionary.to_pylist(), log.titles, strict=True))
    assert by_item == {f"m{at}": f"Фильм {at}" for at in range(4)}
    assert log.times.dtype == "int64"
    assert folder_of_sets.joinpath("films").is_dir()


def test_a_set_with_a_history_an_example_is_the_same_log_flat():
    log = set_data.read_set("grocery_histories/small")
    assert len(log.users) == len(log.items) == len(log.times) == 12_560
    assert len(log.users.dictionary) == 505
    assert log.titles[0].startswith("product group ")
    assert "MIT" in log.licence


def test_a_set_without_users_and_times_is_refused():
    with pytest.raises(errors.UserError, match="has none of the features user_id"):
        set_data.read_set("king_james_bible")


def test_no_such_set_is_refused():
    with pytest.raises(errors.UserError, match="no such data set"):
        set_data.read_set("grocery_historie")


def test_tiny_reads_the_small_set():
    assert configs.PRESETS["tiny"].data == "grocery_histories/small"
