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
        ("split", {"test_fraction": 1.0}, "test_fraction"),
        (
            "split",
            {"test_fraction": 0.6, "validation_fraction": 0.4},
            "validation_fraction and test_fraction",
        ),
        ("split", {"minimum_item_events": 0}, "minimum_item_events"),
        ("sessions", {"gap_minutes": 0.0}, "gap_minutes"),
        ("sessions", {"by": "column"}, "needs columns.session"),
        ("model", {"units": 0}, "units"),
        ("model", {"item_dropout": -0.1}, "item_dropout"),
        ("training", {"loss": "bpr_max", "label_smoothing": 0.1}, "label_smoothing"),
        ("training", {"negative_power": -1.0}, "negative_power"),
        ("training", {"steps": 61}, "steps must be a multiple of steps_per_checkpoint"),
        ("training", {"learning_rate": float("nan")}, "learning_rate"),
        ("evaluation", {"nearest_histories": (0,)}, "nearest_histories"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**{group: changes})
