"""Says which items come next: `python -m apps.recommendation.predict ITEM ITEM …`.

A run or an export behind names: who asks needn't know which of the two answers.
"""

from __future__ import annotations

import json
import logging
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.recommendation import config as configs
from apps.suite import errors
from apps.suite.commands import command

if typing.TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Wish:
    """What may be recommended: `k` items, of `include` alone if it names some, none of `exclude`.

    exclude_seen: whether items of the history are left out.
    """

    k: int = 10
    exclude_seen: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Recommended(NamedTuple):
    """An item, what people call it ("" if nobody said), and its score; higher is better."""

    item: str
    title: str
    score: float


# The best items of each history, names with their scores
_Best = Callable[[Sequence[Sequence[str]], Wish], Iterator[list[tuple[str, float]]]]


class Recommender:
    """Answers histories of item names with the items that may come next.

    Attributes:
        title_of: titles by item name; empty where the data have none.
        columns, sessions: how the run read its log; the defaults for an export.
    """

    def __init__(
        self,
        best: _Best,
        item_names: Sequence[str],
        titles: Sequence[str] | None,
        columns: configs.ColumnsConfig,
        sessions: configs.SessionsConfig,
    ) -> None:
        self._best = best
        self._names = frozenset(item_names)
        self.title_of = dict(zip(item_names, titles, strict=True)) if titles else {}
        self.columns = columns
        self.sessions = sessions

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Those of the names that training didn't see, each once: they are ignored."""
        return [name for name in dict.fromkeys(names) if name and name not in self._names]

    def __call__(
        self, histories: Sequence[Sequence[str]], wish: Wish
    ) -> Iterator[list[Recommended]]:
        """For each history, the oldest item first, up to `wish.k` items, the best one first."""
        for best in self._best(histories, wish):
            yield [Recommended(name, self.title_of.get(name, ""), score) for name, score in best]


def from_run(run: Path) -> Recommender:
    """Asks the model of a finished run as Keras runs it; UserError where there is none."""
    import numpy as np

    from apps.recommendation import ranking, serving, trained_model

    trained = trained_model.load(run)
    names = trained.item_names
    code_of = {name: code for code, name in enumerate(names, 1)}
    popularity = serving.popularity(trained.item_counts)

    def codes(chosen: Sequence[str]) -> np.ndarray:
        return np.array([code_of[name] for name in chosen if name in code_of], np.int32)

    def best(histories: Sequence[Sequence[str]], wish: Wish) -> Iterator[list[tuple[str, float]]]:
        count = min(wish.k, len(names))
        every = np.arange(1, len(names) + 1)
        left_out = codes(wish.exclude)
        if wish.include:
            left_out = np.union1d(left_out, np.setdiff1d(every, codes(wish.include)))
        for first in range(0, len(histories), _ROWS_AT_ONCE):
            seen = [codes(history) for history in histories[first : first + _ROWS_AT_ONCE]]
            scores = trained.score_last(_padded(seen, trained.config.model.history_items))
            for row, history in zip(scores, seen, strict=True):
                own = row if len(history) else popularity
                hidden = np.union1d(left_out, history) if wish.exclude_seen else left_out
                found = ranking.top_of_row(own, count, np.unique(hidden).astype(np.int64))
                yield [(names[code - 1], float(own[code - 1])) for code in found if code]

    config = trained.config
    return Recommender(best, names, trained.titles, config.columns, config.sessions)


def from_export(version: Path) -> Recommender:
    """Asks an exported version; UserError where there is none, or a damaged one."""
    import tensorflow as tf

    from apps.recommendation import serving

    if not (version / "saved_model.pb").is_file():
        raise errors.UserError(
            f"--model {version}: no exported version; it is the numbered folder that "
            "python -m apps.recommendation.export wrote"
        )
    # TensorFlow warns that gradients were not saved; nothing is trained here.
    logging.getLogger("absl").setLevel(logging.ERROR)
    damaged = errors.UserError(
        f"--model {version}: no export of recommendation, or a damaged one; export the run again"
    )
    try:
        loaded = tf.saved_model.load(str(version))
        ask = loaded.signatures["candidates"]
        assets = version / "assets"
        names = (assets / serving.VOCABULARY).read_text("utf-8").split("\n")[:-1]
        file = assets / serving.TITLES
        titles = json.loads(file.read_text("utf-8")) if file.is_file() else None
    except (tf.errors.OpError, OSError, KeyError, ValueError) as error:
        raise damaged from error

    def best(histories: Sequence[Sequence[str]], wish: Wish) -> Iterator[list[tuple[str, float]]]:
        for first in range(0, len(histories), _ROWS_AT_ONCE):
            block = histories[first : first + _ROWS_AT_ONCE]
            try:
                answer = ask(
                    history=_names(block, len(block)),
                    include=_names([wish.include], len(block)),
                    exclude=_names([wish.exclude], len(block)),
                    k=tf.constant(wish.k),
                    exclude_seen=tf.constant(wish.exclude_seen),
                )
            except (tf.errors.OpError, TypeError, ValueError) as error:
                raise damaged from error
            scores = answer["scores"].numpy()
            for row, items in enumerate(answer["items"].numpy()):
                pairs = zip(items, scores[row], strict=True)
                yield [(item.decode(), float(score)) for item, score in pairs if item]

    # The signatures hold no reference to the variables
    best.loaded = loaded  # type: ignore[attr-defined]
    return Recommender(best, names, titles, configs.ColumnsConfig(), configs.SessionsConfig())


def _padded(rows: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """The last `longest` codes of each row, zeros behind: int32 [rows, time], one step or more."""
    import numpy as np

    longest = max(1, min(longest, max(map(len, rows), default=0)))
    table = np.zeros((len(rows), longest), np.int32)
    for at, row in enumerate(rows):
        recent = row[-longest:]
        table[at, : len(recent)] = recent
    return table


def _names(rows: Sequence[Sequence[str]], count: int) -> tf.Tensor:
    """Names string [count, longest]; a single row stands for all."""
    import numpy as np
    import tensorflow as tf

    from apps.recommendation import serving

    table = serving.padded_histories(rows)
    return tf.constant(np.broadcast_to(table, (count, table.shape[1])), tf.string)


TASK = "recommendation"
_SHOWN_ITEMS = 8  # of a history, in the line above a table
_OF_RUN = configs.ColumnsConfig()  # as long as nothing else is said


@dataclass(frozen=True)
class Options:
    """Say which items come next after a history, the oldest item first, or for a file of users."""

    items: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of the items of one history; without any, the most popular items are the answer."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    model: Path | None = None
    """Ask this version folder of an export instead of a run."""
    file: Path | None = None
    """Histories of many users: .csv, .tsv, .parquet, .inter or .txt, as for training."""
    columns: configs.ColumnsConfig = _OF_RUN
    """Columns of --file, where they aren't those of the run's own data."""
    k: int = 10
    """How many items."""
    exclude_seen: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Recommend nothing that is in the history."""
    include: tuple[str, ...] = ()
    """Choose from these items alone."""
    exclude: tuple[str, ...] = ()
    """Recommend none of these items."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print an object for each history a line, for machines."""

    def __post_init__(self) -> None:
        if not 0 < self.k < 2**31:
            raise ValueError(f"--k must be at least 1 and below 2^31, is {self.k}")
        if self.file is not None and self.items:
            raise ValueError("items: give a history, or --file, not both")


class Answer(NamedTuple):
    """What follows a history.

    user: whose it is, "" on the command line.
    history: names, the oldest item first; `unknown` are those that were ignored.
    """

    user: str
    history: tuple[str, ...]
    unknown: tuple[str, ...]
    items: list[Recommended]


def predict(options: Options) -> Iterator[Answer]:
    """An answer for the history, or for the latest history of each user of the file.

    Raises:
        UserError: no finished run or no export, or a file that cannot be read.
    """
    for name in (*options.items, *options.include, *options.exclude):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise errors.UserError(f"item {name!r}: not UTF-8; check the terminal") from None
    if options.file is not None and not options.file.is_file():
        raise errors.UserError(f"--file {options.file}: no such file")

    ask = from_run(options.run) if options.model is None else from_export(options.model)
    wish = Wish(options.k, options.exclude_seen, options.include, options.exclude)
    users, histories = [""], [options.items]
    if options.file is not None:
        columns = ask.columns if options.columns == _OF_RUN else options.columns
        users, histories = _of_file(options.file, columns, ask.sessions)
    for user, history, items in zip(users, histories, ask(histories, wish), strict=True):
        yield Answer(user, history, tuple(ask.unknown(history)), items)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    for at, answer in enumerate(predict(options)):
        if options.json:
            print(_line(_object(answer)), flush=True)
            continue
        print(("\n" if at else "") + _heading(answer))
        rows = [("rank", "item", "title", "score")]
        for rank, each in enumerate(answer.items, 1):
            rows.append((str(rank), each.item, each.title, f"{each.score:.3f}"))
        shown = [0, 1, 3] if not any(each.title for each in answer.items) else [0, 1, 2, 3]
        widths = [max(len(row[column]) for row in rows) for column in shown]
        for row in rows:
            cells = [
                row[column].rjust(width) if column in (0, 3) else row[column].ljust(width)
                for column, width in zip(shown, widths, strict=True)
            ]
            print("  ".join(cells).rstrip(), flush=True)


def _line(told: dict[str, Any]) -> str:
    """JSON in which nothing but its end is a line break to anybody."""
    line = json.dumps(told, ensure_ascii=False)
    for separator in ("\x85", "\u2028", "\u2029"):  # a name may hold them; Python ends lines there
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line


def _heading(answer: Answer) -> str:
    """Whose history it is, its latest items, and what of it was ignored."""
    latest = ", ".join(answer.history[-_SHOWN_ITEMS:])
    if len(answer.history) > _SHOWN_ITEMS:
        latest = f"…, {latest}"
    line = f"after {latest}" if latest else "without a history: by popularity"
    if answer.user:
        line = f"{answer.user}, {line}"
    if answer.unknown:
        names = ", ".join(map(repr, answer.unknown[:3]))
        more = ", …" if len(answer.unknown) > 3 else ""
        line += f"\n{len(answer.unknown)} unknown and ignored: {names}{more}"
    return line


def _object(answer: Answer) -> dict[str, Any]:
    items = [
        {"item": each.item, "title": each.title, "score": round(each.score, 5)}
        if each.title
        else {"item": each.item, "score": round(each.score, 5)}
        for each in answer.items
    ]
    told = {"user": answer.user} if answer.user else {}
    known = {"history": answer.history, "unknown": answer.unknown}
    return {**told, **known, "items": items}


def _of_file(
    file: Path, columns: configs.ColumnsConfig, settings: configs.SessionsConfig
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Users in the order of their names, and the names of their latest histories."""
    import dataclasses

    import numpy as np

    from apps.recommendation import division
    from apps.recommendation import log as own_data

    columns = dataclasses.replace(columns, title="")  # known from training
    log = division.histories_of(own_data.read(file, columns, settings), settings)
    begins = np.flatnonzero(np.append(True, np.diff(log.sessions) != 0))
    ends = np.append(begins[1:], len(log.items))
    latest: dict[int, int] = {}
    for history in np.lexsort((log.times[ends - 1], log.users[begins])):
        latest[int(log.users[begins[history]])] = int(history)
    users = sorted(latest, key=lambda user: str(log.user_names[user]))
    chosen = [slice(begins[latest[user]], ends[latest[user]]) for user in users]
    names = [tuple(log.item_names[log.items[history]].tolist()) for history in chosen]
    return [str(log.user_names[user]) for user in users], names


if __name__ == "__main__":
    sys.exit(main())
