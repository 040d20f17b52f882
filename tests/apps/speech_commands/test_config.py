import dataclasses

import pytest

from apps.speech_commands import config as configs


def changed(preset="tiny", **groups):
    config = configs.PRESETS[preset]
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
        ("audio", {"test_fraction": 1.0}, "test_fraction"),
        ("audio", {"clip_seconds": 0.0}, "clip_seconds"),
        ("audio", {"sample_rate_hz": 0}, "sample_rate_hz"),
        ("features", {"hop_milliseconds": 0.0}, "hop_milliseconds"),
        ("features", {"lowest_hz": 9_000.0}, "lowest_hz must be below highest_hz"),
        ("augmentation", {"copies": -1}, "copies"),
        ("augmentation", {"highest_speed_change": 1.0}, "highest_speed_change"),
        ("augmentation", {"noise_probability": 1.1}, "noise_probability"),
        ("augmentation", {"lowest_snr_db": 40.0}, "lowest_snr_db must not be above highest_snr_db"),
        ("model", {"units": 0}, "units"),
        ("model", {"dropout": -0.1}, "dropout"),
        ("model", {"layer": "bilstm", "pooling": "last"}, 'pooling "last" needs a causal layer'),
        ("training", {"context_probability": 2.0}, "context_probability"),
        ("training", {"learning_rate": 0.0}, "learning_rate"),
        ("training", {"steps": 61}, "steps must be a multiple of steps_per_checkpoint"),
        ("detection", {"cool_down_seconds": -1.0}, "cool_down_seconds"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**{group: changes})


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ValueError, match="dropout"):
        changed(model={"dropout": float("nan")})


def test_presets_answer_streams_and_what_needs_the_future_does_not():
    assert all(config.streams for config in configs.PRESETS.values())
    for group, change in (
        ("features", {"centre": True}),
        ("features", {"deltas": True}),
        ("model", {"layer": "bilstm"}),
    ):
        assert not changed(**{group: change}).streams
