"""Outputs of a notebook as they are stored: small, without paths, times and noise of a machine."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

DIGEST = "outputs_of"
"""Key of the notebook's metadata: the digest of the code that made its outputs."""
KINDS = ("text/plain", "text/html", "text/markdown", "text/latex",
         "image/png", "image/jpeg", "image/gif")  # fmt: skip
WIDEST_PIXELS = 1_200
COLOURS = 128
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_WAV = re.compile(r'src="data:audio/(?:x-)?wav;base64,([^"]+)"(?: type="audio/(?:x-)?wav")?')
# Of a training's progress; and of a seconds column no reader can do anything with
_SPEED = re.compile(r"  [\d.e+]+ steps/s(?:  (?:(?:\d+ (?:s|min)|\d+ h \d\d min) left|done))?")
_REPEATED = re.compile(r"^.*: (?:\d+ s so far|\d+%  \d+ s left)\n?", re.MULTILINE)
# A silence told of, and a notice of TensorFlow
_OF_THE_MOMENT = re.compile(r"^(?:still working, \d+ s after |INFO:tensorflow:).*\n?", re.MULTILINE)
_READ_IN = re.compile(r" \((?:read )?in [\d.]+ s\)")
_TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")


def digest(notebook: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a notebook's code, cell by cell; `notebook` is its JSON."""
    found = hashlib.sha256()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            found.update("".join(cell["source"]).encode() + b"\0")
    return found.hexdigest()


def has_outputs(notebook: Mapping[str, Any]) -> bool:
    """Returns whether any cell has an output."""
    return any(cell.get("outputs") for cell in notebook["cells"])


def clean(notebook: Any, names_of_paths: Mapping[str, str]) -> list[str]:
    """Cleans the outputs of an executed notebook in place, and notes the digest of its code.

    Left are text, tables, pictures and sounds. Pictures are at most `WIDEST_PIXELS` wide and have a
    palette of `COLOURS`, or are stored as JPEG where that is smaller; sounds are MP3. Removed are
    paths of the machine, addresses of objects, speeds and remaining times, what was written to
    stderr, and metadata of the execution.

    Args:
        notebook: of nbformat, executed.
        names_of_paths: the name to show in place of each path; the longest one is looked for first.

    Returns the lines of stderr and the kinds of outputs that were left out.
    """
    left_out: dict[str, None] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        cell["execution_count"] = number
        cell["metadata"] = {
            name: value for name, value in cell["metadata"].items() if name != "execution"
        }
        kept = []
        for output in _joined(cell["outputs"]):
            if output["output_type"] == "stream" and output["name"] == "stderr":
                left_out |= dict.fromkeys(line for line in output["text"].splitlines() if line)
            elif output["output_type"] == "stream":
                output["text"] = _text(output["text"], names_of_paths)
                kept += [output] if output["text"].strip() else []
            else:
                refused = [kind for kind in output["data"] if kind not in KINDS]
                left_out |= dict.fromkeys(kind for kind in refused if kind == "image/svg+xml")
                sizes = [each for each in output["metadata"].values() if isinstance(each, dict)]
                output["data"] = dict(_shown(output["data"], names_of_paths))
                pictures = [kind for kind in output["data"] if kind.startswith("image/")]
                output["metadata"] = {kind: dict(sizes[0]) for kind in pictures if sizes}
                if output["output_type"] == "execute_result":
                    output["execution_count"] = number
                if output["data"] and not _is_handle(output["data"]):
                    kept.append(output)
        cell["outputs"] = kept
    language = {"name": "python"}
    notebook["metadata"] = {
        "kernelspec": notebook["metadata"].get("kernelspec", {}),
        "language_info": language,
        DIGEST: digest(notebook),
    }
    return list(left_out)


def _joined(outputs: list[Any]) -> list[Any]:
    """Joins streams of one name that follow each other, whatever their pieces were."""
    found: list[Any] = []
    for output in outputs:
        is_more = found and output["output_type"] == found[-1]["output_type"] == "stream"
        if is_more and output["name"] == found[-1]["name"]:
            found[-1]["text"] += output["text"]
        else:
            found.append(output)
    return found


def _shown(data: Mapping[str, Any], paths: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yields the kinds of an output that are kept, each made small."""
    for kind, value in data.items():
        if kind == "text/html":
            yield kind, _text(_WAV.sub(_as_mp3, value), paths)
        elif kind in _TEXTS:
            yield kind, _text(value, paths)
        elif kind == "image/png":
            yield _small_picture(value)
        elif kind in KINDS:
            yield kind, value


def _text(text: str, paths: Mapping[str, str]) -> str:
    for path in sorted(paths, key=len, reverse=True):
        text = text.replace(path, paths[path])
    text = _ADDRESS.sub("", _ESCAPES.sub("", text))
    for each in (_SPEED, _REPEATED, _OF_THE_MOMENT, _READ_IN):
        text = each.sub("", text)
    return text


def _is_handle(data: Mapping[str, Any]) -> bool:
    """Returns whether only the name of a plot's part is left, such as that of its legend."""
    return set(data) == {"text/plain"} and bool(re.match(r"\[?<matplotlib\.", data["text/plain"]))


def _small_picture(encoded: str) -> tuple[str, str]:
    """Returns kind and base64 of the smallest of the forms that show the png alike."""
    from PIL import Image

    content = base64.b64decode(encoded)
    with Image.open(io.BytesIO(content)) as opened:
        picture = opened.convert("RGBA")
    # On white, as a page is: a palette has no room for shades of transparency
    page = Image.new("RGBA", picture.size, "white")
    plain = Image.alpha_composite(page, picture).convert("RGB")
    if plain.width > WIDEST_PIXELS:
        height = round(plain.height * WIDEST_PIXELS / plain.width)
        plain = plain.resize((WIDEST_PIXELS, height), Image.Resampling.LANCZOS)
    forms = {}
    for kind, form, options in (
        ("image/png", plain.quantize(COLOURS, dither=Image.Dither.NONE), {"optimize": True}),
        ("image/jpeg", plain, {"quality": 85, "optimize": True}),
    ):
        written = io.BytesIO()
        form.save(written, kind.partition("/")[2], **options)
        forms[kind] = written.getvalue()
    # Frames of films make large palettes; lines and letters look worse as JPEG
    kind = "image/jpeg" if 2 * len(forms["image/jpeg"]) < len(forms["image/png"]) else "image/png"
    return kind, base64.b64encode(forms[kind]).decode()


def _as_mp3(found: re.Match[str]) -> str:
    """Returns the source of an audio element with its wav as MP3."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="float32")
    written = io.BytesIO()
    soundfile.write(written, samples, rate, format="MP3")
    return f'src="data:audio/mpeg;base64,{base64.b64encode(written.getvalue()).decode()}"'
