"""The likeliest labels come first, as a line and as fields of JSON, equals in their order."""

import numpy as np

from apps.suite.commands import label_answers

NAMES = ("no", "yes", "stop", "go")


def test_the_likeliest_labels_come_first_and_equals_keep_their_order():
    likely = np.array([0.2, 0.2, 0.35, 0.25], np.float32)
    found = label_answers.likeliest(likely, NAMES, 3)
    assert list(found) == ["stop", "go", "no"]
    assert label_answers.told("a.wav", found) == "a.wav  stop 0.35  (go 0.25, no 0.20)"
    assert label_answers.fields("a.wav", found) == {
        "input": "a.wav",
        "label": "stop",
        "probabilities": {"stop": 0.35, "go": 0.25, "no": 0.2},
    }


def test_one_label_alone_has_no_brackets():
    found = label_answers.likeliest(np.array([0.1, 0.9]), NAMES, 1)
    assert label_answers.told("b", found) == "b  yes 0.90"
