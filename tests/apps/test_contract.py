"""Holds every task folder to the house's contract, whatever the task; reads, runs no training."""

import ast
import dataclasses
import importlib
import importlib.metadata
import json
import subprocess
import sys

import pytest

from apps.suite.commands import command as configuration
from apps.suite.commands import command_line
from apps.suite.runs import config as config_fields
from tests.apps import task_folders

FILES = (
    "__init__.py", "README.md", "config.py", "data.py", "model.py", "train.py", "evaluate.py",
    "baselines.py", "predict.py", "export.py",
)  # fmt: skip
RUN = ("run_folder", "run")  # the second where the module run_folder is imported as well
FUNCTIONS: dict[str, dict[str, list]] = {  # file -> function -> parameters it must begin with
    "data.py": {"load": ["config"], "preprocess": [], "batches": []},
    "model.py": {"build": ["config"]},
    "train.py": {"train": ["config", RUN], "main": ["arguments"]},
    "evaluate.py": {"evaluate": [RUN], "main": ["arguments"]},
    "predict.py": {"predict": [], "main": ["arguments"]},
    "export.py": {"export": [RUN, "destination"], "main": ["arguments"]},
}
PRESETS = {"tiny", "default", "large"}
SECTIONS = ("result", "own data", "serv")  # each in some heading of the task's README
HIDING_NAMES = {"utils", "helpers", "common", "misc", "base", "util", "helper"}
HEAVY = ("tensorflow", "keras", "librosa", "cv2", "matplotlib", "tensorflow_datasets")
BUILDER_FILES = ("README.md", "CITATIONS.bib", "TAGS.txt", "checksums.tsv", "dummy_data")

ROOT, APPS, TASKS = task_folders.ROOT, task_folders.APPS, task_folders.TASKS
every_task = pytest.mark.parametrize("task", TASKS)


def python_files(folder):
    return [file for file in folder.rglob("*.py") if "__pycache__" not in file.parts]


def test_there_is_a_task():
    assert TASKS


@every_task
def test_the_files_have_the_same_names_in_every_task(task):
    missing = [name for name in FILES if not (APPS / task / name).is_file()]
    assert not missing, f"apps/{task} lacks {', '.join(missing)}"


@every_task
@pytest.mark.parametrize("file", FUNCTIONS)
def test_the_functions_have_the_same_names_and_parameters(task, file):
    found = task_folders.functions(APPS / task / file)
    for name, parameters in FUNCTIONS[file].items():
        assert name in found, f"{file} has no function {name}"
        assert len(found[name]) >= len(parameters), f"{file}: {name}({', '.join(found[name])})"
        for parameter, allowed in zip(found[name], parameters, strict=False):
            assert parameter in (allowed if isinstance(allowed, tuple) else (allowed,)), name


@every_task
def test_baselines_are_public_functions(task):
    assert task_folders.functions(APPS / task / "baselines.py")


@every_task
def test_training_takes_overwrite_on_to_the_run_folder(task):
    assert "overwrite" in task_folders.functions(APPS / task / "train.py")["train"]


@every_task
def test_the_package_says_in_a_line_what_it_learns(task):
    docstring = ast.get_docstring(task_folders.tree(APPS / task / "__init__.py")) or ""
    assert docstring.splitlines()[0].endswith(".")


@every_task
def test_presets_are_frozen_configs_under_their_own_names(task):
    presets = importlib.import_module(f"apps.{task}.config").PRESETS
    assert presets.keys() >= PRESETS
    for name, config in presets.items():
        assert config.preset == name
        assert [field.name for field in dataclasses.fields(config)][:3] == [
            "preset",
            "data",
            "seed",
        ]
        groups = [getattr(config, field.name) for field in dataclasses.fields(config)[3:]]
        for frozen in (config, *groups):
            assert dataclasses.is_dataclass(frozen)
            assert frozen.__dataclass_params__.frozen
        assert config_fields.from_dict(type(config), config_fields.to_dict(config)) == config
    assert presets["default"].data == "", "the default is the embedded data"
    units = [presets[name].model.units for name in ("tiny", "default", "large")]
    assert units == sorted(units), "they grow"


@every_task
def test_no_command_imports_anything_heavy_before_it_runs(task):
    # One process for the four: what a command imports at the top shows in sys.modules.
    program = (
        "import importlib, sys\n"
        "for command in sys.argv[2:]:\n"
        "    module = importlib.import_module(f'apps.{sys.argv[1]}.{command}')\n"
        "    assert module.main(['--help']) == 0, command\n"
        f"    heavy = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "    assert not heavy, f'{command} imports {heavy}'"
    )
    arguments = [sys.executable, "-c", program, task, *task_folders.COMMANDS]
    ended = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr


@every_task
@pytest.mark.parametrize("command", task_folders.COMMANDS)
def test_the_file_is_a_script_as_well_as_a_module(task, command):
    # By its path, Python puts the task's folder first on sys.path: a file there that is named
    # like a dependency's module would hide it.
    script = APPS / task / f"{command}.py"
    program = (
        f"import runpy, sys; sys.argv = ['x', '--help']; sys.path.insert(0, {str(APPS / task)!r})"
    )
    program += f"; runpy.run_path({str(script)!r}, run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, b"")


@every_task
@pytest.mark.parametrize("command", task_folders.COMMANDS)
def test_an_unknown_option_is_one_line_and_status_2(task, command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"apps.{task}.{command}")
    assert module.main(["--no_such_option", "1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: unknown option --no_such_option")
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@every_task
def test_the_readme_has_its_sections_and_all_four_commands(task):
    readme = APPS / task / "README.md"
    found = task_folders.headings(readme)
    for section in SECTIONS:
        assert any(section in heading for heading in found), f"no heading with {section!r}"
    told = {command for of, command, _ in task_folders.commands(readme) if of == task}
    assert told >= set(task_folders.COMMANDS)


@every_task
def test_the_readme_s_commands_are_valid(task):
    for of, command, arguments in task_folders.commands(APPS / task / "README.md"):
        check_command(of, command, arguments)


def test_the_first_page_lists_every_task_with_valid_commands():
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for task in TASKS:
        assert f"apps/{task}" in text
    for task, command, arguments in task_folders.commands(readme):
        check_command(task, command, arguments)


def check_command(task, command, arguments):
    """Raises UserError for arguments that the command's own parser refuses."""
    module = importlib.import_module(f"apps.{task}.{command}")
    if command == "train":
        presets = importlib.import_module(f"apps.{task}.config").PRESETS
        configuration.train_options(task, presets, arguments)
    else:
        named = {
            "evaluate": configuration.EvaluateOptions,
            "export": configuration.ExportOptions,
        }
        options = getattr(module, "Options", None) or named[command]
        command_line.parse(options, arguments, program="", description="")


@every_task
def test_the_notebook_calls_the_task_and_defines_no_model(task):
    notebook = json.loads((ROOT / "notebooks" / f"{task}.ipynb").read_text(encoding="utf-8"))
    code = "\n".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"
    )
    assert f"apps.{task}" in code
    for definition in ("keras.Model(", "keras.Sequential(", "keras.layers.", "class "):
        assert definition not in code


@every_task
def test_the_task_has_tests_of_its_own(task):
    assert list((ROOT / "tests" / "apps" / task).glob("test_*.py"))


@every_task
def test_a_task_imports_no_other_task(task):
    others = tuple(f"apps.{other}" for other in TASKS if other != task)
    for file in python_files(APPS / task):
        assert not [name for name in task_folders.imports(file) if belongs(name, others)], file


def test_mechanisms_import_no_task():
    tasks = tuple(f"apps.{task}" for task in TASKS)
    for file in APPS.glob("*.py"):
        assert not [name for name in task_folders.imports(file) if belongs(name, tasks)], file


@pytest.mark.parametrize("folder", ["lstm_layers", "datasets"])
def test_layers_and_builders_know_no_app(folder):
    files = python_files(ROOT / folder)
    assert files
    for file in files:
        above = ("apps", "tests", "benchmarks", "datasets")
        assert not [name for name in task_folders.imports(file) if belongs(name, above)], file


def belongs(module, packages):
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_no_file_hides_a_module_of_python_or_of_a_dependency():
    installed = {*importlib.metadata.packages_distributions(), *sys.stdlib_module_names}
    own = {"apps", "lstm_layers", "tests"}
    for file in [*python_files(APPS), *python_files(ROOT / "lstm_layers")]:
        if not file.stem.startswith("__"):
            assert file.stem not in installed - own, file
            assert file.stem not in HIDING_NAMES, file


def test_dataset_builders_are_laid_out_as_tfds_lays_them_out():
    assert not (ROOT / "datasets" / "__init__.py").exists()  # it would hide Hugging Face's package
    for folder in (ROOT / "datasets").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            for name in (f"{folder.name}_dataset_builder.py", *BUILDER_FILES):
                assert (folder / name).exists(), f"{folder.name} lacks {name}"
