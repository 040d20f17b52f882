import dataclasses

import pytest

from apps.text_generation import config as configs


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        ("text", {"test_fraction": 1.0}, "test_fraction must be at least 0 and below 1, is 1.0"),
        ("model", {"dropout": -0.1}, "dropout must be at least 0"),
        ("model", {"units": 0}, "units must be at least 1, is 0"),
        ("training", {"window_tokens": 0}, "window_tokens must be at least 1"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    tiny = configs.PRESETS["tiny"]
    changed = dataclasses.replace(getattr(tiny, group), **changes)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny, **{group: changed})


def test_presets_know_their_names_and_grow():
    assert all(config.preset == name for name, config in configs.PRESETS.items())
    units = [configs.PRESETS[name].model.units for name in ("tiny", "default", "large")]
    assert units == sorted(units)
