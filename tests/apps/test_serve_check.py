"""`serve_check` finds in an export what a server, or its users, would stumble over."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps import serve_check
from apps.suite.serving import warmup_requests


class Labeller(tf.Module):
    """Signs of sums, with label names from a file, as a classifier is exported."""

    def __init__(self, folder):
        super().__init__()
        self.weights = tf.Variable(np.linspace(-1, 1, 2_000, dtype=np.float32)[:, None])
        file = folder / "labels.txt"
        file.write_text("minus\nplus\n")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.names = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, tf.string, line), "?"
        )

    @tf.function(input_signature=[tf.TensorSpec([None, 2_000], tf.float32, "values")])
    def answer(self, values):
        share = tf.nn.sigmoid(self.centred(values) @ self.weights)
        probabilities = tf.concat([1 - share, share], axis=1)
        return {
            "probabilities": probabilities,
            "label": self.names.lookup(tf.argmax(probabilities, axis=1)),
            "label_names": self.named(tf.range(2, dtype=tf.int64)),
        }

    def centred(self, values):
        return values

    def named(self, numbers):
        return self.names.lookup(numbers)

    def save(self, folder):
        values = np.random.default_rng(0).normal(0, 0.01, (3, 2_000)).astype(np.float32)
        answers = {name: value.numpy() for name, value in self.answer(values).items()}
        tf.saved_model.save(self, str(folder), {"serving_default": self.answer})
        (folder / warmup_requests.FILE).parent.mkdir()
        request = warmup_requests.Request("serving_default", {"values": values}, answers)
        warmup_requests.write(folder / warmup_requests.FILE, "labelling", [request])


class LooksAtNeighbours(Labeller):
    def centred(self, values):
        return values - tf.reduce_mean(values, axis=0)


class AnswersNobody(Labeller):
    def centred(self, values):
        return tf.pad(values, [[0, tf.cast(tf.shape(values)[0] == 0, tf.int32)], [0, 0]])


class WrongNames(Labeller):
    def named(self, numbers):
        return self.names.lookup(1 - numbers)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A good model of versions 2 and 10, below a folder of models."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("2", "10"):
        Labeller(tmp_path_factory.mktemp("labels")).save(folder / "labelling" / version)
    return folder


@pytest.fixture
def version(models, tmp_path):
    """A copy of the good version, to be spoilt."""
    return shutil.copytree(models / "labelling" / "10", tmp_path / "1")


def refused(capsys, folder):
    assert serve_check.main(["--model", str(folder)]) == 2
    return capsys.readouterr().err


def test_a_good_export_is_told_with_what_was_asked(models, capsys):
    for folder in (models, models / "labelling", models / "labelling" / "10"):
        assert serve_check.main(["--model", str(folder)]) == 0
        told, head, row = capsys.readouterr().out.splitlines()
        assert told.startswith(f"{models / 'labelling' / '10'}: loads and answers")
        assert head.split()[0] == "signature"
        assert row.split()[:3] == ["serving_default", "1", "4"]


def test_a_missing_vocabulary(version, capsys):
    (version / "assets" / "labels.txt").unlink()
    assert "labels.txt" in refused(capsys, version)


def test_a_truncated_file_of_weights(version, capsys):
    (data,) = (version / "variables").glob("variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    assert str(version) in refused(capsys, version)


def test_answers_that_are_not_keras_s(version, capsys):
    file = version / warmup_requests.FILE
    (request,) = warmup_requests.read(file)
    answers = {**request.answers, "probabilities": request.answers["probabilities"] + 0.001}
    spoilt = warmup_requests.Request(request.signature, request.inputs, answers)
    warmup_requests.write(file, "labelling", [spoilt])
    assert "differs from Keras: probabilities by up to 0.001" in refused(capsys, version)


def test_requests_that_do_not_belong_to_the_version(version, capsys):
    request = warmup_requests.Request("another", {"values": np.zeros((1, 2_000), np.float32)})
    warmup_requests.write(version / warmup_requests.FILE, "labelling", [request])
    assert "serving_default" in refused(capsys, version)
    (version / warmup_requests.FILE).unlink()
    assert "tf_serving_warmup_requests is missing" in refused(capsys, version)


def test_answers_that_depend_on_the_rows_beside_them(tmp_path, capsys):
    LooksAtNeighbours(tmp_path).save(tmp_path / "1")
    assert "asked its first row alone" in refused(capsys, tmp_path / "1")


def test_an_answer_without_a_question(tmp_path, capsys):
    AnswersNobody(tmp_path).save(tmp_path / "1")
    assert "asked no row: reloaded, it differs" in refused(capsys, tmp_path / "1")


def test_labels_under_wrong_names(tmp_path, capsys):
    WrongNames(tmp_path).save(tmp_path / "1")
    assert "and the likeliest of label_names" in refused(capsys, tmp_path / "1")


def test_python_inside(tmp_path, capsys):
    class AsksPython(Labeller):
        def centred(self, values):
            return tf.py_function(lambda given: given, [values], tf.float32)

    AsksPython(tmp_path).save(tmp_path / "1")
    assert "EagerPyFunc calls Python" in refused(capsys, tmp_path / "1")


def test_no_export_there(tmp_path, capsys):
    assert str(tmp_path) in refused(capsys, tmp_path)
    assert "nowhere" in refused(capsys, tmp_path / "nowhere")
