"""An export carries some of the embedded data to try, and never anything of somebody's own."""

import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data, serving
from apps.suite.runs import run_folder


@pytest.fixture(scope="module")
def embedded():
    return data.load(configs.PRESETS["tiny"])


def finished(folder, embedded, config=configs.PRESETS["tiny"], **changed):
    noted = {"name": embedded.name, "fingerprint": embedded.fingerprint, **changed}
    with run_folder.start(folder, "anomaly_detection", config, noted) as run:
        run.model_file.touch()
        run.finish_training(1.0)
        run.write_metrics({})
    return folder


def test_it_is_the_end_of_the_series_with_its_times(embedded, tmp_path):
    head, *lines = serving.example_csv(finished(tmp_path / "run", embedded)).splitlines()
    assert head == ",".join(["time", *embedded.feature_names])
    assert len(lines) == serving.EXAMPLE_STEPS
    (one,) = embedded.series
    times, values = zip(*(line.split(",") for line in lines), strict=True)
    read = np.array(times, "datetime64[s]").astype(float)
    np.testing.assert_array_equal(read, one.times[-serving.EXAMPLE_STEPS :])
    written = np.array([float(value or "nan") for value in values])
    expected = np.where(one.observed[:, 0], one.values[:, 0], np.nan)[-serving.EXAMPLE_STEPS :]
    np.testing.assert_allclose(written, expected, rtol=1e-6)


def test_own_data_and_data_that_have_changed_give_none(embedded, tmp_path):
    own = dataclasses.replace(configs.PRESETS["tiny"], data="own.csv")
    for at, changed in enumerate(({"config": own}, {"name": "own"}, {"fingerprint": "0"})):
        assert serving.example_csv(finished(tmp_path / str(at), embedded, **changed)) is None
