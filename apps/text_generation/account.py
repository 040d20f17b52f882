"""Tells in a few lines what a training understood of its text."""

from apps.suite.data import account
from apps.text_generation import config as configs
from apps.text_generation import data


def of(text: data.Text, config: configs.Config) -> str:
    """Returns size, files, parts, and the files that are not read, a line each."""
    parts = {"train": text.train, "validation": text.validation, "test": text.test}
    whole = sum(map(len, parts.values()))
    lines = sum(part.count("\n") for part in parts.values())
    counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    unread = account.named([file.name for file in text.unread])
    return account.lines(
        [
            ("data", f"{text.name}: {whole:,} characters in {lines:,} lines"),
            ("files", account.named([file.name for file in text.files])),
            ("parts", f"{counts} characters, in the order of the text"),
            ("pieces", f"{config.text.tokenizer}s, learned from the training part"),
            ("not read", unread and f"{unread} (a folder's texts end in {data.SUFFIX})"),
        ]
    )
