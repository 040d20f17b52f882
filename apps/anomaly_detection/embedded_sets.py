"""Series of a TFDS set that is laid out as `half_hourly_demand` is."""

import hashlib
from typing import Any

import numpy as np

from apps import dataset_builders, errors
from apps.anomaly_detection import column_roles, own_data, series
from apps.anomaly_detection import config as configs

_FEATURES = ("series", "time", "values", "label")


def read(name: str, config: configs.Config) -> series.Collection:
    """Reads the splits train, validation and test of a set, which become the three parts.

    Each example is one series' part: `series` (its name), `time` int64 [time] in seconds since
    1970, `values` float32 [time, features] (NaN where missing), `label` bool [time]. The names of
    the columns are the metadata's `columns`.

    Raises:
        UserError: no such set, a set of another layout, or a part too short for the config.
    """
    builder = dataset_builders.prepare(name)
    missing = [each for each in _FEATURES if each not in builder.info.features]
    missing += [f"split {part}" for part in column_roles.PARTS if part not in builder.info.splits]
    if missing:
        raise errors.UserError(
            f"{name}: lacks {', '.join(missing)}; give a set laid out as half_hourly_demand"
        )
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in column_roles.PARTS:
        for example in builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator():
            parts.setdefault(example["series"].decode(), []).append(example)
    whole = hashlib.sha256()
    made = []
    for title, examples in parts.items():
        if len(examples) != len(column_roles.PARTS):
            raise errors.UserError(f"{name}: {title} must have one example in each split")
        time, values, labels = (
            np.concatenate([each[feature] for each in examples]) for feature in _FEATURES[1:]
        )
        for array in (time, values, labels):
            whole.update(np.ascontiguousarray(array).data)
        lengths = [len(each["time"]) for each in examples]
        borders = lengths[0], lengths[0] + lengths[1]
        own_data.check_parts(f"{name}: {title}", len(time), borders, config)
        made.append(
            series.Series(
                name=title,
                times=time.astype(np.float64),
                dated=True,
                step_seconds=float(np.median(np.diff(time))),
                values=np.nan_to_num(values, nan=0.0),
                observed=~np.isnan(values),
                labels=labels,
                train_end=borders[0],
                validation_end=borders[1],
            )
        )
    columns = (builder.info.metadata or {}).get("columns")
    width = made[0].values.shape[1]
    return series.Collection(
        name=name,
        licence=builder.info.redistribution_info.license or "see source",
        source=builder.info.homepage,
        fingerprint=whole.hexdigest(),
        split="in order of time: the set's own splits train, validation and test",
        feature_names=tuple(columns or (f"value_{at}" for at in range(1, width + 1))),
        scored_count=width,
        series=tuple(made),
    )
