import dataclasses

import pytest

from apps.video_classification import config as configs


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
        ("clips", {"frames": 0}, "frames"),
        ("clips", {"test_fraction": 1.0}, "test_fraction"),
        (
            "clips",
            {"test_fraction": 0.6, "validation_fraction": 0.5},
            "validation_fraction and test_fraction",
        ),
        ("clips", {"clip_seconds": 0.0}, "clip_seconds"),
        ("own", {"folds": 2}, "folds must be 0 or at least 3"),
        ("own", {"folds": 5, "fold": 5}, "and fold from 0 to folds - 1"),
        ("own", {"validation_fold": True}, "validation_fold needs folds"),
        ("own", {"fold": -1}, "fold"),
        ("augmentation", {"highest_zoom_share": 1.0}, "highest_zoom_share"),
        ("augmentation", {"erase_probability": 1.1}, "erase_probability"),
        ("augmentation", {"highest_brightness": -0.1}, "highest_brightness"),
        ("model", {"units": 0}, "units"),
        ("model", {"cnn_filters": ()}, "cnn_filters"),
        ("model", {"cnn_filters": (8, 0)}, "cnn_filters"),
        ("model", {"layer": "bilstm", "pooling": "last"}, 'pooling "last" needs a causal layer'),
        ("model", {"per_frame": True, "pooling": "attention"}, "per_frame"),
        (
            "model",
            {"per_frame": True, "layer": "bilstm", "pooling": "mean"},
            "per_frame",
        ),
        ("training", {"steps": 61}, "steps must be a multiple of steps_per_checkpoint"),
        ("model", {"motion_scales": 0}, "motion_scales"),
        (
            "training",
            {"learn_from_validation": True, "patience_checkpoints": 3},
            "patience_checkpoints",
        ),
        ("training", {"learning_rate": 0.0}, "learning_rate"),
        ("evaluation", {"clips_per_video": 0}, "clips_per_video"),
    ],
)
def test_values_that_cannot_work_are_refused_by_the_fields_name(group, changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**{group: changes})


def test_only_a_model_that_looks_back_streams():
    assert configs.PRESETS["default"].streams
    assert not changed(model={"layer": "bilstm", "pooling": "mean"}).streams


def test_left_and_right_are_never_mirrored_where_they_are_labels():
    for preset in ("tiny", "default"):
        config = configs.PRESETS[preset]
        assert not config.augmentation.flip
        assert not config.evaluation.flip
