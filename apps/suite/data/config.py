"""Group of a config that the user's own labelled files are read and divided by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OwnConfig:
    group_pattern: str = ""  # regular expression; its first group in a file's name is the group
    skip_unreadable: bool = False  # leave out what cannot be decoded, and count it
    folds: int = 0  # of a cross-validation by group; 0 = one split by the fractions
    fold: int = 0  # which of them is the test part, from 0
    validation_fold: bool = False  # the fold behind it is the validation part; else the fraction
