"""Config group for reading and dividing the user's own labelled files."""

from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields


@dataclass(frozen=True)
class OwnConfig:
    group_pattern: str = ""  # regular expression; its first group in a file's name names the group
    skip_unreadable: bool = False  # leave out files that cannot be decoded, and count them
    folds: fields.CountOrZero = 0  # of a cross-validation by group; 0 = one split by the fractions
    fold: fields.CountOrZero = 0  # which of them is the test part, from 0
    validation_fold: bool = False  # the next fold is the validation part; else the fraction

    def __post_init__(self) -> None:
        if self.folds in (1, 2) or (self.folds and self.fold >= self.folds):
            raise ValueError("folds must be 0 or at least 3, and fold from 0 to folds - 1")
        if self.validation_fold and not self.folds:
            raise ValueError("validation_fold needs folds")
