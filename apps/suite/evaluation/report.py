"""report.html: a model card in one file that a person can read, print and send.

A task gives what only it knows as a `Card`; config, versions, commit and the command that repeats
the run are read from the run folder. Everything is escaped: a generated text is data, not markup.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from apps.suite.evaluation import comparison, plots
from apps.suite.runs import config as config_fields
from apps.suite.runs import files, run_folder
from apps.suite.training import history

HEAT_LEVELS = 9  # of a coloured passage; report.html.j2 has a colour for each
TEMPLATE = "report.html.j2"
_PARTS = {"train": "Training part", "validation": "Validation part", "test": "Test part"}


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A caption, a header and rows of text; the first column names the rows."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: str | None = None  # the name of the row that stands out


@dataclasses.dataclass(frozen=True)
class Passage:
    """Preformatted text with its white space, such as an input beside its answer."""

    caption: str
    text: str
    lead: str = ""  # what was given, shown fainter before the text


@dataclasses.dataclass(frozen=True)
class Heated:
    """Text whose parts are coloured by a value, from nothing at 0 to full at `full`."""

    caption: str
    parts: Sequence[tuple[str, float]]
    full: float
    unit: str
    scale: bool = True  # shown below; once for passages in a row


@dataclasses.dataclass(frozen=True)
class Commands:
    """Commands to type, as one block; lines that begin with # are comments."""

    caption: str
    text: str


@dataclasses.dataclass(frozen=True)
class Audio:
    """A sound with a player; the page holds it, so a clip of a second adds some 40 KB."""

    caption: str
    wav: bytes  # a whole file


Block = Paragraph | Table | Passage | Heated | Commands | Audio | plots.Plot


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class Card:
    """A task's part of the model card.

    Attributes:
        title: the task, as a person writes it.
        summary: what the model does, in a sentence or two.
        facts: a few short numbers besides the primary metric, name to value.
        data: rows of the data's table besides name, fingerprint, split and sizes, such as licence.
        results: blocks under the table of the model beside its baselines.
        learning: the learning curve, and what there is to say about it.
        examples: sections of successes and failures.
        meaning: the metrics' names, and what each is.
        limits: what the numbers don't say, and what the model is not for.
        serving: how a person and a program ask the model.
        presets: the task's, to tell which fields were changed.
    """

    title: str
    summary: str
    facts: Mapping[str, str]
    data: Mapping[str, str]
    results: Sequence[Block]
    learning: Sequence[Block]
    examples: Sequence[Section]
    meaning: Mapping[str, str]
    limits: Sequence[str]
    serving: Sequence[Block]
    presets: Mapping[str, Any]


def render(folder: run_folder.RunFolder[Any], card: Card, metrics: Mapping[str, Any]) -> Path:
    """Writes report.html, and returns its path.

    Args:
        folder: of a run that is trained.
        card: the task's part.
        metrics: what `folder.write_metrics` is given.

    Raises:
        UserError: the report cannot be written.
    """
    record = files.read_json(folder.config_file)
    best = comparison.standings(metrics)[0]
    header, rows = comparison.table(metrics)
    template = _environment().get_template(TEMPLATE)
    page = template.render(
        card=card,
        task=folder.task,
        verdict=comparison.verdict(metrics),
        primary=metrics["primary"],
        is_model_best=best.is_model,
        results=Table("On the test data, the best one first.", header, rows, marked=best.name),
        all_metrics=metrics["test"],
        data=_data(folder, card, metrics["data"]),
        config=list(files.flat(record["config"])),
        preset=record["preset"],
        changed=dict(changed_fields(card.presets, folder.config)),
        command=train_command(folder.task, card.presets, folder.config, folder.path),
        made_by={
            "Seed": str(record["config"].get("seed")),
            "Commit": record["commit"],
            "Hardware": record.get("hardware", "not noted"),
            "Training": history.duration(folder.train_seconds or 0),
            "Versions": ", ".join(f"{name} {at}" for name, at in record["versions"].items()),
        },
    )
    files.write_atomically(folder.report_file, page)
    return folder.report_file


def learned(folder: run_folder.RunFolder[Any], unit: str, told: str, **options: Any) -> list[Block]:
    """Returns the learning curve of a run and a paragraph on it; see `plots.learning_curve`."""
    curve = plots.learning_curve(folder.plots, folder.history_file, unit, **options)
    return [curve, Paragraph(told)]


def ways_to_ask(
    folder: run_folder.RunFolder[Any],
    arguments: str,
    request: str,
    *,
    lead: str = "At the command line:",
    made_by: str = "",
) -> list[Block]:
    """Returns the commands that ask a run: `predict`, and a server of its export.

    Args:
        folder: of the run.
        arguments: of `predict` after `--run`, as a shell reads them.
        request: the body of a request for curl's `-d`, quoted for a shell: JSON, or @ and a file.
        lead: stands over the first command.
        made_by: a command that writes the body, which `request` "@-" reads.
    """
    run, task = shlex.quote(str(folder.path)), folder.task
    piped = f"{made_by} |\n" if made_by else ""
    return [
        Commands(lead, f"python -m apps.{task}.predict --run {run} {arguments}"),
        Commands(
            "As a service, with stock TensorFlow Serving:",
            f"python -m apps.{task}.export --run {run} --to exports\n"
            f"docker run --rm -p 8501:8501 -e MODEL_NAME={task} \\\n"
            f'    -v "$PWD/exports/{task}:/models/{task}" tensorflow/serving\n'
            f"{piped}curl -X POST localhost:8501/v1/models/{task}:predict \\\n    -d {request}",
        ),
        Paragraph(f"All inputs and signatures are described in apps/{task}/README.md."),
    ]


def wav_request(file: str) -> str:
    """Returns a command that writes the body of a request of signature `wav` for a file."""
    body = '{"signature_name": "wav", "inputs": {"wav": [{"b64": "'
    return f"""echo '{body}'$(base64 -w 0 {file})'"}}]}}}}'"""


def asked_with_text(
    folder: run_folder.RunFolder[Any], text: str, inputs: Mapping[str, Any]
) -> list[Block]:
    """Returns how a person asks a run with a text, and how a program asks its service.

    Args:
        folder: of the run.
        text: an example.
        inputs: of `serving_default`, for the same text.
    """
    request = json.dumps({"inputs": inputs}, ensure_ascii=False)
    return ways_to_ask(folder, shlex.quote(text), shlex.quote(request))


def changed_fields(presets: Mapping[str, Any], config: Any) -> Iterator[tuple[str, Any]]:
    """Returns names and values of the fields in which a config differs from its preset."""
    preset = dict(files.flat(config_fields.to_dict(presets[config.preset])))
    for name, value in files.flat(config_fields.to_dict(config)):
        if value != preset[name]:
            yield name, value


def train_command(task: str, presets: Mapping[str, Any], config: Any, run: Path) -> str:
    """Returns the command that repeats a run; it always names the seed."""
    parts = ["python", "-m", f"apps.{task}.train", "--preset", config.preset]
    parts += ["--seed", str(config.seed)]
    for name, value in changed_fields(presets, config):
        if name != "seed":
            values = value if isinstance(value, list) else [value]
            parts += [f"--{name}", *map(str, values)]
    return shlex.join([*parts, "--run", str(run)])


def heat(value: float, full: float) -> int:
    """Returns the level of colour of a value, 0 to `HEAT_LEVELS`."""
    return min(HEAT_LEVELS, max(0, math.floor(HEAT_LEVELS * value / full + 0.5)))


def data_uri(file: Path) -> str:
    """Returns a PNG file's content as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def audio_uri(wav: bytes) -> str:
    """Returns a WAV file's content as a data URI."""
    return f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"


def _data(
    folder: run_folder.RunFolder[Any], card: Card, noted: Mapping[str, Any]
) -> dict[str, str]:
    """Returns the rows of the table on the data; `noted` is the "data" of the metrics."""
    unit = noted.get("unit", "examples")
    return {
        "Name": folder.data["name"],
        **card.data,
        "Split": noted["split"],
        **{_PARTS.get(part, part): f"{n:,} {unit}" for part, n in noted["examples"].items()},
        "Fingerprint": folder.data["fingerprint"],
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        data_uri=data_uri,
        audio_uri=audio_uri,
        number=comparison.number,
        words=comparison.words,
        kind=lambda block: type(block).__name__,
    )
    environment.globals.update(heat=heat, heat_levels=HEAT_LEVELS)
    return environment
