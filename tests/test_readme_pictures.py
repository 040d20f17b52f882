"""Pictures of the READMEs: they are there, small, told in words, and have a twin for dark pages."""

import base64
import re

import numpy as np
import pytest
from PIL import Image

from docs import readme_pictures as pictures
from tests.apps import task_folders

READMES = [pictures.ROOT / "README.md", *sorted(task_folders.APPS.glob("*/README.md"))]
BLOCK = re.compile(
    r'<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
    r'<img src="([^"]+)"[^>]*? alt="([^"]*)">'
)


@pytest.mark.parametrize("readme", READMES, ids=[file.parent.name for file in READMES])
def test_pictures_of_a_readme_are_there_small_and_told_in_words(readme):
    text = readme.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("<img")
    for dark, light, told in blocks:
        assert len(told) > 20, light
        for place in (light, dark):
            file = readme.parent / place
            assert file.is_file(), file
            assert file.stat().st_size <= pictures.MOST_BYTES, file


def test_the_plots_are_those_of_tasks():
    assert set(task_folders.TASKS) >= set(pictures.PLOTS)


def finished_run(folder, name, told, pixels):
    """Writes a report and a plot in both themes, too large as they are."""
    (folder / "plots").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (200, pixels, 3), np.uint8)
    for suffix in ("", "-dark"):
        Image.fromarray(noise).save(folder / "plots" / f"{name}{suffix}.png")
    content = base64.b64encode((folder / "plots" / f"{name}.png").read_bytes()).decode()
    other = '<img src="data:image/png;base64,AAAA" alt="another plot">'
    shown = f'<img src="data:image/png;base64,{content}" alt="{told}">'
    (folder / "report.html").write_text(f"{other}\n{shown}\n{other}")


@pytest.mark.parametrize("name", ["f1_by_type", "model_and_baselines"])
def test_a_run_s_plot_is_shown_small_with_its_words_once(tmp_path, name, capsys, monkeypatch):
    monkeypatch.setattr(pictures, "REPORT_OF", "")
    monkeypatch.setattr(pictures.shutil, "which", lambda name: "a browser that is not asked")
    finished_run(tmp_path / "runs" / "tagging", name, "F1: 0.7 &lt; 0.8", 1300)
    readme = tmp_path / "apps" / "tagging" / "README.md"
    readme.parent.mkdir(parents=True)
    readme.write_text("# Tagging\n\n## Results\n\nText.\n")
    for _ in range(2):  # the second time in place of the first
        arguments = ["--runs", str(tmp_path / "runs"), "--root", str(tmp_path)]
        assert pictures.main(arguments) == 0
    (dark, light, told) = BLOCK.findall(readme.read_text())[0]
    assert readme.read_text().count("<picture>") == 1
    assert readme.read_text().startswith("# Tagging\n\n## Results\n\n<picture>")
    assert readme.read_text().endswith("</picture>\n\nText.\n")
    assert told == "F1: 0.7 &lt; 0.8"
    for place in (light, dark):
        assert (readme.parent / place).stat().st_size <= pictures.MOST_BYTES


def test_a_folder_without_runs_is_one_line(tmp_path, capsys):
    assert pictures.main(["--runs", str(tmp_path), "--root", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
