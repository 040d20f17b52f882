"""Tells in a few lines what a training understood of its videos."""

from pathlib import Path

from apps.suite.data import account, labelled_files
from apps.video_classification import clips
from apps.video_classification import config as configs


def of(corpus: clips.Corpus, config: configs.Config) -> str:
    """Returns labels, groups, lengths, parts, and the files that are not read, a line each."""
    parts = [getattr(corpus, part) for part in labelled_files.PARTS]
    names = [name for part in parts for name in part.names]
    shown = [corpus.label_names[label] for part in parts for label in part.video_labels]
    groups = {group for part in parts for group in part.groups or ()}
    kinds = account.endings(names) if Path(corpus.source).exists() else ""
    chosen = config.clips
    spread = "the whole video"
    if chosen.sampling == "window":
        spread = f"{chosen.clip_seconds:g} s"
    skipped = [each.partition(": ")[0] for each in corpus.skipped]
    return account.lines(
        [
            ("data", f"{corpus.name}: {len(names):,} videos" + (f" ({kinds})" if kinds else "")),
            ("labels", account.labels(corpus.label_names, shown)),
            ("groups", f"{len(groups):,}" if groups else "not known"),
            ("lengths", account.spread(corpus.seconds, "s")),
            (
                "clips",
                f"{chosen.frames} frames of {chosen.height} x {chosen.width} pixels, from {spread}",
            ),
            ("parts", corpus.split),
            *(("note", note) for note in corpus.notes),
            ("damaged", account.named(skipped)),
            ("not read", account.named(corpus.unread)),
        ]
    )
