"""Finds recordings with their transcripts: in the user's own files, and in TFDS sets.

Files that are understood: a folder of LJSpeech, Common Voice or Kaldi, a folder in which a text
file stands beside each sound file, a csv or tsv, and a manifest of JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.data import labelled_files, named_sets, sound_places
from apps.suite.sounds import sound_files
from apps.suite.texts import text_files

PARTS = labelled_files.PARTS
_SPEAKERS = ("voice", "speaker", "speaker_id", "client_id")  # features that say who speaks
_SOUNDS, _TEXTS = ("speech", "audio"), ("text_normalized", "text", "sentence", "transcript")
_FORMS = (
    "a folder of LJSpeech (metadata.csv, wavs/), Common Voice (clips/, train.tsv) or Kaldi "
    "(wav.scp, text), a folder with a .txt beside each sound file, a csv or tsv with the columns "
    "path and text, or a manifest of JSON lines with audio_filepath and text"
)
_LISTS = (".csv", ".tsv", ".json", ".jsonl", ".manifest")
_COLUMNS = ("path", "file", "filename", "audio"), ("text", "sentence", "transcript")
_OTHER_PARTS = {"dev": "validation", "valid": "validation", "val": "validation"}


class Utterance(NamedTuple):
    """A recording with what is said in it."""

    name: str  # path below the data's folder, or `test/00042` of a TFDS set; in reports and errors
    text: str
    speaker: str = ""  # "" where unknown
    snr_db: float | None = None  # of the noise behind the voice, where the data say so

    @property
    def label(self) -> str:
        """Returns one label for all, which the cache of features asks for."""
        return ""


Source = sound_places.Source[Utterance]
"""All recordings of a data set, before they are divided."""


class _Row(NamedTuple):
    """A recording as a list names it; `seconds` is (start, end) within the file."""

    where: str  # file and line, for errors
    file: Path
    text: str
    speaker: str = ""
    part: str = ""
    seconds: tuple[float, float | None] | None = None


def find_files(path: Path, sample_rate_hz: int) -> Source:
    """Returns the recordings of a folder or a list; their headers are read.

    Raises:
        UserError: a form that is not understood, a line that is not complete, a file that is not
            there or outside of the folder: names file and line.
    """
    folder = path if path.is_dir() else path.parent
    rows = list(_of_folder(path) if path.is_dir() else _of_list(path))
    if not rows:
        raise errors.UserError(f"{path}: lists no recording; give {_FORMS}")
    base, seen, utterances, places, absent = folder.resolve(), set(), [], [], []
    for row in rows:
        file = row.file.resolve()
        if not file.is_file():
            absent.append(row)
            continue
        name = str(file.relative_to(base)) if base in file.parents else str(file)
        place = sound_places.Place(str(file))
        if row.seconds is not None:
            place = _cut(row, file)
            name += f" from {row.seconds[0]:g} s"
        if name in seen:
            raise errors.UserError(f"{row.where}: {name} is listed twice; keep one of the lines")
        seen.add(name)
        utterances.append(Utterance(name, row.text, row.speaker))
        places.append(place)
    if absent:
        raise errors.UserError(
            f"{absent[0].where}: no file {absent[0].file}; {len(absent):,} of {len(rows):,} listed "
            "files are missing: restore them, or take their lines out"
        )
    parts = tuple(_part(row) for row in rows)
    return Source(
        name=path.name,
        licence="your own",
        source=str(path.resolve()),
        recordings=tuple(utterances),
        places=tuple(places),
        parts=parts,
        divided_by=f"the parts of {path.name}" if any(parts) else "",
        reader=sound_places.FileReader(base, sample_rate_hz),
        notes=tuple(_unlisted(folder, places) if path.is_dir() else ()),
    )


def _unlisted(folder: Path, places: Sequence[sound_places.Place]) -> Iterator[str]:
    sounds, _ = labelled_files.below(folder, sound_files.SUFFIXES)
    others = len({str(each.resolve()) for each in sounds} - {place.file for place in places})
    if others:
        yield f"{others:,} sound files below {folder} have no transcript and are left alone"


def _part(row: _Row) -> str:
    part = row.part.strip().lower()
    part = _OTHER_PARTS.get(part, part)
    if part and part not in PARTS:
        raise errors.UserError(f"{row.where}: part {row.part!r} is not one of {', '.join(PARTS)}")
    return part


def _cut(row: _Row, file: Path) -> sound_places.Place:
    """Returns the place of a stretch of a file."""
    assert row.seconds is not None
    start, end = row.seconds
    declared = sound_files.length(file)
    end = declared.seconds if end is None else end
    if not 0 <= start < end <= declared.seconds + 0.05:
        raise errors.UserError(
            f"{row.where}: {start:g} to {end:g} s is not within {file.name}, which has "
            f"{declared.seconds:g} s"
        )
    first = round(start * declared.sample_rate_hz)
    last = min(declared.frames, round(end * declared.sample_rate_hz))
    return sound_places.Place(str(file), first, last - first)


def _joined(where: str, folder: Path, path: str) -> Path:
    """Returns a path of a list: an absolute one unchanged, a relative one below the folder.

    Raises:
        UserError: a relative path that leaves the folder.
    """
    if not Path(path).is_absolute() and folder.resolve() not in (folder / path).resolve().parents:
        raise errors.UserError(
            f"{where}: {path} leaves the folder {folder}; name files below it, or a whole path"
        )
    return folder / path


def _of_folder(folder: Path) -> Iterator[_Row]:
    has = {each.name.lower(): each for each in folder.iterdir()}
    if "metadata.csv" in has and "wavs" in has:
        yield from _of_ljspeech(has["metadata.csv"], has["wavs"])
    elif "wav.scp" in has:
        yield from _of_kaldi(folder)
    elif "clips" in has and any(f"{each}.tsv" in has for each in ("train", "validated")):
        yield from _of_common_voice(folder)
    else:
        sounds, _ = labelled_files.below(folder, sound_files.SUFFIXES)
        pairs = [(each, each.with_suffix(".txt")) for each in sorted(sounds)]
        pairs = [(sound, text) for sound, text in pairs if text.is_file()]
        if not pairs:
            lists = [each for each in has.values() if each.suffix.lower() in _LISTS]
            raise errors.UserError(
                f"{folder}: holds no transcripts beside sounds; give "
                + (f"its list, {lists[0]}" if len(lists) == 1 else _FORMS)
            )
        for sound, text in pairs:
            top = sound.relative_to(folder).parts[0].lower()
            part = _OTHER_PARTS.get(top, top)
            yield _Row(
                str(text), sound, text_files.decoded(text), "", part if part in PARTS else ""
            )


def _of_list(file: Path) -> Iterator[_Row]:
    if file.suffix.lower() in _LISTS[2:]:
        yield from _of_manifest(file)
    elif file.suffix.lower() in _LISTS[:2]:
        for where, path, text, row in _table(file):
            seconds = _seconds(where, start=row.get("start", ""), end=row.get("end", ""))
            sound = _joined(where, file.parent, path)
            yield _Row(where, sound, text, row.get("speaker", ""), row.get("part", ""), seconds)
    else:
        raise errors.UserError(f"{file}: is not a list of recordings; give {_FORMS}")


def _table(file: Path) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Yields place, path, text and all values by column of each line of a table with a header."""
    for number, row in labelled_files.rows(file, ()):
        path, text = (next((name for name in known if name in row), "") for known in _COLUMNS)
        if not path or not text:
            missing = " or ".join(_COLUMNS[bool(path)])
            raise errors.UserError(
                f"{file}, line 1: no column {missing}; the header is {', '.join(row)}"
            )
        yield f"{file}, line {number}", row[path], row[text], row


def _seconds(where: str, **given: Any) -> tuple[float, float | None] | None:
    """Returns (start, end) of a stretch as a list writes it; None where nothing is written."""
    if all(value in ("", None) for value in given.values()):
        return None
    numbers: list[float | None] = []
    for name, value in given.items():
        try:
            numbers.append(None if value in ("", None) else float(value))
        except (TypeError, ValueError):
            told = f"{where}: {name} is {value!r}, which is not a number"
            raise errors.UserError(told) from None
    return numbers[0] or 0.0, numbers[1]


def _of_manifest(file: Path) -> Iterator[_Row]:
    for where, row in text_files.json_rows(text_files.decoded(file), file):
        if not all(isinstance(row.get(name), str) for name in ("audio_filepath", "text")):
            raise errors.UserError(f"{where}: needs audio_filepath and text, both texts")
        seconds = None
        if row.get("offset") is not None:
            seconds = _seconds(where, offset=row["offset"], duration=row.get("duration"))
        if seconds and seconds[1] is not None:
            seconds = seconds[0], seconds[0] + seconds[1]
        path = _joined(where, file.parent, row["audio_filepath"])
        speaker, part = str(row.get("speaker", "")), row.get("part", "")
        yield _Row(where, path, row["text"], speaker, part, seconds)


def _of_ljspeech(file: Path, sounds: Path) -> Iterator[_Row]:
    """Reads lines of id, text and normalised text between bars, without quotes or a header."""
    for number, line in enumerate(text_files.decoded(file).splitlines(), 1):
        if not line.strip():
            continue
        name, *texts = line.split("|")
        if not texts:
            raise errors.UserError(f"{file}, line {number}: is not id|text|normalised text")
        text, where = texts[-1].strip() or texts[0], f"{file}, line {number}"
        yield _Row(where, _joined(where, sounds, f"{name.strip()}.wav"), text)


def _of_common_voice(folder: Path) -> Iterator[_Row]:
    names = [each for each in ("train", "dev", "test") if (folder / f"{each}.tsv").is_file()]
    for name in names if "train" in names else ["validated"]:
        for where, path, text, row in _table(folder / f"{name}.tsv"):
            file = _joined(where, folder / "clips", path)
            part = "" if name == "validated" else name
            yield _Row(where, file, text, row.get("client_id", ""), part)


def _of_kaldi(folder: Path) -> Iterator[_Row]:
    def read(name: str, needed: bool = True) -> dict[str, tuple[str, str]]:
        file = folder / name
        if not file.is_file():
            if needed:
                raise errors.UserError(f"{folder}: has wav.scp and no {name}")
            return {}
        found: dict[str, tuple[str, str]] = {}
        for number, line in enumerate(text_files.decoded(file).splitlines(), 1):
            key, _, value = line.strip().partition(" ")
            if key in found:
                raise errors.UserError(f"{file}, line {number}: {key} is listed twice")
            if key:
                found[key] = f"{file}, line {number}", value.strip()
        return found

    sounds, texts = read("wav.scp"), read("text")
    speakers, segments = read("utt2spk", False), read("segments", False)
    for where, value in sounds.values():
        if value.endswith("|") or value.startswith("|"):
            raise errors.UserError(
                f"{where}: is a command ({value[:40]}…), which is not run; write the sounds out as "
                "files, and name these"
            )
    for key, (where, text) in texts.items():
        speaker = speakers.get(key, ("", ""))[1]
        recording, seconds = key, None
        if segments:
            place, value = segments.get(key, (where, ""))
            cells = value.split()
            if len(cells) != 3:
                raise errors.UserError(
                    f"{place}: {key} has no recording, start and end in segments"
                )
            recording, seconds = cells[0], _seconds(place, start=cells[1], end=cells[2])
        if recording not in sounds:
            raise errors.UserError(f"{where}: {recording} does not stand in wav.scp")
        sound = _joined(sounds[recording][0], folder, sounds[recording][1])
        yield _Row(where, sound, text, speaker, "", seconds)


def find_set(name: str, sample_rate_hz: int) -> Source:
    """Returns the recordings of a TFDS set with a sound and a text feature.

    The splits train, validation (or dev) and test are the parts; other splits are left alone. The
    first call lays the samples out in the cache folder, where later ones find them.

    Raises:
        UserError: no such set, or not one of transcribed sounds.
    """
    builder = named_sets.prepare(name)
    features = builder.info.features
    sound, text, speaker = (
        next((each for each in known if each in features), "")
        for known in (_SOUNDS, _TEXTS, _SPEAKERS)
    )
    if not sound or not text:
        raise errors.UserError(
            f"{name}: needs a sound ({' or '.join(_SOUNDS)}) and a transcript "
            f"({' or '.join(_TEXTS)}); "
            f"its features are {', '.join(features)}"
        )
    ratio = "snr_db" if "snr_db" in features else ""

    def described(named: str, said: str, who: str, decibels: str) -> Utterance:
        return Utterance(named, said, who, float(decibels) if decibels else None)

    columns = (text, speaker, ratio)
    return sound_places.of_set(builder, name, sound, columns, sample_rate_hz, described)
