"""Exports are found, described and asked: loaded here, or at a server, with the same answers."""

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.export import asking
from apps.suite.serving import server as model_server
from tests.apps import echo_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for number in (2, 10):
        echo_model.write(folder, number)
    return folder


@pytest.fixture(scope="module")
def here(folder):
    with asking.exports(folder) as (model,):
        yield model


@pytest.fixture(scope="module")
def served(folder):
    with model_server.serving(
        model_server.Options(models=folder, rest_port=0, grpc_port=0)
    ) as serving:
        yield serving


@pytest.fixture(params=["here", "grpc", "rest"])
def model(request, folder, here, served):
    if request.param == "here":
        yield here
        return
    scheme = "http://" if request.param == "rest" else ""
    port = served.rest_port if scheme else served.grpc_port
    with asking.exports(folder, f"{scheme}127.0.0.1:{port}") as (model,):
        yield model


def test_the_newest_version_answers_wherever_it_is(model):
    assert (model.name, model.number) == ("echo", 10)
    answer = model.ask(values=[[1, 2, 3]])  # whole numbers where it wants others
    np.testing.assert_array_equal(answer["sums"], [16.0])
    answer = model.ask("describe", text=[b"four"], times=2)
    assert answer["length"].tolist() == [8]
    assert answer["raw_bytes"].tolist() == [b"four"]


def test_a_refusal_is_told_with_the_model_s_own_reason(model):
    with pytest.raises(errors.UserError, match="divisor: has to be above 0"):
        model.ask("divide", divisor=[0])
    with pytest.raises(errors.UserError, match="takes values, not other"):
        model.ask(other=[[1.0]])
    with pytest.raises(errors.UserError, match="no signature 'other'; it has describe, divide"):
        model.ask("other")


def test_signatures_and_examples_are_known_without_a_question(here):
    assert here.inputs["divide"]["divisor"].described() == "int64[any]"
    assert here.outputs["describe"]["kinds"].described() == "string[3]"
    np.testing.assert_array_equal(here.example()["values"], np.ones((2, 3)))
    assert here.example("divide") == {}
    assert here.settings == {}
    assert here.asset("nothing.txt") is None


def test_a_server_with_another_version_is_no_answer(folder, served, tmp_path):
    echo_model.write(tmp_path, 11)
    with (
        asking.exports(tmp_path, f"127.0.0.1:{served.grpc_port}") as (model,),
        pytest.raises(errors.UserError, match="version 11 of echo is not served"),
    ):
        model.ask(values=[[1.0]])


def test_a_folder_without_a_version_is_told(tmp_path):
    for folder, told in ((tmp_path, "export a run there first"), (tmp_path / "no", "is no folder")):
        with (
            pytest.raises(errors.UserError, match=told),
            asking.exports(folder),
        ):
            pass


def test_an_address_that_is_none_is_told(folder):
    with (
        pytest.raises(errors.UserError, match="needs HOST:PORT"),
        asking.exports(folder, "nowhere"),
    ):
        pass


def test_a_version_that_does_not_load_is_left_out_and_the_others_stay(tmp_path, capsys):
    version = echo_model.write(tmp_path, 1)
    (tmp_path / "broken" / "1").mkdir(parents=True)
    content = (version / "saved_model.pb").read_bytes()
    (tmp_path / "broken" / "1" / "saved_model.pb").write_bytes(content)
    with asking.exports(tmp_path) as models:
        assert [model.name for model in models] == ["echo"]
    assert "broken/1 does not load" in capsys.readouterr().out
    (version / "saved_model.pb").write_bytes(b"\xff\xff")
    with (
        pytest.raises(errors.UserError, match=r"nothing in .* loads"),
        asking.exports(tmp_path),
    ):
        pass
