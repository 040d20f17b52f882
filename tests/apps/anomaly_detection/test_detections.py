import dataclasses

import numpy as np
import pytest

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import detections, measures
from apps.suite.tables import series

LENGTH, TRAIN_END, VALIDATION_END = 1000, 400, 600
QUANTILE = configs.Config(
    threshold=configs.ThresholdConfig(method="quantile", quantile=0.99),
    events=configs.EventConfig(merge_steps=2, cool_down_steps=10),
)


def one_series(name="a", events=((700, 720), (800, 805)), step_seconds=3600.0):
    labels = np.zeros(LENGTH, bool)
    for start, end in events or ():
        labels[start:end] = True
    return series.Series(
        name=name,
        times=np.arange(LENGTH) * step_seconds,
        dated=True,
        step_seconds=step_seconds,
        values=np.zeros((LENGTH, 2), np.float32),
        observed=np.ones((LENGTH, 2), bool),
        labels=None if events is None else labels,
        train_end=TRAIN_END,
        validation_end=VALIDATION_END,
    )


def collection(*many):
    return series.Collection("c", "l", "s", "f", "split", ("x", "y"), 2, many)


def noise(seed=0):
    return np.random.default_rng(seed).random(LENGTH)


def detect(made, scores, config=QUANTILE):
    return detections.detect(made, config, scores, [np.ones(LENGTH, bool)] * len(scores))


def test_the_threshold_is_of_the_validation_part_alone():
    scores = noise()
    scores[:TRAIN_END] += 100
    scores[VALIDATION_END:] += 50
    found = detect(collection(one_series()), [scores])
    part = scores[TRAIN_END:VALIDATION_END]
    assert found.threshold.value == pytest.approx(np.quantile(part, 0.99))


def test_steps_without_a_score_do_not_move_the_threshold():
    scores, valid = noise(), np.ones(LENGTH, bool)
    valid[TRAIN_END : TRAIN_END + 50] = False
    scores[~valid] = 1000
    found = detections.detect(collection(one_series()), QUANTILE, [scores], [valid])
    assert found.threshold.value < 1


def test_alarms_lie_in_the_test_part_and_are_merged_and_cooled():
    scores = noise() / 2
    scores[500] = 9  # in the validation part
    scores[[700, 703, 712, 730]] = 9
    config = dataclasses.replace(
        QUANTILE, threshold=configs.ThresholdConfig(method="quantile", quantile=0.99)
    )
    found = detect(collection(one_series()), [scores], config)
    # 703 is merged, 712 lies in the cool-down of ten steps behind 704, 730 does not
    assert [alarm for alarm in found.alarms[0] if scores[alarm[0]] == 9] == [(700, 704), (730, 731)]
    assert all(start >= VALIDATION_END for start, _ in found.alarms[0])


def test_perfect_scores_have_perfect_measures_and_random_ones_do_not():
    made = collection(one_series("a"), one_series("b", events=((650, 700),)))
    perfect = [one.labels * 1.0 + 0.001 * noise(at) for at, one in enumerate(made.series)]
    measured = detections.metrics(made, detect(made, perfect))
    assert measured["vus_pr"] > 0.9  # the tolerance around the labels is not flagged
    assert measured["auc_pr"] == pytest.approx(1)
    assert measured["event_recall"] == 1
    assert measured["median_delay_steps"] == 0
    random = detections.metrics(made, detect(made, detections.random_scores(made, 0)))
    assert random["vus_pr"] < 0.3
    assert random["event_f1"] < 0.5


def test_events_of_all_series_are_counted_together():
    made = collection(one_series("a"), one_series("b", events=((650, 700),)))
    scores = [noise(0) / 2, noise(1) / 2]
    scores[0][705] = 9
    scores[1][900] = 9
    found = detect(made, scores, dataclasses.replace(QUANTILE, threshold=_above_all()))
    assert found.alarms == [[(705, 706)], [(900, 901)]]
    assert detections.event_counts(made, found) == (3, 1, 2, 1)
    measured = detections.metrics(made, found)
    assert measured["event_precision"] == 0.5
    assert measured["event_recall"] == pytest.approx(1 / 3)
    assert measured["median_delay_steps"] == 5
    assert measured["alarms_per_week"] == pytest.approx(2 / (800 / 168))
    assert measured["false_alarms_per_week"] == pytest.approx(1 / (800 / 168))


def test_a_stream_that_is_behind_is_late():
    made = collection(one_series())
    scores = noise() / 2
    scores[702] = 9
    settings = dataclasses.replace(QUANTILE, threshold=_above_all())
    found = detections.detect(made, settings, [scores], [np.ones(LENGTH, bool)], steps_behind=7)
    assert detections.metrics(made, found)["median_delay_steps"] == 2 + 7


def test_a_series_without_labels_counts_for_alarms_alone():
    labelled = one_series("a")
    made = collection(labelled, one_series("b", events=None))
    scores = [noise(0) / 2, noise(1) / 2]
    scores[0][701] = scores[1][701] = scores[0][900] = 9
    found = detect(made, scores, dataclasses.replace(QUANTILE, threshold=_above_all()))
    assert detections.event_counts(made, found) == (2, 1, 2, 1)
    assert list(detections.vus_pr_by_series(made, found)) == ["a"]
    expected = measures.volume_under_precision_recall(
        labelled.labels[VALIDATION_END:], scores[0][VALIDATION_END:]
    )
    measured = detections.metrics(made, found)
    assert measured["vus_pr"] == expected
    assert measured["alarms_per_week"] == pytest.approx(3 / (800 / 168))
    assert measured["false_alarms_per_week"] == pytest.approx(1 / (400 / 168))


def test_nothing_found_has_no_delay():
    made = collection(one_series())
    found = detect(made, [noise()], dataclasses.replace(QUANTILE, threshold=_above_all()))
    assert "median_delay_steps" not in detections.metrics(made, found)


def _above_all():
    return configs.ThresholdConfig(method="quantile", quantile=1 - 1e-9)
