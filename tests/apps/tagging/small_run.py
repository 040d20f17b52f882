"""A small tagger with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.suite.runs import run_folder
from apps.suite.sequences.config import SentenceFormatConfig
from apps.suite.texts import config as texts
from apps.suite.texts import tag_schemes, words
from apps.tagging import config as configs
from apps.tagging import model, trained_model

WITHOUT_DRAWS = {
    "text": {"word_dropout": 0.0},
    "model": {"dropout": 0.0, "input_dropout": 0.0, "units": 12},
}
SENTENCES = (
    "flights from new york to rome tomorrow",
    "play some music by prince",
    "Rome , tomorrow or today ?",
)
KINDS = ("city", "artist")
LABELS = ("flight", "music")


def config(
    output="crf", layer="bilstm", tokenizer="space", letters="convolution", members=1, **changes
):
    return configs.Config(
        preset="tiny",
        data_format=SentenceFormatConfig(tokenizer=tokenizer),
        text=texts.TextConfig(
            least_count=1,
            word_units=6,
            character_units=4,
            character_filters=6 if letters == "lstm" else 5,
            character_layer=letters,
            **changes,
        ),
        model=configs.ModelConfig(units=7, output=output, layer=layer, decision="f1"),
        training=configs.TrainingConfig(
            batch_size=2, steps=4, steps_per_checkpoint=2, members=members
        ),
    )


def trained(scheme="BIOES", labels=LABELS, **options):
    keras.utils.set_random_seed(0)
    made = config(**options)
    vocabulary = words.learn_words(
        [sentence.split() for sentence in SENTENCES],
        size=100,
        least_count=1,
        lowercase=True,
        most_words=100,
    )
    names = ["O", *KINDS]
    if scheme != "plain":
        names = tag_schemes.inside_names([[f"B-{kind}" for kind in KINDS]], scheme)
    network = model.build(made, vocabulary, names, scheme, len(labels))
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    model.decision_of(network).outside.assign(0.7)
    return trained_model.TrainedModel(
        network, vocabulary, tuple(names), tuple(labels), scheme, made
    )


def write(folder, **options):
    """Makes `folder` a finished run; returns its model."""
    made = trained(**options)
    data = {
        "name": "small",
        "fingerprint": "0",
        "scheme": made.scheme,
        "tag_names": list(made.tag_names),
        "label_names": list(made.label_names),
    }
    with run_folder.start(folder, "tagging", made.config, data) as run:
        (run.path / trained_model.VOCABULARY).mkdir()
        made.vocabulary.save(run.path / trained_model.VOCABULARY)
        made.model.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
