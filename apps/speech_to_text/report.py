"""Builds the task's part of the model card: rates by groups, wrong words, an alignment, sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.colors
import numpy as np

from apps.speech_to_text import config as configs
from apps.speech_to_text import data, measures, scoring, trained_model, transcripts
from apps.suite.evaluation import comparison, plot_style, plots, report
from apps.suite.networks import ctc
from apps.suite.runs import run_folder
from apps.suite.sounds import sound_files

_SHOWN, _HEARD = 15, 10  # rows of a table; recordings to listen to
_LENGTHS = (2.0, 3.0, 4.0, 6.0, 10.0)
_MEANING = {
    "word error rate": "Substituted, left out and inserted words, divided by the words that were "
    "said, over all test recordings together. It may exceed 1.",
    "character error rate": "The same of letters, blanks included.",
    "substitutions, deletions, insertions": "The three parts of the word error rate.",
    "whole texts": "Share of the recordings whose text is right in every letter.",
    "greedy word error rate": "Of the likeliest letter of each frame, as a stream is written down.",
    "beam word error rate": "Of the likeliest text that a search finds, without a language model.",
    "language nats a letter": "How unlikely the language model finds the test texts; a new text in "
    "the same words has few.",
    "stream differing letters": "Letters in which some test recordings differ, heard in chunks and "
    "as a whole; 0 is right.",
    "seconds to first word": "Mean time into a recording at which its first word was complete.",
    "most frequent text": "Answers with the commonest training text, whatever is said.",
    "nearest recording": "Answers with the text of the training recording that is nearest by "
    "dynamic time warping.",
    "convolutional twin": "The same network with three convolutions instead of recurrent layers.",
}
_LIMITS = (
    "The numbers hold for voices, rooms and sentences like the test part's. The voices of the "
    "default data are synthetic: people speak less clearly and less alike.",
    "Words that were never learned are spelled by ear, and rare ones are often wrong.",
    "Times of words are those at which the network writes a letter, about a tenth of a second "
    "after it was said in a causal model.",
    "One run with one seed: small differences may be chance.",
)


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    decoded: Mapping[str, Sequence[str]],
    trained: trained_model.TrainedModel,
) -> report.Card:
    """Draws the plots, and returns the model card.

    Args:
        folder: of the run.
        corpus: its data.
        metrics: of the test part.
        decoded: texts of the test part by each way of decoding; the last one is the answer.
        trained: the model.
    """
    config, part = folder.config, corpus.test
    truth, heard = part.texts, list(decoded.values())[-1]
    ways = {name: measures.scores(truth, texts) for name, texts in decoded.items()}
    kept = ("word_error_rate", "character_error_rate", "substitutions", "deletions", "insertions")
    results: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "word error rate"),
        report.Table(
            "The same network, decoded in three ways.",
            ["", *(comparison.words(name) for name in kept)],
            [[name, *(f"{each[key]:.2%}" for key in kept)] for name, each in ways.items()],
        ),
        report.Paragraph(
            f"Texts are compared after this: {transcripts.told(config.text)}. A text is chosen by "
            f"ln p(text | sound) + {trained.language_weight:g} ln p(text) + "
            f"{trained.word_bonus:g} for each word; both were chosen on the validation part, and "
            "the export holds the same language model and weights."
        ),
        *_groups(part, heard),
        report.Table(
            "Words that are most often replaced or left out.",
            ["word", "wrong", "said", "most often heard as"],
            [
                [each.word, f"{each.wrong}", f"{each.said}", each.heard_as or "(nothing)"]
                for each in measures.wrong_words(truth, heard, _SHOWN)
            ],
        ),
    ]
    layers = f"{config.model.layer_count} layers ({config.model.layer}, {config.model.units} units)"
    return report.Card(
        title="Speech to text",
        summary=f"A recogniser of {len(corpus.alphabet)} letters with {layers} over a strided "
        f"convolution, trained by connectionist temporal classification on {corpus.name}.",
        facts={
            "parameters": f"{trained.model.count_params():,}",
            "parameters of the language model": f"{trained.language_model.count_params():,}",
        },
        data={
            "Letters": "".join(corpus.alphabet).strip(),
            "Licence": corpus.licence,
            "Source": corpus.source,
        },
        results=results,
        learning=report.learned(
            folder,
            "nats a letter",
            "At first the network learns that most frames are blanks, and writes nothing: that "
            "stretch looks like a failure and is usual. For the first "
            f"{config.training.opening_fraction:.0%} of the steps nothing may be written in "
            f"the first {config.training.opening_seconds:g} s of a recording, where a network "
            "would else learn to guess the first letters. The training loss is measured with "
            "dropout and masks, on altered recordings.",
        ),
        examples=[_alignment(folder, part, trained), _worst(folder, part, heard, decoded)],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(
            folder, "talk.wav --words", "@-", made_by=report.wav_request("talk.wav")
        ),
        presets=configs.PRESETS,
    )


def _groups(part: data.Part, heard: Sequence[str]) -> list[report.Block]:
    """Tables of the word error rate by length, noise and speaker, as far as these are known."""
    truth = part.texts
    seconds = part.reader.seconds(part.places)
    ratios = [each.snr_db for each in part.recordings]
    groups = {
        "length": [_between(value, _LENGTHS, "s") for value in seconds],
        "noise (signal above it)": [
            "" if value is None else _between(value, (10.0, 20.0, 30.0), "dB") for value in ratios
        ],
        "speaker": [each.speaker for each in part.recordings],
    }
    found: list[report.Block] = []
    for name, names in groups.items():
        each = measures.by_group(truth, heard, names)
        if name == "speaker":
            each = sorted(each, key=lambda group: -group.word_error_rate)[:_SHOWN]
        rows = [[group.name, f"{group.texts:,}", f"{group.word_error_rate:.2%}"] for group in each]
        if len(rows) > 1:
            header = [name, "recordings", "word error rate"]
            found.append(report.Table(f"By {name.split(' ')[0]}.", header, rows))
    return found


def _between(value: float, edges: Sequence[float], unit: str) -> str:
    at = int(np.searchsorted(edges, value, side="right"))
    if at == 0:
        return f" below {edges[0]:g} {unit}"
    if at == len(edges):
        return f"{edges[-1]:g} {unit} and more"
    return f"{edges[at - 1]:g} to {edges[at]:g} {unit}"


def _alignment(
    folder: run_folder.RunFolder[configs.Config],
    part: data.Part,
    trained: trained_model.TrainedModel,
) -> report.Section:
    """Draws the first test recording's features and the letters where they are written."""
    import tensorflow as tf

    config, rate = folder.config, folder.config.audio.sample_rate_hz
    sound, said = part.waveform(0), part.recordings[0].text
    recogniser = scoring.Recogniser(trained)
    samples = tf.constant([len(sound)])
    logits, steps = recogniser.heard(tf.constant(sound[None]), samples)
    labels = tf.constant([transcripts.numbered(said, trained.alphabet)])
    aligned = ctc.align(labels, logits, steps)
    bands = data.preprocess(tf.constant(sound[None]), config)[0].numpy().T
    first = aligned.first.numpy()[0] * data.STRIDE
    blanks = tf.nn.softmax(logits)[0, :, -1].numpy()
    seconds = len(sound) / rate
    hop = seconds / bands.shape[1]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        shades = matplotlib.colors.LinearSegmentedColormap.from_list(
            "shades", [theme.ground, theme.model]
        )
        extent = (0.0, seconds, 0.0, float(len(bands)))
        low = float(np.quantile(bands, 0.3))
        axes.imshow(bands, cmap=shades, vmin=low, aspect="auto", origin="lower", extent=extent)
        height = len(bands)
        times = (np.arange(len(blanks)) * data.STRIDE + 0.5) * hop
        axes.plot(times, (1 - blanks) * height, color=theme.other, linewidth=1)
        for letter, frame in zip(said, first, strict=True):
            if letter != " " and frame >= 0:
                axes.text(frame * hop, height * 1.04, letter, ha="center", fontsize=8)
        axes.set_ylim(0, height * 1.12)
        axes.grid(visible=False)
        axes.set_xlabel("seconds")
        axes.set_ylabel("bands of the features")

    title = "Letters of a test recording where they are written"
    told = (
        f"features of {seconds:.2f} seconds in which somebody says: {said}; the line is the "
        "probability that a frame writes a letter."
    )
    picture = plots.save(folder.plots, "alignment", title, told, draw)
    wav = sound_files.wav_bytes(sound, rate)
    return report.Section("A recording and its letters", [picture, report.Audio(said, wav)])


def _worst(
    folder: run_folder.RunFolder[configs.Config],
    part: data.Part,
    heard: Sequence[str],
    decoded: Mapping[str, Sequence[str]],
) -> report.Section:
    """The recordings with the most wrong words, to listen to, and one that is right."""
    wrong = np.array(measures.errors_of(part.texts, heard))
    order = np.argsort(-wrong, kind="stable")[:_HEARD].tolist()
    right = np.flatnonzero(wrong == 0)[:1].tolist()
    blocks: list[report.Block] = []
    for at in [*right, *(index for index in order if wrong[index])]:
        each = part.recordings[at]
        wav = sound_files.wav_bytes(part.waveform(at), folder.config.audio.sample_rate_hz)
        caption = f"{each.name}{f', {each.speaker}' if each.speaker else ''}: said “{each.text}”, "
        blocks.append(report.Audio(caption + f"heard “{heard[at]}”", wav))
        others = [
            f"{name}: {texts[at]}" for name, texts in decoded.items() if texts[at] != heard[at]
        ]
        if others:
            blocks.append(report.Passage("Otherwise decoded", "\n".join(others)))
    return report.Section("One that is right, and the worst ones", blocks)
