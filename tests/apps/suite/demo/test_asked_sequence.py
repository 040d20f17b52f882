"""The tabs of sequences show an answer to a csv and to a text, and refuse what they cannot read."""

import numpy as np
import pytest

from apps.sequence_classification import demo as labels
from apps.sequence_classification import serving as label_serving
from apps.sequence_regression import demo as values
from apps.sequence_regression import serving as value_serving
from apps.suite import errors
from apps.suite.demo import asked_sequence
from apps.suite.export import asking
from apps.suite.sequence_files import example_files
from tests.apps.sequence_classification import small_run as label_run
from tests.apps.sequence_regression import small_run as value_run

KINDS = {
    "a label": (labels, label_run.trained, label_serving, "Probability of each label"),
    "segments": (labels, lambda: label_run.trained("step"), label_serving, "segments"),
    "a text's label": (labels, lambda: label_run.trained(text=True), label_serving, "2 words"),
    "a value": (values, value_run.trained, value_serving, "wear: "),
    "a life": (
        values,
        lambda: value_run.trained({"remaining": True}, layer="gru"),
        value_serving,
        "<figure",
    ),
    "a text's value": (values, lambda: value_run.trained(text=True), value_serving, "wear: "),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_shown_and_what_cannot_be_read_is_refused(kind):
    demo, trained, serving, expected = KINDS[kind]
    made = trained()
    model = asking.of_served("small", serving.of_model(made))
    text = "good day"
    if made.channel_names:
        drawn = np.random.default_rng(0).normal(size=(12, len(made.channel_names)))
        text = example_files.of_values(drawn, made.channel_names)
    asked = asked_sequence.asked(model, text)
    assert asked.size == ("12 steps" if made.channel_names else "2 words")
    assert expected.lower() in demo.page(model, asked).lower()
    for wrong in ("", " \n", None):
        with pytest.raises(errors.UserError, match="no text yet"):
            asked_sequence.asked(model, wrong)
    if made.channel_names:
        with pytest.raises(errors.UserError, match=made.channel_names[0]):
            asked_sequence.asked(model, "other,columns\n1,2\n")
