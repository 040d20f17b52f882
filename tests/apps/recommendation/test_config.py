import dataclasses

import pytest

from apps.recommendation import config as configs


def changed(**groups):
    config = configs.PRESETS["tiny"]
    return dataclasses.replace(
        config,
        **{
            name: dataclasses.replace(getattr(config, name), **changes)
            for name, changes in groups.items()
        },
    )


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        ("split", {"test_fraction": 1.0}, "test_fraction must be at least 0 and below 1, is 1.0"),
        ("split", {"test_fraction": 0.6, "validation_fraction": 0.4}, "must be below 1 together"),
        ("split", {"minimum_item_events": 0}, "minimum_item_events must be at least 1, is 0"),
        ("sessions", {"gap_minutes": 0.0}, "gap_minutes must be above 0"),
        ("sessions", {"by": "column"}, "needs columns.session"),
        ("model", {"units": 0}, "units must be at least 1, is 0"),
        ("model", {"item_dropout": -0.1}, "item_dropout must be at least 0"),
        ("training", {"loss": "bpr_max", "label_smoothing": 0.1}, "softmax losses alone"),
        ("training", {"negative_power": -1.0}, "negative_power must be at least 0"),
        ("training", {"steps": 61}, "steps must be a multiple of steps_per_checkpoint"),
        ("training", {"learning_rate": float("nan")}, "learning_rate must be above 0, is nan"),
        ("evaluation", {"nearest_histories": (0,)}, "nearest_histories must be at least 1 each"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**{group: changes})


def test_presets_know_their_names_and_grow():
    assert all(config.preset == name for name, config in configs.PRESETS.items())
    units = [configs.PRESETS[name].model.units for name in ("tiny", "default", "large")]
    assert units == sorted(units)
