"""Lines that a person reads in a terminal or a log."""

import types

import pytest

from apps.suite.training import history


def test_a_checkpoints_line():
    row = {"step": 200, "loss": 1.23456, "validation_loss": 1.5, "learning_rate": 0.001}
    assert history.checkpoint_line(row, 1000, True, 12.34, 200.0) == (
        "step  200 of 1000  loss 1.235  validation loss 1.500  learning rate 0.001000  "
        "12.3 steps/s  3 min left  (best so far)"
    )
    assert (
        history.checkpoint_line({"step": 9}, 9, False, 1.0, 0.0) == "step 9 of 9  1 steps/s  done"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.4, "8 s"), (89, "89 s"), (170, "3 min"), (7500, "2 h 05 min")]
)
def test_durations(seconds, text):
    assert history.duration(seconds) == text


@pytest.mark.parametrize("on_terminal", [False, True])
def test_long_checkpoints_are_not_silent_in_a_pipe_either(monkeypatch, capsys, on_terminal):
    """Plain lines after each ten seconds; a terminal's line is rewritten four times a second."""
    now = [0.0]
    monkeypatch.setattr(history, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    line = history.LiveLine(1000, on_terminal)
    line.set_params({"steps": 100})
    line.on_epoch_begin(2)
    for batch in range(100):
        now[0] += 1.0
        line.on_train_batch_end(batch, {"loss": 1.5})
    told = capsys.readouterr().out
    if on_terminal:
        assert told.count("\r") == 100
        assert "\n" not in told
    else:
        steps = [each.split("  ")[0] for each in told.splitlines()]
        assert steps == [f"step {step} of 1000" for step in range(210, 301, 10)]
        assert "loss 1.500" in told
