"""Docstrings of well-kept Python packages: a text, and the line that sums it up."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import tensorflow_datasets as tfds

# Distribution, package and licence. All of them are needed by the project anyway, and the lock has
# one version of each for every Python: with several, the data would depend on the interpreter.
PACKAGES = (
    ("keras", "keras", "Apache-2.0"),
    ("matplotlib", "matplotlib", "PSF-based (Matplotlib licence)"),
    ("nltk", "nltk", "Apache-2.0"),
    ("numpy", "numpy", "BSD-3-Clause"),
    ("scikit-learn", "sklearn", "BSD-3-Clause"),
    ("tensorflow", "tensorflow", "Apache-2.0"),
    ("tensorflow-datasets", "tensorflow_datasets", "Apache-2.0"),
)
_FEWEST_WORDS, _MOST_WORDS = 3, 25  # of a summary
_FEWEST_TEXT_WORDS, _MOST_TEXT_WORDS = 15, 200
_GRAM = 8  # words of a run that two texts have in common
_SHARED = 0.3  # share of such runs from which a text repeats another one
_EVERY_FEW = 12  # of the modules, for a quick try
_NOT_READ = {"tests", "test", "testing", "_tests", "legacy", "_vendor", "externals"}
_COPIES = {("tensorflow", "python", "keras")}  # an old copy of another package
# Folders that say nothing of the subject, and are left out of names and of groups
_EMPTY_NAMES = {"src", "python", "core", "impl", "lib", "_impl", "api", "_core"}
# Headings after which there is code, or what has nothing to do with the subject
_END = re.compile(r"^(?:Examples?|References|See Also|Usage|Example usage|Raises)\b.{0,20}$", re.I)
# Lines that are not prose: headings and their underlines, code, directives, fields without words
_NOT_PROSE = re.compile(
    r"^(?:[A-Z][\w ]{2,20}:|[-=~^]{3,}|>>> .*|\.\.\. .*|\.\. [\w-]+::.*|@\w+.*|```.*)$"
)
_FIELD = re.compile(r"^:(?:param|return|type|rtype|raises|keyword)s?\b[^:]*:")
_ROLE = re.compile(r":(?:\w+:)+`~?([^`<]+?)(?: <[^`]*>)?`")
_WORD = re.compile(r"[a-z0-9]+")


class Pair(NamedTuple):
    """A text and its summary, the name of what they are of in words, and where they stand."""

    text: str
    summary: str
    title: str
    name: str
    group: str
    package: str
    licence: str


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a docstring, parsed from installed files: nothing is imported or downloaded."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Packages of the lock of November 2026."}
    BUILDER_CONFIGS: ClassVar[list[Any]] = [
        tfds.core.BuilderConfig(name="all", description="All modules."),
        tfds.core.BuilderConfig(name="few", description="Some modules, for a quick try."),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        names = ("text", "summary", "title", "name", "group", "package", "license")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({name: tfds.features.Text() for name in names}),
            supervised_keys=("text", "summary"),
            homepage="https://peps.python.org/pep-0257/",
            license="; ".join(f"{name}: {licence}" for name, _, licence in PACKAGES),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the texts come with installed packages
        few = self.builder_config.name == "few"
        parts: dict[str, list[Pair]] = {"train": [], "validation": [], "test": []}
        for pair in distinct(pairs()):
            number = int(hashlib.sha256(pair.group.encode()).hexdigest(), 16)
            if few and (number // 20) % _EVERY_FEW:
                continue
            part = {0: "test", 1: "test", 2: "validation"}.get(number % 20, "train")
            parts[part].append(pair)
        return {part: self._generate_examples(found) for part, found in parts.items()}

    def _generate_examples(self, found: list[Pair]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, pair in enumerate(found):
            values = pair._asdict()
            values["license"] = values.pop("licence")
            yield number, values


def pairs() -> Iterator[Pair]:
    """Yields the pairs of all packages, in the order of packages, files and lines.

    Raises:
        ModuleNotFoundError: a package that is not installed.
    """
    for distribution, package, licence in PACKAGES:
        spec = importlib.util.find_spec(package)  # of a package at the top: nothing runs
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"{distribution} is not installed")
        version = importlib.metadata.version(distribution)
        root = Path(spec.submodule_search_locations[0])
        for file in sorted(root.rglob("*.py"), key=lambda file: file.relative_to(root).parts):
            inner = file.relative_to(root).with_suffix("").parts
            path = (package, *inner)
            is_copy = any(path[: len(copy)] == copy for copy in _COPIES)
            generated = inner[-1].startswith(("gen_", "test_"))
            if not (_NOT_READ & set(inner) or is_copy or generated):
                yield from _of_file(file, path, f"{distribution} {version}", licence)


def _of_file(file: Path, module: tuple[str, ...], package: str, licence: str) -> Iterator[Pair]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # of another Python
        return
    said = tuple(each for each in module if each not in (*_EMPTY_NAMES, "__init__"))
    group = ".".join(said[:3])

    def walk(node: Any, names: tuple[str, ...]) -> Iterator[Pair]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.ClassDef):
                continue
            inner = (*names, child.name)
            found = divided(ast.get_docstring(child) or "")
            if found and not child.name.startswith("__"):
                path = (*said, *inner)
                yield Pair(*found, _in_words(path), ".".join(path), group, package, licence)
            yield from walk(child, inner)

    yield from walk(tree, ())


def divided(docstring: str) -> tuple[str, str] | None:
    """Returns text and summary of a docstring; None where one of them is too short or too long.

    The first paragraph is the summary (PEP 257). The text is what follows, arguments included, up
    to the first example or list of references.
    """
    paragraphs: list[list[str]] = [[]]
    fenced = False
    for line in map(str.strip, docstring.split("\n")):
        if _END.match(line):
            break
        fenced ^= line.startswith("```")
        if not line or fenced or _NOT_PROSE.match(line):
            if paragraphs[-1]:
                paragraphs.append([])
        else:
            paragraphs[-1].append(_FIELD.sub("", line))
    summary, *others = [_clean(" ".join(each)) for each in paragraphs if each] or [""]
    text = " ".join(" ".join(others).split()[:_MOST_TEXT_WORDS])
    if not _FEWEST_WORDS <= len(summary.split()) <= _MOST_WORDS:
        return None
    return (text, summary) if len(text.split()) >= _FEWEST_TEXT_WORDS else None


def distinct(found: Iterator[Pair]) -> list[Pair]:
    """Returns the pairs without those that repeat an earlier summary, or half of a text's runs."""
    summaries: set[str] = set()
    grams: set[int] = set()
    kept = []
    for pair in found:
        summary = " ".join(_WORD.findall(pair.summary.lower()))
        words = _WORD.findall(pair.text.lower())
        own = {hash_of(words[n : n + _GRAM]) for n in range(max(1, len(words) - _GRAM + 1))}
        if summary in summaries or len(own & grams) >= _SHARED * len(own):
            continue
        summaries.add(summary)
        grams |= own
        kept.append(pair)
    return kept


def hash_of(words: list[str]) -> int:
    """Returns a number for some words, the same in every process."""
    return int.from_bytes(hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest())


def _in_words(path: tuple[str, ...]) -> str:
    """Writes `keras.layers.LSTMCell.get_config` as `keras layers lstm cell get config`."""
    words = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", " ".join(path))
    return " ".join(words.replace("_", " ").lower().split())


def _clean(paragraph: str) -> str:
    """Takes the marks of reStructuredText and Markdown off a paragraph."""
    return " ".join(_ROLE.sub(r"\1", paragraph).replace("`", "").replace("**", "").split())
