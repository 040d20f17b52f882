"""Which kinds of labelled faults were found, where a set says of what kind each is."""

from __future__ import annotations

from typing import NamedTuple

from apps import dataset_builders
from apps.anomaly_detection import data, detections, measures, series


class Fault(NamedTuple):
    """Steps [start, end) of the series of that name, and the kind."""

    series: str
    start: int
    end: int
    kind: str


class Tally(NamedTuple):
    """Of one kind: how many there are, how many were found, and the delays of these, in steps."""

    faults: int
    found: int
    delays: list[int]


def of_set(name: str, collection: series.Collection) -> list[Fault]:
    """The faults of the test split of a TFDS set; none where it does not say.

    Args:
        name: `config.data`; "" for the embedded set.
        collection: as `data.load` read it.
    """
    builder = dataset_builders.prepare(name or data.DEFAULT)
    if "faults" not in builder.info.features:
        return []
    offsets = {one.name: one.validation_end for one in collection.series}
    found = []
    for example in builder.as_dataset(split="test", shuffle_files=False).as_numpy_iterator():
        title, faults = example["series"].decode(), example["faults"]
        for kind, start, end in zip(faults["kind"], faults["start"], faults["end"], strict=True):
            first = offsets[title] + int(start)
            found.append(Fault(title, first, offsets[title] + int(end), kind.decode()))
    return found


def tally(
    faults: list[Fault], collection: series.Collection, detection: detections.Detection
) -> dict[str, Tally]:
    """By kind, in the order of their names."""
    alarms = {one.name: each for one, each in zip(collection.series, detection.alarms, strict=True)}
    counted = {}
    for kind in sorted({fault.kind for fault in faults}):
        of_kind = [fault for fault in faults if fault.kind == kind]
        late = [
            delay + detection.steps_behind
            for fault in of_kind
            for delay in measures.delays([(fault.start, fault.end)], alarms[fault.series])
        ]
        counted[kind] = Tally(len(of_kind), len(late), late)
    return counted
