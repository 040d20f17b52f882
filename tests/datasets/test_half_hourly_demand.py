import itertools

import numpy as np
import pytest

from apps.suite.data import named_sets

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named_sets.prepare("half_hourly_demand")


@pytest.fixture(scope="module")
def parts(builder):
    made = {}
    for part in PARTS:
        (made[part],) = builder.as_dataset(split=part).as_numpy_iterator()
    return made


@pytest.fixture(scope="module")
def original():
    from pmdarima import datasets

    return datasets.load_taylor()


def test_the_parts_follow_each_other_by_half_hours(parts):
    assert [len(parts[part]["time"]) for part in PARTS] == [2016, 672, 1344]
    time = np.concatenate([parts[part]["time"] for part in PARTS])
    assert (np.diff(time) == 1800).all()
    assert np.datetime64(int(time[0]), "s") == np.datetime64("2000-06-04T23:00")


def test_what_is_no_fault_is_as_it_was_measured(parts, original):
    values = np.concatenate([parts[part]["values"][:, 0] for part in PARTS])
    labels = np.concatenate([parts[part]["label"] for part in PARTS])
    np.testing.assert_array_equal(values[~labels], original[~labels])
    assert (values[labels] != original[labels]).mean() > 0.95


def test_faults_are_in_the_test_part_only_two_of_each_kind_and_apart(parts):
    for part in ("train", "validation"):
        assert not parts[part]["label"].any()
        assert not len(parts[part]["faults"]["kind"])
    faults = parts["test"]["faults"]
    kinds = [kind.decode() for kind in faults["kind"]]
    assert sorted(set(kinds)) == [
        "changed season", "drift", "dropout", "flatline", "level shift", "noise burst", "spike",
    ]  # fmt: skip
    assert {kinds.count(kind) for kind in kinds} == {2}
    label = np.zeros(1344, bool)
    for start, end in zip(faults["start"], faults["end"], strict=True):
        label[start:end] = True
    np.testing.assert_array_equal(label, parts["test"]["label"])
    spans = list(zip(faults["start"], faults["end"], strict=True))
    assert all(other[0] - one[1] >= 24 for one, other in itertools.pairwise(spans))


def test_each_kind_is_what_the_readme_says(parts, original):
    values, true = parts["test"]["values"][:, 0], original[2688:]
    deviation = original[:2016].std()
    faults = parts["test"]["faults"]
    for kind, start, end in zip(faults["kind"], faults["start"], faults["end"], strict=True):
        read, usual = values[start:end], true[start:end]
        change = (read - usual) / deviation
        match kind.decode():
            case "spike":
                assert end - start <= 2
                assert 0.29 <= np.abs(change).min() <= np.abs(change).max() <= 0.91
            case "level shift":
                np.testing.assert_allclose(change, change[0], atol=1e-4)
                assert 0.24 <= abs(change[0]) <= 0.71
            case "drift":
                np.testing.assert_allclose(
                    np.diff(change), change[-1] / (end - start - 1), atol=1e-4
                )
                assert 0.39 <= abs(change[-1]) <= 0.91
            case "flatline":
                assert (read == true[start - 1]).all()
            case "dropout":
                assert (read == 0).all()
            case "changed season":
                lags = [
                    lag for lag in range(1, 11) if (read == true[start - lag : end - lag]).all()
                ]
                assert len(lags) == 1
            case "noise burst":
                assert 0.03 < change.std() < 0.5


def test_the_set_stays_the_same_whatever_versions_make_it(parts):
    faults = parts["test"]["faults"]
    assert faults["start"].tolist() == [
        59, 177, 218, 364, 433, 541, 648, 729, 808, 903, 1032, 1133, 1220, 1332,
    ]  # fmt: skip


def test_set_describes_itself(builder):
    info = builder.info
    assert "Electricity demand" in info.description
    assert "Taylor" in info.citation
    assert info.metadata["columns"] == ["demand_megawatts"]
    assert info.redistribution_info.license
    assert not info.download_size
