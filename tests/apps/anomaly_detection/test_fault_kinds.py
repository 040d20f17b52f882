import dataclasses

import numpy as np

from apps.anomaly_detection import config as configs
from apps.anomaly_detection import data, detections, measures, report, thresholds

CONFIG = configs.PRESETS["tiny"]


def test_the_faults_of_the_embedded_set_are_its_labels():
    collection = data.load(CONFIG)
    (one,) = collection.series
    faults = report.faults_of_set("", collection)
    assert len(faults) == 14
    assert len({fault.kind for fault in faults}) == 7
    labels = np.zeros(len(one), bool)
    for fault in faults:
        labels[fault.start : fault.end] = True
    np.testing.assert_array_equal(labels, one.labels)


def test_what_an_alarm_overlaps_is_found_by_kind_with_its_delay():
    collection = data.load(CONFIG)
    (one,) = collection.series
    faults = report.faults_of_set("", collection)
    longest = max(faults, key=lambda fault: fault.end - fault.start)
    alarms = [(longest.start + 3, longest.start + 4), (longest.end, longest.end + 1)]
    threshold = thresholds.Threshold(1.0, "quantile", 0.0)
    found = detections.Detection(threshold, [np.zeros(len(one))], [alarms])
    counted = report.tally(faults, collection, found)
    assert sum(each.faults for each in counted.values()) == 14
    assert {kind: each.found for kind, each in counted.items() if each.found} == {longest.kind: 1}
    assert counted[longest.kind].delays == [3]
    behind = report.tally(faults, collection, dataclasses.replace(found, steps_behind=5))
    assert behind[longest.kind].delays == [8]
    events = [(fault.start, fault.end) for fault in faults]
    assert measures.count_events(events, alarms).false_alarms == 1
