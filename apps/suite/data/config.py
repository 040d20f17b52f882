"""Group of a config that the user's own labelled files are read and divided by."""

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class OwnConfig:
    group_pattern: str = ""  # regular expression; its first group in a file's name is the group
    skip_unreadable: bool = False  # leave out what cannot be decoded, and count it
    folds: fields.CountOrZero = 0  # of a cross-validation by group; 0 = one split by the fractions
    fold: fields.CountOrZero = 0  # which of them is the test part, from 0
    validation_fold: bool = False  # the fold behind it is the validation part; else the fraction

    def __post_init__(self) -> None:
        if self.folds in (1, 2) or (self.folds and self.fold >= self.folds):
            raise ValueError("folds must be 0 or at least 3, and fold from 0 to folds - 1")
        if self.validation_fold and not self.folds:
            raise ValueError("validation_fold needs folds")
