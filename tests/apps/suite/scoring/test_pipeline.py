"""Bulk scoring uses Apache Beam through its public interface, with Beam's own options."""

import ast

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from apps import score_many
from apps.suite import errors
from apps.suite.scoring import pipeline
from tests.apps import task_folders

PUBLIC = {
    "apache_beam",  # names that it exports, such as Pipeline and DoFn
    "apache_beam.options.pipeline_options",  # which its documentation of options names
}


def test_only_public_modules_of_beam_are_imported():
    found = {}
    for folder in ("apps", "lstm_layers", "benchmarks"):
        for file in (task_folders.ROOT / folder).rglob("*.py"):
            text = file.read_text("utf-8")
            for node in ast.walk(ast.parse(text)) if "apache_beam" in text else ():
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                else:
                    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for name in names:
                    if name.split(".")[0] == "apache_beam":
                        found.setdefault(name, file)
    assert "apache_beam" in found
    assert not {name: file for name, file in found.items() if name not in PUBLIC}


def test_words_are_divided_between_the_command_and_beam():
    words = "--model m --runner=FlinkRunner --input a.csv b.csv --flink_master host --keep id"
    own, beam = score_many.divided(words.split())
    assert own == ["--model", "m", "--input", "a.csv", "b.csv", "--keep", "id"]
    assert beam == ["--runner=FlinkRunner", "--flink_master", "host"]
    assert score_many.divided(["--rows-per-batch=8"]) == (["--rows-per-batch=8"], [])
    assert score_many.divided(["--keep", "id", "--", "--keep"]) == (["--keep", "id"], ["--keep"])


def test_given_options_override_those_of_bulk_scoring():
    default = pipeline.options([], 3)
    assert default.view_as(StandardOptions).runner == "FnApiRunner"
    assert default.view_as(DirectOptions).direct_num_workers == 3
    given = pipeline.options(["--runner", "FlinkRunner", "--direct_num_workers=1"], 3)
    assert given.view_as(StandardOptions).runner == "FlinkRunner"
    assert given.view_as(DirectOptions).direct_num_workers == 1


@pytest.mark.parametrize(
    "words", ["--experiment=x", "--no_direct_runner_use_stacked_bundle", "--streaming"]
)
def test_options_with_another_name_inside_beam_are_known(words):
    pipeline.options([words], 1)


def test_an_option_that_the_runner_lacks_is_named():
    with pytest.raises(errors.UserError, match=r"--project|option: project|apache_beam\[gcp\]"):
        pipeline.empty(pipeline.options(["--runner=DataflowRunner"], 1))
