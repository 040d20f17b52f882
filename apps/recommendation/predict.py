"""Recommends the items that come next: `python -m apps.recommendation.predict ITEM ITEM …`."""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.recommendation import config as configs
from apps.suite import errors
from apps.suite.commands import asked_model, command

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.export import asking


TASK = "recommendation"
_SHOWN_ITEMS = 8  # of a history, in the line above a table
_OF_RUN = configs.ColumnsConfig()  # as long as nothing else is said


@dataclass(frozen=True)
class Options:
    """Recommend the items that come next after a history, or for each user in a file."""

    items: tyro.conf.Positional[tuple[str, ...]] = ()
    """Items of one history, the oldest first; without any, the most popular items are shown."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    file: Path | None = None
    """Histories of many users: .csv, .tsv, .parquet, .inter or .txt, as for training."""
    columns: configs.ColumnsConfig = _OF_RUN
    """Columns of --file, where they differ from those of the training data."""
    k: int = 10
    """Number of items."""
    exclude_seen: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Leave out the items of the history."""
    include: tuple[str, ...] = ()
    """Choose from these items only."""
    exclude: tuple[str, ...] = ()
    """Leave these items out."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each history."""

    def __post_init__(self) -> None:
        if not 0 < self.k < 2**31:
            raise ValueError(f"--k must be at least 1 and below 2^31, is {self.k}")
        if self.file is not None and self.items:
            raise ValueError("items: give a history, or --file, not both")


class Answer(NamedTuple):
    """The items that follow a history.

    user: owner of the history, "" on the command line.
    history: names, the oldest item first; `unknown` are the names that were ignored.
    """

    user: str
    history: tuple[str, ...]
    unknown: tuple[str, ...]
    items: list[Recommended]


def predict(options: Options) -> Iterator[Answer]:
    """Yields an answer for the history, or for the latest history of each user of the file.

    Raises:
        UserError: no finished run, export or server, or a file that cannot be read.
    """
    for name in (*options.items, *options.include, *options.exclude):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise errors.UserError(f"item {name!r}: not UTF-8; check the terminal") from None
    if options.file is not None and not options.file.is_file():
        raise errors.UserError(f"--file {options.file}: no such file")

    from apps.recommendation import serving
    from apps.suite.export import asking

    with asking.model(TASK, serving.served, options) as model:
        ask = Recommender(model)
        users, histories = [""], [options.items]
        if options.file is not None:
            columns = ask.columns if options.columns == _OF_RUN else options.columns
            users, histories = _of_file(options.file, columns, ask.sessions)
        for user, history, items in zip(users, histories, ask(histories, options), strict=True):
            yield Answer(user, history, tuple(ask.unknown(history)), items)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
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
    """Returns JSON without any character that ends a line for some reader."""
    line = json.dumps(told, ensure_ascii=False)
    for separator in ("\x85", "\u2028", "\u2029"):  # a name may hold them; Python ends lines there
        line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line


def _heading(answer: Answer) -> str:
    """Returns the user, the latest items of the history, and the names that were ignored."""
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
    """Returns the users in the order of their names, and the items of their latest histories."""
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


_ROWS_AT_ONCE = 64


class Recommended(NamedTuple):
    """An item, its title ("" where the data have none), and its score; higher is better."""

    item: str
    title: str
    score: float


class Recommender:
    """Answers histories of item names with the items that may come next.

    Args:
        model: answers the signatures of the task's export.

    Attributes:
        title_of: titles by item name; empty where the data have none.
        columns, sessions: how the run read its log.
    """

    def __init__(self, model: asking.Model) -> None:
        from apps.recommendation import serving

        self._model = model
        names = (model.asset(serving.VOCABULARY) or "").split("\n")[:-1]
        if not names:
            raise errors.UserError(
                f"{model.name}: the model has no {serving.VOCABULARY}; export the run again"
            )
        titles = json.loads(model.asset(serving.TITLES) or "[]")
        self._names = frozenset(names)
        self.title_of = dict(zip(names, titles, strict=True)) if titles else {}
        self.columns = configs.ColumnsConfig(**model.settings.get("columns", {}))
        self.sessions = configs.SessionsConfig(**model.settings.get("sessions", {}))

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Returns the names that training did not see, each once; they are ignored."""
        return [name for name in dict.fromkeys(names) if name and name not in self._names]

    def __call__(
        self, histories: Sequence[Sequence[str]], options: Options
    ) -> Iterator[list[Recommended]]:
        """Yields for each history, its oldest item first, up to `options.k` items, best first."""
        for first in range(0, len(histories), _ROWS_AT_ONCE):
            block = histories[first : first + _ROWS_AT_ONCE]
            answer = self._model.ask(
                "candidates",
                history=_names(block, len(block)),
                include=_names([options.include], len(block)),
                exclude=_names([options.exclude], len(block)),
                k=options.k,
                exclude_seen=options.exclude_seen,
            )
            for items, scores in zip(answer["items"], answer["scores"], strict=True):
                named = [
                    (item.decode(), float(score)) for item, score in zip(items, scores, strict=True)
                ]
                yield [
                    Recommended(item, self.title_of.get(item, ""), score)
                    for item, score in named
                    if item
                ]


def _names(rows: Sequence[Sequence[str]], count: int) -> np.ndarray:
    """Returns names as bytes, object [count, longest]; a single row stands for all."""
    import numpy as np

    from apps.recommendation import serving

    table = serving.padded_histories(rows)
    return np.broadcast_to(table, (count, table.shape[1]))


if __name__ == "__main__":
    sys.exit(main())
