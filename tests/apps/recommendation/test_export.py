"""The command writes a version that is checked, tells how to ask it, and refuses in one line."""

import json
import shlex

import numpy as np
import pytest

from apps.recommendation import export, predict, serving, trained_model
from tests.apps.recommendation import small_run

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_command_tells_how_to_ask_and_what_it_tells_works(capsys, monkeypatch, run, exported):
    # The export itself is the one of the other tests: it takes seconds.
    monkeypatch.setattr(export, "export", lambda *_: exported)
    assert export.main(["--run", str(run), "--to", "anywhere"]) == 0
    out = capsys.readouterr().out
    assert f"exported to {exported}" in out
    *_, served, _, _, asked, _, _ = out.rstrip("\n").split("\n")
    body = json.loads(shlex.split(served)[1])  # of echo '…' |
    assert body["instances"][0]["history"] == list(small_run.NAMES[:2])
    program, *arguments = shlex.split(asked.split("apps.recommendation.predict", 1)[1])
    assert program == "--model"
    assert predict.main([program, *arguments]) == 0
    assert small_run.NAMES[0] in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_without_titles_is_exported_without_them(tmp_path, monkeypatch):
    monkeypatch.setattr(small_run, "TITLES", None)
    small_run.write(tmp_path / "run", layer_count=1)
    version = export.export(tmp_path / "run", tmp_path)
    files = {file.name for file in (version / "assets").iterdir()}
    assert files == {"items.txt", "settings.json"}


def test_requests_are_plain_data_and_ask_for_all_kinds_of_rows(run):
    trained = trained_model.load(run)
    found = serving.requests(
        trained.model, trained.item_names, trained.item_counts, small_run.HISTORY_ITEMS
    )
    for request in found:
        values = [*request.inputs.values(), *request.answers.values()]
        assert all(isinstance(value, np.ndarray | np.generic) for value in values)
    assert any(request.inputs["history"].shape[1] > small_run.HISTORY_ITEMS for request in found)
    assert any((request.answers["unknown"] > 0).any() for request in found)
    assert any((request.answers["items"] == b"").any() for request in found)
