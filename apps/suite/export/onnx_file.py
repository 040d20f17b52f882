"""A network as an ONNX file: converted by tf2onnx, checked in ONNX Runtime, whole or not there."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import lstm_layers
from apps.suite import errors
from apps.suite.export import check
from apps.suite.runs import files

_OPERATIONS = 17  # the version of ONNX's set of operations
# As `check.TOLERANCE`, of two libraries: each sums in an order of its own on each processor, and
# layer normalisation of few units enlarges what that rounds
_TOLERANCE = 5e-5
_AFTER = "_after"  # ends the name of a state that comes out; it goes in under the name alone


class Network(NamedTuple):
    """Network that a task writes as ONNX, with inputs that check it.

    Attributes:
        model: a functional Keras model; its inputs are named, and the outputs after its answers
            are the states that are the last of its inputs, one step on.
        answer: name of the first output.
        examples: sets of inputs by name, of several rows and lengths.
        further: names of the outputs between the first one and the states.
    """

    model: keras.Model
    answer: str
    examples: Sequence[Mapping[str, Any]]
    further: Sequence[str] = ()


def write(network: Network, file: Path) -> None:
    """Converts a network, compares it with Keras on its examples, and writes the file.

    Batch and time stay free where the model leaves them free. Inputs have the names of the
    model's, outputs those of the answers, and of the states with the suffix "_after".

    Raises:
        UserError: tf2onnx, onnx or onnxruntime is not installed; the network has something that
            ONNX has not, or answers otherwise there; the file cannot be written. There is no file
            then.
    """
    content = _converted(network)
    _check(network, content)
    files.make_folder(file.parent)
    files.write_atomically(file, content)


def _converted(network: Network) -> bytes:
    onnx, loader, convert = map(_installed, ("onnx", "tf2onnx.tf_loader", "tf2onnx.convert"))
    inputs = keras.tree.flatten(network.model.inputs)
    specs = [tf.TensorSpec(each.shape, tf.as_dtype(each.dtype), each.name) for each in inputs]

    def answered(*values: tf.Tensor) -> list[tf.Tensor]:
        by_name = {each.name: value for each, value in zip(inputs, values, strict=True)}
        return asked(network.model, by_name)

    # The portable loops are made of operations that ONNX has; the fast ones are TensorFlow's own.
    with _quiet(), lstm_layers.computed_by("portable", network.model):
        concrete = tf.function(answered, autograph=False).get_concrete_function(*specs)
        given = [each.name for each in concrete.inputs if each.dtype != tf.resource]
        given = given[: len(inputs)]  # after them come the numbers that the function has captured
        returned = [each.name for each in concrete.outputs]
        names = dict(zip(returned, _outputs(network), strict=True))
        names |= {name: name.partition(":")[0] for name in given}
        try:
            model, _ = convert.from_graph_def(
                loader.from_function(concrete, given, returned),
                name=network.model.name,
                input_names=given,
                output_names=returned,
                opset=_OPERATIONS,
                tensors_to_rename=names,
            )
        except Exception as error:  # tf2onnx raises whatever its many handlers do
            reason = " ".join(str(error).split()) or type(error).__name__
            told = f"{network.model.name}: tf2onnx cannot convert it: {reason}"
            raise errors.UserError(told) from error
    for node in _nodes(model.graph):
        if not onnx.defs.has(node.op_type, node.domain):
            parts = node.name.split("/")
            layer = parts[1] if len(parts) > 2 else node.name
            raise errors.UserError(
                f"{network.model.name}: layer {layer} needs {node.op_type}, which ONNX has not"
            )
    return bytes(model.SerializeToString())


def _check(network: Network, content: bytes) -> None:
    """Compares with Keras, whose layers compute as they do by themselves."""
    runtime = _installed("onnxruntime")
    name = network.model.name
    try:
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise errors.UserError(f"{name}: ONNX Runtime does not load it: {_line(error)}") from error
    wanted = _outputs(network)
    for example in network.examples:
        answers = asked(network.model, {key: tf.constant(each) for key, each in example.items()})
        expected = {key: each.numpy() for key, each in zip(wanted, answers, strict=True)}
        try:
            given = dict(zip(wanted, session.run(wanted, dict(example)), strict=True))
        except Exception as error:
            raise errors.UserError(f"{name}: fails in ONNX Runtime: {_line(error)}") from error
        difference = check.difference(expected, given, _TOLERANCE)
        if difference:
            raise errors.UserError(f"{name}: in ONNX Runtime it differs from Keras: {difference}")


def asked(model: keras.Model, inputs: Mapping[str, Any]) -> list[Any]:
    """Returns a model's outputs for named inputs, as a flat list."""
    given = keras.tree.map_structure(lambda each: inputs[each.name], model.input)
    return list(keras.tree.flatten(model(given, training=False)))


def _outputs(network: Network) -> list[str]:
    answers = [network.answer, *network.further]
    states = len(network.model.outputs) - len(answers)
    inputs = [each.name for each in keras.tree.flatten(network.model.inputs)]
    return [*answers, *(f"{name}{_AFTER}" for name in inputs[len(inputs) - states :])]


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _installed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        told = f"{package} is not installed; it comes with: pip install '.[onnx]'"
        raise errors.UserError(told) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences the messages of a conversion; an error reports any that matter."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    before = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.CRITICAL)
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
