"""A model that the page has no tab for is shown by its signatures, and answers in JSON."""

import base64
import json

import pytest

from apps.suite import errors
from apps.suite.demo import request_box
from apps.suite.export import asking
from tests.apps import echo_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    echo_model.write(folder, 1)
    with asking.exports(folder) as (model,):
        yield model


def test_the_example_is_a_request_that_is_answered(model):
    body = request_box.example(model, "serving_default")
    assert json.loads(body) == {"inputs": {"values": [[1.0] * 3] * 2}}
    assert json.loads(request_box.answer(model, "serving_default", body)) == {"outputs": [4.0, 4.0]}


def test_without_an_example_there_is_a_form(model):
    assert json.loads(request_box.example(model, "describe")) == {
        "inputs": {"text": None, "times": None}
    }


def test_bytes_go_in_and_out_in_base64(model):
    sent = base64.b64encode(b"\xff\x00").decode()
    body = json.dumps({"inputs": {"text": [{"b64": sent}], "times": 1}})
    answer = json.loads(request_box.answer(model, "describe", body))
    assert answer["outputs"]["raw_bytes"] == [{"b64": sent}]


@pytest.mark.parametrize(
    ("signature", "body", "told"),
    [
        ("serving_default", "{", "no JSON: Expecting property name"),
        ("serving_default", "[" * 100_000, "nested too deeply|no JSON"),
        ("serving_default", "{}", 'either "instances"'),
        ("serving_default", '{"inputs": {"values": [["a"]]}}', "values: needs float32"),
        ("serving_default", '{"inputs": {"values": [1.0]}}', "has shape"),
        ("describe", '{"inputs": {"text": ["a"]}}', "takes times, text|missing|takes text, times"),
        ("divide", '{"inputs": [0]}', "above 0"),
    ],
)
def test_a_bad_request_is_told_with_what_to_mend(model, signature, body, told):
    with pytest.raises(errors.UserError, match=told):
        request_box.answer(model, signature, body)


def test_the_table_names_every_input_and_output(model):
    shown = request_box.signatures(model)
    for told in ("divide", "divisor int64[any]", "quotient int64", "values float32[any, any]"):
        assert told in shown
