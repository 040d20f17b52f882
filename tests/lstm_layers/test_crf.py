"""The CRF against all paths of small cases and python-crfsuite; masks, rules, training, saving.

On another backend: `KERAS_BACKEND=jax python -m pytest tests/lstm_layers/test_crf.py`.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from lstm_layers import CRF, forbidden_by

BACKEND = keras.backend.backend()
needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's alone")
NAMES = ("O", "B-x", "I-x", "B-y")
RULES = {"none": {}, "IOB2": forbidden_by("IOB2", NAMES)}
TIME = 5


@pytest.fixture(params=RULES)
def crf(request):
    """A layer with random weights."""
    layer = CRF(len(NAMES), **RULES[request.param])
    layer.build((None, None, len(NAMES)))
    draw = np.random.default_rng(1)
    layer.set_weights([draw.normal(size=weight.shape) for weight in layer.weights])
    return layer


@pytest.fixture
def scores():
    return np.random.default_rng(0).normal(size=(4, TIME, len(NAMES))).astype("float32")


MASKS = {
    "none": None,
    "right": np.arange(TIME)[None] < np.array([5, 3, 1, 2])[:, None],
    "left": np.arange(TIME)[None] >= np.array([0, 3, 1, 4])[:, None],
    "gaps": np.array([[1, 0, 0, 1, 1], [0, 1, 0, 1, 0], [0] * 5, [0, 0, 1, 0, 0]], bool),
}


def paths(layer, scores, mask):
    """Every path of the steps that count, with its score, by the definition."""
    transitions, starts, ends = layer.get_weights()
    steps = np.flatnonzero(mask)
    for path in itertools.product(range(layer.tags), repeat=len(steps)):
        pairs = list(itertools.pairwise(path))
        if path and (path[0] in layer.forbidden_starts or path[-1] in layer.forbidden_ends):
            continue
        if any(pair in layer.forbidden_transitions for pair in pairs):
            continue
        score = sum(scores[step, tag] for step, tag in zip(steps, path, strict=True))
        score += sum(transitions[pair] for pair in pairs)
        score += starts[path[0]] + ends[path[-1]] if path else 0.0
        yield path, score


def array(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("mask", MASKS)
def test_likelihood_marginals_and_best_path_are_those_of_all_paths(crf, scores, mask):
    given = MASKS[mask]
    masks = np.ones(scores.shape[:2], bool) if given is None else given
    tags = np.full(masks.shape, -1)
    log_z, marginals = np.zeros(len(scores)), np.zeros(scores.shape)
    best, chosen_score = tags.copy(), np.zeros(len(scores))
    for row, kept in enumerate(masks):
        found = list(paths(crf, scores[row], kept))
        log_z[row] = np.logaddexp.reduce([score for _, score in found])
        chosen, chosen_score[row] = found[len(found) // 3]
        tags[row, kept] = chosen
        best[row, kept] = max(found, key=lambda pair: pair[1])[0]
        for path, score in found:
            marginals[row, np.flatnonzero(kept), list(path)] += np.exp(score - log_z[row])
    nats = crf.negative_log_likelihood(scores, tags)  # what a negative tag masks
    np.testing.assert_allclose(array(nats), log_z - chosen_score, rtol=1e-5, atol=1e-5)
    nats = crf.negative_log_likelihood(scores, np.maximum(tags, 0), given)
    np.testing.assert_allclose(array(nats), log_z - chosen_score, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(array(crf.log_normalizer(scores, given)), log_z, rtol=1e-5)
    np.testing.assert_allclose(array(crf.marginals(scores, given)), marginals, atol=1e-5)
    np.testing.assert_array_equal(array(crf.decode(scores, given)), best)


def test_crfsuite_gives_the_same_marginals_and_tags_with_the_same_weights(tmp_path):
    pycrfsuite = pytest.importorskip("pycrfsuite")
    draw = np.random.default_rng(0)
    words = [[f"w{word}" for word in draw.integers(0, 6, 7)] for _ in range(40)]
    trainer = pycrfsuite.Trainer(verbose=False)
    for sentence in words:
        labels = [NAMES[(int(word[1]) + place) % 4] for place, word in enumerate(sentence)]
        trainer.append([[word] for word in sentence], labels)
    trainer.set_params({"max_iterations": 20, "feature.possible_transitions": True})
    trainer.train(str(tmp_path / "model"))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "model"))
    names, info = tagger.labels(), tagger.info()
    layer = CRF(len(names))
    layer.build((None, None, len(names)))
    transitions = [[info.transitions.get((i, j), 0.0) for j in names] for i in names]
    layer.set_weights([np.array(transitions), np.zeros(len(names)), np.zeros(len(names))])
    scores = [
        [[info.state_features.get((word, name), 0.0) for name in names] for word in sentence]
        for sentence in words
    ]
    marginals = array(layer.marginals(np.array(scores, "float32")))
    decoded = array(layer.decode(np.array(scores, "float32")))
    for row, sentence in enumerate(words):
        tags = tagger.tag([[word] for word in sentence])
        assert [names[tag] for tag in decoded[row]] == tags
        expected = [[tagger.marginal(name, t) for name in names] for t in range(len(sentence))]
        np.testing.assert_allclose(marginals[row], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("scheme", "names", "right", "wrong"),
    [
        ("IO", "O I-x I-y", ["I-x I-y O", "O I-x"], []),
        ("IOB1", "O I-x B-x I-y B-y", ["I-x B-x I-y", "I-x I-x"], ["B-x I-x", "O B-x", "I-x B-y"]),
        ("IOB2", "O B-x I-x B-y I-y", ["B-x I-x B-x", "O B-y"], ["I-x", "O I-x", "B-x I-y"]),
        (
            "BIOES",
            "O B-x I-x E-x S-x B-y E-y I-y S-y",
            ["B-x I-x E-x", "S-x B-y E-y", "O"],
            ["B-x", "B-x O", "B-x E-y", "E-x", "S-x I-x", "B-x S-x", "I-x E-x", "B-x I-x"],
        ),
        ("BILOU", "O B-x I-x L-x U-x", ["B-x I-x L-x", "U-x O"], ["B-x U-x", "L-x", "O I-x L-x"]),
    ],
)
def test_rules_of_a_scheme_leave_its_sequences_alone(scheme, names, right, wrong):
    names = names.split()
    layer = CRF(len(names), **forbidden_by(scheme, names))
    layer.build((None, None, len(names)))
    for text in [*right, *wrong]:
        tags = np.array([[names.index(name) for name in text.split()]])
        given = 20.0 * np.eye(len(names), dtype="float32")[tags]
        assert (array(layer.decode(given)).tolist() == tags.tolist()) == (text in right), text


def test_scores_of_any_size_do_not_overflow(crf, scores):
    huge = 3e4 * scores
    tags = array(crf.decode(huge))
    np.testing.assert_allclose(array(crf.marginals(huge)).sum(axis=2), 1.0, atol=1e-4)
    assert np.isfinite(array(crf.negative_log_likelihood(huge, tags))).all()


def test_a_tag_that_only_unlikely_ones_lead_to_is_found_where_it_is_right():
    far = 60.0 if BACKEND == "jax" else 300.0
    layer = CRF(3, forbidden_transitions=[(0, 2), (2, 2)])
    scores = np.array([[[0.0, -far, 0.0], [0.0, 0.0, 2 * far]]], "float32")
    layer(scores)
    np.testing.assert_allclose(array(layer.marginals(scores))[0], [[0, 1, 0], [0, 0, 1]], atol=1e-5)
    assert array(layer(scores)).tolist() == [[1, 2]]


def _model(crf):
    inputs, tags = keras.Input((None, 3)), keras.Input((None,), dtype="int32")
    weights = keras.Input(())
    scores = keras.layers.Dense(crf.tags)(keras.layers.Masking()(inputs))
    training = keras.Model([inputs, tags, weights], crf(scores, tags=tags, weights=weights))
    return training, keras.Model(inputs, crf(scores))


def test_a_model_learns_under_a_mask_and_is_read_back(tmp_path):
    draw = np.random.default_rng(0)
    tags = draw.integers(0, 4, (64, TIME))
    inputs = np.stack([tags % 2, tags // 2, np.ones_like(tags)], axis=2).astype("float32")
    inputs[:, 3:] = 0.0
    training, tagger = _model(CRF(4))
    training.compile(keras.optimizers.Adam(0.1))
    given = [inputs, tags, np.ones(64, "float32")]
    losses = training.fit(given, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]
    found = tagger.predict(inputs, verbose=0)
    assert (found[:, :3] == tags[:, :3]).mean() > 0.95
    assert (found[:, 3:] == -1).all()
    for number, (model, asked) in enumerate(((training, given), (tagger, inputs))):
        model.save(tmp_path / f"{number}.keras")
        read = keras.models.load_model(tmp_path / f"{number}.keras")
        np.testing.assert_array_equal(
            read.predict(asked, verbose=0), model.predict(asked, verbose=0)
        )


def test_a_sequence_counts_by_its_weight(scores):
    layer = CRF(4)
    tags = np.zeros(scores.shape[:2], "int32")
    nats = array(layer(scores, tags=tags, weights=np.array([0.0, 2.0, 0.0, 1.0])))
    (loss,) = layer.losses
    assert float(loss) == pytest.approx((2 * nats[1] + nats[3]) / 4, rel=1e-5)


def test_a_model_of_scores_learns_by_a_loss_that_masks_negative_tags(scores):
    layer = CRF(4, returns="scores")
    inputs = keras.Input((None, 4))
    masked = keras.layers.Masking(mask_value=9.0)(inputs)  # a mask that the loss does not see
    model = keras.Model(inputs, layer(keras.layers.Dense(4)(masked)))
    tags = np.array([[1, 2, 2, 0, 3], [0, -1, -1, 1, 2], [3, 3, -1, -1, -1], [-1] * 5])
    model.compile("sgd", lambda tags, scores: layer.negative_log_likelihood(scores, tags))
    given = np.where(tags[..., None] < 0, 9.0, scores).astype("float32")
    nats = array(layer.negative_log_likelihood(model(given), tags))
    assert nats[3] == 0.0
    before = layer.get_weights()
    assert model.train_on_batch(given, tags) == pytest.approx(nats.mean(), rel=1e-5)
    assert all((one != other).any() for one, other in zip(before, layer.get_weights(), strict=True))


def test_options_are_read_back():
    layer = CRF(
        4,
        **RULES["IOB2"],
        transition_regularizer="l2",
        transition_initializer="ones",
        returns="scores",
    )
    read = CRF.from_config(layer.get_config())
    assert read.get_config() == layer.get_config()
    assert read.forbidden_starts == [2]


@needs_tensorflow
def test_a_16_bit_policy_computes_in_32_bits(crf, scores):
    policy = CRF(4, dtype="mixed_bfloat16", **{k: getattr(crf, k) for k in RULES["IOB2"]})
    policy.build((None, None, 4))
    policy.set_weights(crf.get_weights())
    np.testing.assert_allclose(
        array(policy.log_normalizer(scores)), array(crf.log_normalizer(scores)), rtol=1e-6
    )


@needs_tensorflow
def test_gradients_are_slopes(scores, assert_gradients):
    import tensorflow as tf

    layer = CRF(4, dtype="float64", **RULES["IOB2"], transition_initializer="normal")
    layer.build((None, None, 4))
    given = tf.Variable(scores.astype("float64"))
    tags = np.array([[1, 2, 2, 0, 3], [0, -1, -1, 1, 2], [3, 3, -1, -1, -1], [-1] * 5])

    def loss():
        return tf.reduce_sum(layer.negative_log_likelihood(given + 0.0, tags))

    assert_gradients(loss, [given])
    assert_gradients(loss, [weight.value for weight in layer.weights])


@needs_tensorflow
def test_a_saved_model_decodes_by_stock_operations_at_any_size(crf, scores, tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.weights = [weight.value for weight in crf.weights]
    spec = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None], tf.bool)]
    decode = tf.function(
        lambda scores, mask: {"tags": crf.decode(scores, mask)}, input_signature=spec
    )
    tf.saved_model.save(module, str(tmp_path / "1"), decode)
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    (mask_name,) = (name for name in loaded.structured_input_signature[1] if name == "mask")
    for rows, mask in ((slice(0, 4), MASKS["gaps"]), (slice(1, 2), MASKS["left"][1:2])):
        tags = loaded(scores=tf.constant(scores[rows]), **{mask_name: tf.constant(mask)})["tags"]
        np.testing.assert_array_equal(tags, crf.decode(scores[rows], mask))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tags": 0}, "at least 1"),
        ({"tags": 2, "returns": "paths"}, "returns must be tags or scores"),
        ({"tags": 2, "forbidden_starts": [2]}, "0 to 1"),
        ({"tags": 2, "forbidden_starts": [0, 1]}, "no sequence of 1 steps"),
        ({"tags": 1, "forbidden_transitions": [(0, 0)]}, "no sequence of 2 steps"),
    ],
)
def test_impossible_rules_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        CRF(**options)


def test_other_schemes_names_and_numbers_of_scores_are_refused(scores):
    with pytest.raises(ValueError, match="scheme must be one of"):
        forbidden_by("XYZ", NAMES)
    with pytest.raises(ValueError, match="'S-x' is not a tag of the scheme IOB2"):
        forbidden_by("IOB2", ["O", "S-x"])
    with pytest.raises(ValueError, match="3 tags need as many scores, got 4"):
        CRF(3)(scores)
