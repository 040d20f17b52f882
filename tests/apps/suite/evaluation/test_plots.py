"""Plots have titles, named axes and words for those who cannot see them, in two themes."""

import matplotlib.image
import numpy as np
import pytest

from apps.suite.evaluation import plot_style, plots

HISTORY = (
    "step,loss,validation_loss,learning_rate\n10,3.0,2.8,0.1\n20,2.0,2.1,0.1\n30,1.5,2.2,0.0\n"
)


@pytest.fixture
def history_file(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text(HISTORY)
    return file


@pytest.fixture
def axes(monkeypatch):
    """The axes of every figure that is drawn, as they were when it was done."""
    seen = []
    png = plot_style.png

    def watched(theme, title, draw, height_inches):
        def draw_and_keep(axes, theme):
            draw(axes, theme)
            seen.append(axes)

        return png(theme, title, draw_and_keep, height_inches)

    monkeypatch.setattr(plot_style, "png", watched)
    return seen


def ground(file):
    return matplotlib.image.imread(file)[0, 0, :3].mean()


def test_each_plot_is_a_light_and_a_dark_file(tmp_path, history_file):
    plot = plots.learning_curve(tmp_path, history_file, "nats")
    assert plot.light == tmp_path / "learning_curve.png"
    assert ground(plot.light) > 0.9
    assert ground(plot.dark) < 0.2


def test_the_learning_curve_shows_both_columns_the_best_and_the_reference(
    tmp_path, history_file, axes
):
    plot = plots.learning_curve(tmp_path, history_file, "nats", references={"counting": 1.9})
    drawn = axes[0]
    assert drawn.get_title(loc="left") == "Learning curve"
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("training steps", "loss (nats)")
    curves = {line.get_label(): line.get_xydata() for line in drawn.lines}
    np.testing.assert_allclose(curves["training"], [[10, 3], [20, 2], [30, 1.5]])
    np.testing.assert_allclose(curves["validation"], [[10, 2.8], [20, 2.1], [30, 2.2]])
    np.testing.assert_allclose(curves["kept: step 20"], [[20, 2.1]])
    assert [text.get_text() for text in drawn.texts] == ["counting, on the validation data"]
    for said in ("training 3 at step 10, 1.5 at step 30", "best validation 2.1 at step 20"):
        assert said in plot.alternative
    assert "counting 1.9" in plot.alternative


def test_the_best_of_a_metric_that_grows_is_its_highest(tmp_path, history_file, axes):
    plots.learning_curve(tmp_path, history_file, "", higher_is_better=True)
    assert "kept: step 10" in [line.get_label() for line in axes[0].lines]


def test_a_history_without_validation_or_of_one_row_is_drawn(tmp_path, history_file, axes):
    history_file.write_text("step,loss\n5,1.0\n")
    plot = plots.learning_curve(tmp_path, history_file, "nats")
    assert [line.get_label() for line in axes[0].lines] == ["training"]
    assert plot.alternative == "training 1 at step 5, 1 at step 5."


def test_the_bars_stand_in_the_order_of_the_standings(tmp_path, axes):
    metrics = {
        "primary": {"name": "error", "higher_is_better": False, "model": 2.0},
        "test": {"error": 2.0},
        "baselines": {"mean": {"error": 3.0}, "last value": {"error": 1.0}},
    }
    plot = plots.model_and_baselines(tmp_path, metrics, "metres")
    drawn = axes[0]
    assert [label.get_text() for label in drawn.get_yticklabels()] == [
        "last value",
        "this model",
        "mean",
    ]
    assert drawn.yaxis_inverted()
    assert [bar.get_width() for bar in drawn.patches] == [1.0, 2.0, 3.0]
    assert drawn.get_xlabel() == "metres (lower is better)"
    assert "last value 1.000, this model 2.000, mean 3.000" in plot.alternative


def test_grouped_bars_have_a_bar_for_each_category_and_series(tmp_path, axes):
    series = {"model": {"a": 1.0, "b": 2.0}, "other": {"a": 3.0, "b": 4.0}}
    plot = plots.grouped_bars(tmp_path, "bars", "Title", series, "letters", "counts")
    assert [bar.get_height() for bar in axes[0].patches] == [1.0, 2.0, 3.0, 4.0]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["a", "b"]
    assert plot.alternative == "model: a 1, b 2; other: a 3, b 4."


@pytest.mark.parametrize("theme", [plot_style.LIGHT, plot_style.DARK])
def test_text_and_bars_stand_out_from_the_ground(theme):
    def luminance(colour):
        channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    for colour in (theme.ink, theme.model, theme.other):
        lighter, darker = sorted((luminance(colour), luminance(theme.ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize("names", [[], ["found", "there"]])
def test_a_long_title_goes_on_in_a_second_line_within_the_picture(names):
    seen = []

    def draw(axes, theme):
        for name in names:
            axes.plot([0, 1], label=name)
        if names:
            plot_style.legend(axes, theme)
        seen.append(axes)

    title = "a/very/long/name/of/a/video_of_somebody.mp4, one of the worst: AP50 0.38"
    plot_style.png(plot_style.LIGHT, title, draw, 3.0)
    (axes,) = seen
    figure = axes.get_figure()
    figure.draw_without_rendering()
    assert "".join(axes.get_title(loc="left").split()) == title.replace(" ", "")
    box = axes._left_title.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    if names:
        assert not box.overlaps(axes.get_legend().get_window_extent())


def test_a_drawing_may_put_other_axes_in_the_place_of_its_own():
    def draw(axes, theme):
        figure = axes.figure
        axes.remove()
        for each, title in zip(figure.subplots(1, 2), ("left", "right"), strict=True):
            each.set_title(title)

    assert plot_style.png(plot_style.LIGHT, "both", draw, 3.0).startswith(b"\x89PNG")
