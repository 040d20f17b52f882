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
        ("audio", {"test_fraction": 1.0}, "test_fraction must be at least 0 and below 1, is 1.0"),
        ("audio", {"clip_seconds": 0.0}, "clip_seconds must be above 0, is 0.0"),
        ("audio", {"sample_rate_hz": 0}, "sample_rate_hz must be at least 1"),
        ("features", {"hop_milliseconds": 0.0}, "hop_milliseconds must be above 0"),
        ("features", {"lowest_hz": 9_000.0}, "lowest_hz must be below highest_hz"),
        ("augmentation", {"copies": -1}, "copies must be at least 0"),
        ("augmentation", {"highest_speed_change": 1.0}, "highest_speed_change must be at least 0"),
        ("augmentation", {"noise_probability": 1.1}, "noise_probability must be from 0 to 1"),
        ("augmentation", {"lowest_snr_db": 40.0}, "lowest_snr_db must not be above highest_snr_db"),
        ("model", {"units": 0}, "units must be at least 1, is 0"),
        ("model", {"dropout": -0.1}, "dropout must be at least 0"),
        ("model", {"layer": "bilstm", "pooling": "last"}, 'pooling "last" needs a causal layer'),
        ("training", {"context_probability": 2.0}, "context_probability must be from 0 to 1"),
        ("training", {"learning_rate": 0.0}, "learning_rate must be above 0"),
        ("training", {"steps": 61}, "steps must be a multiple of steps_per_checkpoint"),
        ("detection", {"cool_down_seconds": -1.0}, "cool_down_seconds must be at least 0"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**{group: changes})


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1, is nan"):
        changed(model={"dropout": float("nan")})


def test_presets_know_their_names_and_grow():
    assert all(config.preset == name for name, config in configs.PRESETS.items())
    units = [configs.PRESETS[name].model.units for name in ("tiny", "default", "large")]
    assert units == sorted(units)


def test_presets_answer_streams_and_what_needs_the_future_does_not():
    assert all(config.streams for config in configs.PRESETS.values())
    for group, change in (
        ("features", {"centre": True}),
        ("features", {"deltas": True}),
        ("model", {"layer": "bilstm"}),
    ):
        assert not changed(**{group: change}).streams
