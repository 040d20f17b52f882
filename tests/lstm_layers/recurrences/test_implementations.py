"""The implementation that runs a call, and the operations that an export then holds."""

import importlib
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from lstm_layers import (
    GRU,
    BiLSTM,
    PeepholeLSTM,
    SimpleRNN,
    StackedLSTM,
    VariantLSTM,
)
from lstm_layers.recurrences import implementations

BATCH, TIME, FEATURES, UNITS = 4, 8, 2, 3
STATIC = (BATCH, TIME, FEATURES)
MODULES = {
    equations: {
        name: importlib.import_module(f"lstm_layers.recurrences.{module}")
        for name, module in loops.items()
    }
    for equations, loops in implementations.LOOPS.items()
}
NAMES = [name for name in MODULES["lstm"] if name != "cudnn"]  # which needs a GPU
GRU_NAMES = [name for name in MODULES["gru"] if name != "cudnn"]
MIXED = {"dtype": "mixed_bfloat16"}
DROPOUT = {"recurrent_dropout": 0.5}
WIDE = {"units": 400}  # 643,200 weights


@pytest.fixture
def ran(monkeypatch):
    """The names of the implementations that have run, in order."""
    names = []
    for modules in MODULES.values():
        for name, module in modules.items():

            def noting(*arguments, name=name, original=module.run):
                names.append(name)
                return original(*arguments)

            monkeypatch.setattr(module, "run", noting)
    return names


def test_every_loop_has_the_same_signature():
    for modules in MODULES.values():
        for module in modules.values():
            names = list(inspect.signature(module.run).parameters)
            assert names == ["x", "mask", "initial", "weights", "options"], module.__name__


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=STATIC).astype("float32")


def _lstm(units=UNITS, **options):
    layer = PeepholeLSTM(units, peephole_initializer="random_normal", **options)
    layer.build(STATIC)
    return layer


def _gru(**options):
    layer = GRU(UNITS, bias_initializer="random_normal", **options)
    layer.build(STATIC)
    return layer


def _eager(layer, training=False, mask=None, shape=STATIC):
    return layer(tf.ones(shape), training=training, mask=mask)


def _graph(layer, training=False, mask=None, shape=STATIC, jit_compile=None):
    """Traces a call, which chooses, and compiles nothing."""
    run = tf.function(lambda x: layer(x, training=training, mask=mask), jit_compile=jit_compile)
    return run.get_concrete_function(tf.TensorSpec(shape)).graph


MASK = {"mask": np.ones((BATCH, TIME), bool)}
DYNAMIC = {"shape": (None, None, FEATURES)}
SHORT = {"shape": (BATCH, TIME - 1, FEATURES)}
TRAINING = {"training": True}


@pytest.mark.parametrize(
    ("expected", "call", "options", "situation"),
    [
        ("block", _eager, {}, {}),
        ("block", _eager, {}, TRAINING),
        ("block", _graph, {}, {}),
        ("block", _graph, {}, DYNAMIC),
        ("block", _graph, {}, {**DYNAMIC, **TRAINING}),
        ("block", _graph, {"peepholes": ""}, {}),
        ("block", _graph, DROPOUT, {}),
        ("xla", _graph, {}, TRAINING),
        ("xla", _graph, {}, {**SHORT, **TRAINING}),
        ("xla", _graph, {}, {**MASK, **TRAINING}),
        ("xla", _graph, DROPOUT, TRAINING),
        ("xla", _graph, {"activation": "softsign"}, TRAINING),
        ("xla", _graph, {"dtype": "float64"}, TRAINING),
        ("xla", _graph, {}, {"shape": (None, TIME, FEATURES), **TRAINING}),
        ("xla", _graph, {}, {"jit_compile": True, **TRAINING}),
        ("block", _graph, {}, MASK),
        ("block", _eager, {}, MASK),
        ("block", _eager, {}, {**MASK, **TRAINING}),
        ("block", _graph, {}, {**MASK, **DYNAMIC}),
        ("block", _graph, {}, SHORT),
        ("block", _eager, {}, SHORT),
        ("block", _eager, WIDE, {}),
        ("graph", _graph, WIDE, {}),
        ("graph", _graph, WIDE, DYNAMIC),
        ("graph", _graph, {}, {"jit_compile": True}),
        ("graph", _graph, {}, {"jit_compile": True, **DYNAMIC, **TRAINING}),
        ("graph", _graph, {"activation": "softsign"}, {}),
        ("graph", _graph, {"recurrent_activation": "hard_sigmoid"}, {}),
        ("graph", _graph, {"dtype": "float64"}, {}),
        ("graph", _graph, MIXED, {}),
        ("graph", _graph, MIXED, TRAINING),
        ("graph", _graph, {"unroll": True}, {}),
        ("graph", _graph, {"unroll": True}, TRAINING),
        ("graph", _graph, DROPOUT, {**DYNAMIC, **TRAINING}),
        ("graph", _eager, DROPOUT, TRAINING),
        ("graph", _eager, {**DROPOUT, "unroll": True}, TRAINING),
    ],
)
def test_what_auto_takes(expected, call, options, situation, ran):
    layer = _lstm(**options)
    call(layer, **situation)
    assert (layer.implementation_used, ran) == (expected, [expected])


@pytest.mark.parametrize(
    ("expected", "call", "options", "situation"),
    [
        ("xla", _graph, {}, TRAINING),
        ("xla", _graph, {"reset_after": False}, TRAINING),
        ("xla", _graph, {}, {**MASK, **TRAINING}),
        ("xla", _graph, DROPOUT, TRAINING),
        ("xla", _graph, {"dtype": "float64"}, TRAINING),
        ("xla", _graph, {}, {"shape": (None, TIME, FEATURES), **TRAINING}),
        ("xla", _graph, {}, {"jit_compile": True, **TRAINING}),
        ("graph", _graph, {}, {}),
        ("graph", _graph, {}, {**DYNAMIC, **TRAINING}),
        ("graph", _graph, {}, {"jit_compile": True}),
        ("graph", _graph, MIXED, TRAINING),
        ("graph", _graph, {"unroll": True}, TRAINING),
        ("graph", _eager, {}, {}),
        ("graph", _eager, {}, TRAINING),
    ],
)
def test_what_auto_takes_of_a_gru(expected, call, options, situation, ran):
    layer = _gru(**options)
    call(layer, **situation)
    assert (layer.implementation_used, ran) == (expected, [expected])


@pytest.mark.parametrize("layer_class", [VariantLSTM, SimpleRNN])
@pytest.mark.parametrize("training", [False, True])
def test_what_auto_takes_of_other_layers(layer_class, training):
    layer = layer_class(UNITS)
    layer.build(STATIC)
    _graph(layer, training)
    assert layer.implementation_used == "portable"


@pytest.mark.parametrize("make", [_lstm, _gru])
def test_auto_compiles_under_a_distribution_too(make):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        layer = make()
        _graph(layer, training=True)
    assert layer.implementation_used == "xla"


@pytest.mark.parametrize(
    ("make", "name"),
    [*((_lstm, name) for name in NAMES), *((_gru, name) for name in GRU_NAMES)],
)
@pytest.mark.parametrize("training", [False, True])
def test_the_one_asked_for_runs_and_gives_what_all_give(make, name, training, ran, x):
    layer, other = make(implementation=name), make(implementation="graph")
    other.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x, training=training), other(x), rtol=1e-5, atol=1e-6)
    assert layer.implementation_used == name
    assert ran == [name, "graph"]


@pytest.mark.parametrize("make", [BiLSTM, StackedLSTM])
@pytest.mark.parametrize("name", NAMES)
def test_layers_of_layers_hand_on_what_is_asked_for(make, name, ran):
    layer = make(UNITS, implementation=name)
    layer.build(STATIC)
    _graph(layer)
    assert ran == [name, name]
    assert layer.get_config()["implementation"] == name


def test_the_operations_are_those_of_the_implementation():
    block, xla, graph = (_graph(_lstm(implementation=name)) for name in ("block", "xla", "graph"))
    assert "BlockLSTMV2" in _operations(block.as_graph_def())
    assert not {"While", "StatelessWhile"} & _operations(block.as_graph_def())
    assert _compiled_functions(xla.as_graph_def())
    assert "BlockLSTMV2" not in _operations(graph.as_graph_def())
    assert not _compiled_functions(graph.as_graph_def())


def _operations(graph):
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return {node.op for node in nodes}


def _compiled_functions(graph):
    return [
        each.signature.name
        for each in graph.library.function
        if each.attr["_XlaMustCompile"].b or each.attr["_XlaCompile"].b
    ]


@pytest.mark.parametrize(
    ("name", "options", "call", "situation", "why"),
    [
        ("block", DROPOUT, _eager, TRAINING, "recurrent dropout"),
        ("block", {"dtype": "float64"}, _eager, {}, "float32"),
        ("block", MIXED, _graph, {}, "float32"),
        ("block", {"activation": "relu"}, _eager, {}, "tanh and sigmoid"),
        ("block", {"unroll": True}, _eager, {}, "unroll"),
        ("block", {}, _graph, {"jit_compile": True}, "XLA"),
        ("xla", {"unroll": True}, _graph, TRAINING, "unroll"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(name, options, call, situation, why, ran):
    layer = _lstm(implementation=name, **options)
    with pytest.raises(ValueError, match=f"(?s)'{name}'.*{why}.*graph"):
        call(layer, **situation)
    assert (layer.implementation_used, ran) == (None, [])


@pytest.mark.parametrize(
    ("layer_class", "name"),
    [
        (GRU, "block"),
        *((VariantLSTM, name) for name in ("graph", "block", "xla")),
        *((SimpleRNN, name) for name in ("graph", "block", "xla")),
    ],
)
def test_what_a_layer_has_not_is_refused(layer_class, name):
    layer = layer_class(UNITS, implementation=name)
    with pytest.raises(ValueError, match=f"{layer_class.__name__}Cell.*portable"):
        layer(tf.ones(STATIC))
    assert layer.implementation_used is None


def test_an_unknown_name_is_refused_at_once():
    with pytest.raises(ValueError, match=r"implementation.*'fastest'"):
        PeepholeLSTM(UNITS, implementation="fastest")


@pytest.mark.parametrize("name", ["auto", *NAMES])
def test_what_is_asked_for_survives_and_what_was_used_does_not(name):
    layer = _lstm(implementation=name)
    assert layer.implementation_used is None
    _eager(layer)
    copy = PeepholeLSTM.from_config(layer.get_config())
    assert copy.implementation == layer.implementation == name
    assert copy.implementation_used is None


layers = pytest.mark.parametrize("layer_class", [PeepholeLSTM, GRU])


def _model(layer_class=PeepholeLSTM, **options):
    inputs = keras.Input((TIME, FEATURES))
    layer = layer_class(UNITS, **options)
    return keras.Model(inputs, keras.layers.Dense(1)(layer(inputs))), layer


def _fit(model, x):
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model.fit(x, np.ones((BATCH, 1)), epochs=3, verbose=0).history["loss"]


@layers
def test_fit_runs_xla_and_learns_what_it_learns_without(layer_class, ran, x):
    results = []
    for name in ("auto", "graph"):
        keras.utils.set_random_seed(0)
        model, layer = _model(layer_class, implementation=name, recurrent_dropout=0.25, seed=1)
        ran.clear()
        losses = _fit(model, x)
        expected = "xla" if name == "auto" else "graph"
        assert (layer.implementation_used, set(ran)) == (expected, {expected})
        results.append([losses, *model.get_weights()])
    assert results[0][0][-1] < results[0][0][0]
    for compiled, plain in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("layer_class", "expected"), [(PeepholeLSTM, "block"), (GRU, "graph")])
def test_after_fit_predict_runs_what_answers_best(layer_class, expected, ran, x):
    model, layer = _model(layer_class)
    _fit(model, x)
    ran.clear()
    predicted = model.predict(x, verbose=0)
    assert (layer.implementation_used, set(ran)) == (expected, {expected})
    np.testing.assert_allclose(predicted, model(x), rtol=1e-5, atol=1e-6)


@layers
@pytest.mark.parametrize("length", [TIME, None], ids=["static", "dynamic"])
def test_a_model_compiled_as_a_whole_trains_and_answers(layer_class, length, x):
    inputs = keras.Input((length, FEATURES))
    model = keras.Model(inputs, layer_class(UNITS)(inputs))
    model.compile("sgd", "mse", jit_compile=True)
    model.fit(x, np.ones((BATCH, UNITS)), verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6)


SPECIFICATION = tf.TensorSpec(STATIC, name="x")


def _export(model, path):
    model.export(path, verbose=False)


def _export_static(model, path):
    model.export(path, verbose=False, input_signature=[SPECIFICATION])


def _save(model, path):
    tf.saved_model.save(model, path)


def _save_static(model, path):
    module = tf.Module()
    module.model = model  # its variables belong to what is saved
    module.serve = tf.function(lambda x: model(x), input_signature=[SPECIFICATION])
    tf.saved_model.save(module, path, signatures=module.serve)


def _saved_graph(path):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
@pytest.mark.parametrize("save", [_export, _export_static, _save, _save_static])
@layers
def test_what_a_trained_model_exports_runs_anywhere(layer_class, save, x, tmp_path):
    model, layer = _model(layer_class)
    _fit(model, x)
    assert layer.implementation_used == "xla"
    save(model, tmp_path)
    graph = _saved_graph(tmp_path)
    assert not _compiled_functions(graph)
    loop = {"BlockLSTMV2"} if layer_class is PeepholeLSTM else {"While", "StatelessWhile"}
    assert loop & _operations(graph)
    (answer,) = tf.saved_model.load(tmp_path).signatures["serving_default"](tf.constant(x)).values()
    np.testing.assert_allclose(answer, model(x), rtol=1e-5, atol=1e-6)


@layers
def test_an_export_of_xla_asked_for_by_name_is_seen(layer_class, tmp_path):
    """A check of the check above."""
    model, _ = _model(layer_class, implementation="xla")
    _save_static(model, tmp_path)
    assert _compiled_functions(_saved_graph(tmp_path))
