"""The user's own recordings: a folder for each word, or a csv file that lists them."""

from pathlib import Path

from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.data import file_reader, recordings_csv
from apps.suite.sounds import sound_files

_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}


def find(path: Path, sample_rate_hz: int) -> recordings.Source:
    """What a folder or a csv file lists; no recording is opened.

    A folder holds one folder for each word, whose name is the label, with wav, flac or ogg files
    in it. `_background_noise_` is noise, not a word; `_silence_` and `_unknown_` are the labels
    silence and unknown. `validation_list.txt` and `testing_list.txt` name the files of those parts
    as in the Speech Commands data; a word whose folder is not there may be in them. The speaker is
    what stands before `_nohash_` in a file's name.

    A csv has the header `path,label`, and may have `speaker` and `part` (train, validation or
    test); paths begin at the csv's folder. The label `_background_noise_` is noise there as well.

    Raises:
        UserError: naming the folder, or the file and line.
    """
    if path.is_dir():
        return _find_folder(path, sample_rate_hz)
    if path.suffix.lower() == ".csv":
        return recordings_csv.find(path, sample_rate_hz)
    raise errors.UserError(f"{path}: give a folder with a folder for each word in it, or a csv")


def _find_folder(folder: Path, sample_rate_hz: int) -> recordings.Source:
    listed, lists = _listed(folder)
    found, places, parts = [], [], []
    words = [word for word in _folders(folder) if word.name != recordings.BACKGROUND]
    if not words:
        raise errors.UserError(
            f"{folder}: no folder in it; make one for each word, with its recordings in it"
        )
    for word in words:
        files = _sounds(word)
        if not files:
            raise errors.UserError(
                f"{word}: no wav, flac or ogg file in this folder; put recordings of "
                f"{word.name!r} there, or remove it"
            )
        for file in files:
            name = f"{word.name}/{file.name}"
            speaker, mark, _ = file.name.partition("_nohash_")
            label = recordings.label_of(word.name)
            found.append(recordings.Recording(name, label, speaker if mark else ""))
            places.append(recordings.Place(name))
            parts.append(listed.get(name, "train"))
    return recordings.Source(
        name=folder.resolve().name,
        licence="your own",
        source=str(folder.resolve()),
        recordings=tuple(found),
        places=tuple(places),
        parts=tuple(parts),
        divided_by=" and ".join(lists),
        reader=file_reader.FileReader(folder.resolve(), sample_rate_hz),
        background=tuple(_sounds(folder / recordings.BACKGROUND)),
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")


def _sounds(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in (folder.iterdir() if folder.is_dir() else ())
        if file.suffix.lower() in sound_files.SUFFIXES and file.name[0] != "."
    )


def _listed(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The part of each file that a list names, and the names of the lists."""
    parts: dict[str, str] = {}
    lists = [name for name in _LISTS if (folder / name).is_file()]
    for name in lists:
        for number, line in enumerate(recordings_csv.lines_of(folder / name), 1):
            file = line.strip()
            if not file:
                continue
            place = f"{folder / name}, line {number}: {file}"
            if file in parts:
                raise errors.UserError(f"{place} is listed before; take out one of the lines")
            if (folder / file).parent.is_dir() and not (folder / file).is_file():
                raise errors.UserError(f"{place}: no such file; take out the line")
            parts[file] = _LISTS[name]
    return parts, lists
