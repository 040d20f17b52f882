"""Tells in a few lines what a training understood of its recordings."""

import itertools
from pathlib import Path

from apps.speech_commands import recordings
from apps.suite.data import account, labelled_files
from apps.suite.sounds import sound_files


def of(corpus: recordings.Corpus) -> str:
    """Returns labels, speakers, lengths, parts, and the files that are not read, a line each."""
    parts = {part: getattr(corpus, part).recordings for part in labelled_files.PARTS}
    held = list(itertools.chain.from_iterable(parts.values()))
    speakers = {each.speaker for each in held} - {""}
    kinds = account.endings(each.name for each in held) if Path(corpus.source).exists() else ""
    counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    unread = account.named(corpus.unread)
    return account.lines(
        [
            ("data", f"{corpus.name}: {len(held):,} clips" + (f" ({kinds})" if kinds else "")),
            ("labels", account.labels(corpus.label_names, (each.label for each in held))),
            ("speakers", f"{len(speakers):,}" if speakers else "not known"),
            ("lengths", account.spread(corpus.seconds, "s")),
            ("window", f"{corpus.clip_seconds:g} s of a stream are judged at a time"),
            ("parts", f"{counts}; {corpus.split}"),
            ("noise", f"{len(corpus.noise):,} sounds to mix in" if corpus.noise else ""),
            *(("note", note) for note in corpus.notes),
            ("not read", unread and f"{unread} (a folder of a label holds {sound_files.KINDS})"),
        ]
    )
