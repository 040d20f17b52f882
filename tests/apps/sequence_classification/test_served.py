"""Exports of numbers, steps and texts answer as Keras, as streams, and refuse bad requests."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.sequence_classification import export, predict, scoring, serving
from apps.suite import errors
from apps.suite.export import asking
from apps.suite.sequence_answers import questions
from apps.suite.sequences import ragged
from tests.apps import served_contract
from tests.apps.sequence_classification import small_run

KINDS = {
    "numbers": {},
    "steps": {"per": "step", "layer": "gru", "convolution_count": 1},
    "both ways": {"layer": "bilstm", "pooling": "last", "pool_steps": 2, "random_kernels": 8},
    "text": {"text": True, "layer": "bilstm"},
    "smoothed": {"per": "step", "smoothed": True},
    "members": {"members": 2},
}


@pytest.fixture(scope="module", params=KINDS)
def made(request):
    return small_run.trained(**KINDS[request.param])


def asked(trained):
    return asking.of_served("small", serving.of_model(trained))


@pytest.mark.slow
def test_the_export_is_written_after_its_check(made, tmp_path):
    small_run.write(tmp_path / "run", made)
    version = export.export(tmp_path / "run", tmp_path / "exports")
    table = serving.SIGNATURES if made.channel_names else serving.TEXT_SIGNATURES
    assert not list(served_contract.differences(version, table))
    assert ("stream" in served_contract.signatures(version)) == (made.stream is not None)
    network = export.onnx_network(tmp_path / "run")
    assert len(network.examples) == 2


def test_rows_alone_and_padded_on_either_side_are_answered_alike():
    sizes = {"layer": "bilstm", "pool_steps": 2, "convolution_count": 1, "random_kernels": 8}
    model = asked(small_run.trained(**sizes))
    values = small_run.sequence(11)
    expected = model.ask(values=values[None])
    rows = np.full((2, 16, 2), np.nan, np.float32)
    rows[0, :11] = rows[1, 5:] = values
    found = model.ask(values=rows)
    for row in found["probabilities"]:
        np.testing.assert_allclose(row, expected["probabilities"][0], atol=1e-6)
    assert set(found["label"]) == set(expected["label"])


def test_smoothed_steps_are_served_as_they_are_measured_and_have_no_stream():
    trained = small_run.trained("step", smoothed=True)
    model = asked(trained)
    assert "stream" not in model.inputs
    arrays = [small_run.sequence(steps, steps) for steps in (7, 16)]
    sequences = ragged.of_arrays(arrays, ["a", "b"], small_run.CHANNELS)
    measured = scoring.of_trained(trained)(sequences)
    rows = [model.ask(values=array[None])["probabilities"][0] for array in arrays]
    np.testing.assert_allclose(np.concatenate(rows), measured, atol=1e-5)
    plain = scoring.scorer(trained.model)(sequences)
    assert np.abs(plain - measured).max() > 0.05


def test_a_stream_ends_with_the_answer_to_the_whole():
    for per, members in (("sequence", 1), ("step", 1), ("step", 2)):
        model = asked(small_run.trained(per, convolution_count=1, members=members))
        values = small_run.sequence(23)
        whole = model.ask(values=values[None])["probabilities"][0]
        found = questions.stream(model, values, ["probabilities"], chunk_steps=5)["probabilities"]
        np.testing.assert_allclose(found[-1], whole if per == "sequence" else whole[-1], atol=1e-5)
        if per == "step":
            np.testing.assert_allclose(found, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((1, 0, 2)), "no steps"),
        (np.full((1, 3, 2), np.inf), "infinite"),
        (np.full((1, 3, 2), np.nan), "without any value"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(values, told):
    with pytest.raises(errors.UserError, match=told):
        asked(small_run.trained()).ask(values=values)


def test_texts_are_answered_whatever_stands_in_them():
    model = asked(small_run.trained(text=True))
    found = model.ask(text=["a good film", "", "日本 \u200b", "good " * 400])
    assert found["probabilities"].shape == (4, 3)
    assert np.isfinite(found["probabilities"]).all()
    assert model.ask(text=np.array([], object))["label"].shape == (0,)


@pytest.fixture
def run(tmp_path):
    return lambda **kind: small_run.write(tmp_path / "run", small_run.trained(**kind)) and [
        "--run", str(tmp_path / "run"),
    ]  # fmt: skip


def told(capsys, *arguments, status=0):
    assert predict.main([*map(str, arguments)]) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_steps_are_told_as_segments(run, tmp_path, capsys):
    source = run(per="step")
    np.savetxt(tmp_path / "a.csv", small_run.sequence(30), delimiter=",", header="x,y", comments="")
    (row,) = map(json.loads, told(capsys, *source, tmp_path / "a.csv", "--json").splitlines())
    assert row["steps"] == 30
    assert [row["segments"][0]["first"], row["segments"][-1]["last"]] == [1, 30]
    for one, other in zip(row["segments"][:-1], row["segments"][1:], strict=True):
        assert one["last"] + 1 == other["first"]


def test_words_are_a_text_and_a_file_of_lines_is_many(run, tmp_path, capsys):
    source = run(text=True)
    assert "good film" not in told(capsys, *source, "a good film")
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    assert len(told(capsys, *source, tmp_path / "a.txt").splitlines()) == 2


def test_a_stream_of_a_model_that_reads_both_ways_is_refused(run, tmp_path, capsys):
    source = run(layer="bilstm")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    error = told(capsys, *source, tmp_path / "a.csv", "--stream", status=2)
    assert "--stream" in error
    assert error.count("\n") == 1


def test_a_file_without_a_channel_is_one_line(run, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("x,z\n1,2\n")
    error = told(capsys, *run(), tmp_path / "a.csv", status=2)
    assert "lacks the column y" in error
    assert error.count("\n") == 1


def test_warm_up_requests_are_answered_without_padding_by_keras():
    trained = small_run.trained()
    for request in serving.of_model(trained).requests():
        if request.signature == "serving_default":
            values = request.inputs["values"]
            expected = tf.nn.softmax(trained.model(values, training=False))
            np.testing.assert_allclose(request.answers["probabilities"], expected, atol=1e-6)
