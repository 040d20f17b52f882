import dataclasses

import pytest

from apps.text_generation import config as configs


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        ("text", {"test_fraction": 1.0}, "test_fraction"),
        ("model", {"dropout": -0.1}, "dropout"),
        ("model", {"units": 0}, "units"),
        ("training", {"window_tokens": 0}, "window_tokens"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(getattr(configs.PRESETS["tiny"], group), **changes)
