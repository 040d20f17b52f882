"""Config group for reading and dividing the user's own labelled files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OwnConfig:
    group_pattern: str = ""  # regular expression; its first group in a file's name names the group
    skip_unreadable: bool = False  # leave out files that cannot be decoded, and count them
    folds: int = 0  # of a cross-validation by group; 0 = one split by the fractions
    fold: int = 0  # number of the test part among them, from 0
    validation_fold: bool = False  # the next fold is the validation part; else the fraction
