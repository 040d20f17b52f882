"""Copies of every layer: in memory, through pickle, `.h5` and exports, with the states it has."""

import copy
import pickle
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
}


@pytest.fixture(params=COPIES)
def copied(request):
    return COPIES[request.param]


def _model(make_layer, **options):
    inputs = keras.Input(batch_shape=(4, 6, 2))
    return keras.Model(inputs, make_layer(**options)(inputs))


def test_a_layer_that_is_not_built_copies(make_layer, copied, sequences):
    layer = make_layer(return_sequences=True)
    same = copied(layer)
    assert same.get_config() == layer.get_config()
    assert same(sequences).shape == layer(sequences).shape


def test_a_stateful_layer_goes_on_in_its_copy(make_layer, copied, sequences):
    layer = make_layer(stateful=True)
    layer(sequences)
    np.testing.assert_array_equal(copied(layer)(sequences), layer(sequences))


def test_a_compiled_stateful_model_goes_on_in_its_copy(make_layer, copied, sequences):
    model = _model(make_layer, stateful=True)
    model.compile("sgd", "mse")
    model(sequences)
    same = copied(model)
    np.testing.assert_array_equal(same(sequences), model(sequences))


def test_weights_of_a_stateful_layer_load_for_another_number_of_rows(
    make_layer, sequences, tmp_path
):
    model = _model(make_layer, stateful=True)
    model(sequences)
    model.save_weights(tmp_path / "all.weights.h5")
    inputs = keras.Input(batch_shape=(2, 6, 2))
    layer = make_layer(stateful=True)
    other = keras.Model(inputs, layer(inputs))
    other.load_weights(tmp_path / "all.weights.h5")
    assert not any(np.any(state) for state in layer.states)
    model.layers[1].reset_state()
    expected = model(sequences)[:2]
    np.testing.assert_allclose(other(sequences[:2]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_h5_gives_the_same_answers(make_layer, sequences, tmp_path):
    model = _model(make_layer)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(loaded(sequences), model(sequences))


def test_an_exported_stateful_model_keeps_its_state(make_layer, sequences, tmp_path):
    model = _model(make_layer, stateful=True)
    layer = model.layers[1]
    layer.reset_state()
    model.export(tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    first, second = loaded.serve(sequences), loaded.serve(sequences)
    layer.reset_state()
    np.testing.assert_allclose(first, model(sequences), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, model(sequences), rtol=1e-5, atol=1e-6)


def test_calls_of_several_threads_have_dropout_masks_of_their_own(make_layer):
    layer = make_layer(dropout=0.5, recurrent_dropout=0.3)
    layer.build((None, None, 2))
    failures = []

    def work(rows):
        try:
            for _ in range(10):
                assert layer(tf.ones((rows, 3, 2)), training=True).shape[0] == rows
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("masked", [False, True])
def test_keras_writes_onnx_that_onnx_runtime_reads(make_layer, sequences, tmp_path, masked):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    if masked:
        inputs = keras.Input((None,), dtype="int32")
        hidden = keras.layers.Embedding(5, 2, mask_zero=True)(inputs)
        data = np.array([[1, 2, 3, 0], [0, 2, 1, 3]], "int32")
    else:
        inputs = hidden = keras.Input((None, 2))
        data = sequences
    model = keras.Model(inputs, make_layer()(make_layer(return_sequences=True)(hidden)))
    expected = model(data)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (outputs,) = session.run(None, {session.get_inputs()[0].name: data})
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
