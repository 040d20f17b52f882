"""Outputs that are stored in notebooks are those of their code, small, and name no machine."""

import base64
import io
import json
import re
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from notebooks import outputs, stored_outputs

NOTEBOOKS = sorted(outputs.FOLDER.glob("*.ipynb"))
MACHINE = re.compile(r"/(?:home|root|tmp|Users|work|usr)/|site-packages| at 0x[0-9a-f]{6}|\x1b\[")
every_notebook = pytest.mark.parametrize("file", NOTEBOOKS, ids=[file.stem for file in NOTEBOOKS])


def stored(file):
    """The notebook's JSON; a notebook without outputs is named among the skipped tests."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    if not stored_outputs.has_outputs(notebook):
        pytest.skip(f"{file.name} has no outputs: python -m notebooks.outputs {file.stem}")
    return notebook


@every_notebook
def test_the_stored_outputs_are_those_of_the_code(file):
    notebook = stored(file)
    assert notebook["metadata"].get(stored_outputs.DIGEST) == stored_outputs.digest(notebook), (
        f"{file.name}: the code has changed since its outputs were stored; "
        f"python -m notebooks.outputs {file.stem}"
    )


@every_notebook
def test_a_notebook_is_small_and_its_outputs_name_no_machine(file):
    notebook = stored(file)
    assert file.stat().st_size <= outputs.MOST_BYTES
    for cell in notebook["cells"]:
        assert "execution" not in cell["metadata"]
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr"
            kinds = output.get("data", {})
            assert set(kinds) <= set(stored_outputs.KINDS)
            texts = [output.get("text", []), *(kinds.get(kind, []) for kind in ("text/plain",))]
            found = MACHINE.search("".join("".join(text) for text in texts))
            assert not found, found[0]


NOISY = """\
import os, sys
from pathlib import Path
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio, Image, display
print("WARNING: a library is not happy", file=sys.stderr)
print("written to", Path("runs/mine").resolve())
print("step 20 of 40  loss 2.1  12.5 steps/s  3 min left  (best so far)")
print("still working, 31 s after “step 20 of 40”")
print("INFO:tensorflow:Assets written to: exports/.partial-1/assets")
print("preset", os.environ["NOTEBOOK_PRESET"], "run", os.environ["NOTEBOOK_RUN"])
print(Path(os.environ["NOTEBOOK_RUN"], "metrics.json").read_text())
"""
PLOT = """\
figure, axes = plt.subplots(figsize=(20, 4), dpi=100)
axes.plot(np.arange(5), label="a line")
display(figure)
plt.close(figure)
axes.legend()
"""
SOUND = "Audio(np.sin(np.arange(16_000) / 9), rate=16_000)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of notebooks with one that prints what no file should hold; beside it a run."""
    monkeypatch.setattr(outputs, "FOLDER", tmp_path / "notebooks")
    outputs.FOLDER.mkdir()
    cells = [nbformat.v4.new_code_cell(code) for code in (NOISY, PLOT, SOUND)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), outputs.FOLDER / "noisy.ipynb")
    (tmp_path / "a_run").mkdir()
    (tmp_path / "a_run" / "metrics.json").write_text("the metrics")
    return tmp_path


@pytest.mark.slow
def test_an_executed_notebook_keeps_plots_sounds_and_text_and_nothing_of_the_machine(
    folder, monkeypatch, capsys
):
    monkeypatch.delenv("MPLBACKEND")  # of the tests; the kernel draws into the notebook
    arguments = ["noisy", "--preset", "tiny", "--run", f"noisy={folder / 'a_run'}"]
    assert outputs.main([*arguments, "--to", str(folder / "work")]) == 0
    assert "noisy: left out: WARNING: a library is not happy" in capsys.readouterr().out
    notebook = json.loads((outputs.FOLDER / "noisy.ipynb").read_text())
    printed, plot, sound = [cell["outputs"] for cell in notebook["cells"]]
    assert "".join(printed[0]["text"]) == (
        "written to runs/mine\n"
        "step 20 of 40  loss 2.1  (best so far)\n"
        "preset tiny run runs/noisy\n"
        "the metrics\n"
    )
    (picture,) = plot  # and not the legend's name
    with Image.open(io.BytesIO(base64.b64decode("".join(picture["data"]["image/png"])))) as opened:
        assert opened.width <= stored_outputs.WIDEST_PIXELS
    player = "".join(sound[0]["data"]["text/html"])
    assert "data:audio/mpeg;base64," in player
    assert len(player) < 16_000, "a second of the wav takes 43,000"
    assert notebook["metadata"][stored_outputs.DIGEST] == stored_outputs.digest(notebook)
    assert str(folder) not in json.dumps(notebook)

    notebook["cells"][0]["source"] = ["pass"]
    assert notebook["metadata"][stored_outputs.DIGEST] != stored_outputs.digest(notebook)


@pytest.mark.slow
def test_a_cell_that_fails_is_named_and_the_file_stays(folder, capsys):
    cell = nbformat.v4.new_code_cell("raise ValueError('too few series')")
    file = outputs.FOLDER / "noisy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)
    before = file.read_bytes()
    assert outputs.main(["noisy", "--to", str(folder / "work")]) == 2
    assert "noisy.ipynb: a cell failed: ValueError: too few series" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing: no such notebook; there are noisy"),
        (["--run", "noisy"], "'noisy' must be NOTEBOOK=FOLDER"),
        (["--run", "noisy=missing"], "missing holds no finished run"),
    ],
)
def test_what_cannot_be_executed_is_one_line(folder, capsys, arguments, message):
    assert outputs.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_outputs_that_are_too_large_are_not_stored(folder):
    cell = nbformat.v4.new_code_cell("print(numbers)")
    text = "0123456789" * (outputs.MOST_BYTES // 10)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    with pytest.raises(Exception, match=r"print\(numbers\)"):
        outputs.store("noisy", nbformat.v4.new_notebook(cells=[cell]), {})
    assert "numbers" not in Path(outputs.FOLDER / "noisy.ipynb").read_text()
