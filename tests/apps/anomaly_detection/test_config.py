import dataclasses

import pytest

from apps.anomaly_detection import config as configs


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        ("data_format", {"test_fraction": 1.0}, "test_fraction"),
        ("data_format", {"validation_fraction": 0.8}, "leave nothing to train on"),
        ("data_format", {"step_seconds": -1.0}, "step_seconds"),
        ("model", {"units": 0}, "units"),
        ("model", {"clip_deviations": 0.0}, "clip_deviations"),
        ("model", {"horizon_steps": 48}, "horizon_steps must be below window_steps"),
        ("model", {"stride_steps": 49}, "stride_steps above window_steps"),
        ("training", {"steps": 15}, "steps must be a multiple of steps_per_checkpoint"),
        ("score", {"level_steps": 0.5}, "level_steps must be 0, or at least 1"),
        ("score", {"season_share": 1.0}, "season_share"),
        ("threshold", {"quantile": 1.0}, "quantile"),
        ("threshold", {"alarms_per_week": 0.0}, "alarms_per_week"),
        ("events", {"cool_down_steps": -1}, "cool_down_steps"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(getattr(configs.PRESETS["tiny"], group), **changes)


def test_only_the_forecaster_reads_a_burn_in():
    config = configs.PRESETS["tiny"]
    assert config.stretch_steps == 48 + 8
    windows = dataclasses.replace(config.model, kind="autoencoder")
    assert dataclasses.replace(config, model=windows).stretch_steps == 48
