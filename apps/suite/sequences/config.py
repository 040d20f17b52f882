"""Groups of a config that the user's own sequences and sentences are read by."""

from typing import Literal

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class SequenceFormatConfig:
    # "" = found by its name, such as sequence, unit or recording; "none" = all rows are one
    sequence_column: str = ""
    step_column: str = ""  # "" = found by its name, such as step, cycle or time; "none" = row order
    step_channel: bool = False  # reads the numbers of the steps as a channel, too
    group_column: str = ""  # "" = found by its name, such as group, subject or speaker
    part_column: str = ""  # "" = a column `part` that holds train, validation and test
    ignored_columns: tuple[str, ...] = ()
    time_zone: str = "UTC"  # of steps that are times without an offset, such as Europe/Berlin
    time_format: str = ""  # of times that are not ISO 8601, such as %d.%m.%Y %H:%M
    validation_fraction: fields.Share = 0.2  # of the sequences, where the data name no such part
    test_fraction: fields.Share = 0.2

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)


@dataclass(frozen=True)
class SentenceFormatConfig:
    word_column: int = 0  # number of the column that holds the words, from 0; -1 = the last
    tag_column: int = -1  # number of the column that holds the tags, likewise
    tag_feature: str = ""  # of a TFDS set, the feature with the tags; "" = ner, tags, upos or pos
    # Scheme that the tags are written in; auto: found by the tags
    scheme: Literal["auto", "IO", "IOB1", "IOB2", "BIOES", "BILOU", "plain"] = "auto"
    repair: bool = False  # reads tags that break their scheme as conlleval does
    # Cut of a text into words: at spaces alone, or also before and after each sign
    tokenizer: Literal["space", "signs"] = "space"
    validation_fraction: fields.Share = 0.1  # of the sentences, where the data have no such part
    test_fraction: fields.Share = 0.1

    def __post_init__(self) -> None:
        fields.refuse_fractions(self)
