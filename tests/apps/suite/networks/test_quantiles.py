import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import quantiles

LEVELS = (0.05, 0.25, 0.5, 0.95)
MEAN, DEVIATION = (10.0, -3.0), (4.0, 0.5)


@pytest.fixture
def head():
    made = quantiles.QuantileHead(LEVELS, MEAN, DEVIATION)
    made.build((None, 6))
    draw = np.random.default_rng(0)
    made.kernel.assign(draw.normal(0, 3, made.kernel.shape))
    made.bias.assign(draw.normal(0, 3, made.bias.shape))
    return made


@pytest.mark.parametrize("shape", [(50, 6), (4, 25, 6)])
def test_quantiles_never_cross_whatever_the_weights(head, shape):
    vectors = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    answers = np.asarray(head(vectors))
    assert answers.shape == (*shape[:-1], 2, 1 + len(LEVELS))
    assert (np.diff(answers[..., 1:], axis=-1) >= 0).all()


def test_answers_are_in_the_units_of_the_targets(head):
    head.kernel.assign(np.zeros(head.kernel.shape))
    head.bias.assign(np.zeros(head.bias.shape))
    (answers,) = np.asarray(head(np.zeros((1, 6), np.float32)))
    step = np.log(2)  # softplus of 0
    for row, mean, deviation in zip(answers, MEAN, DEVIATION, strict=True):
        expected = mean + deviation * np.array([0, -2 * step, -step, 0, step])
        np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_a_head_with_learned_quantiles_covers_what_its_levels_say():
    """Noise whose width depends on the input: the quantiles must follow, and the mean not."""
    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    inputs = draw.uniform(0, 1, (2_000, 1)).astype(np.float32)
    truths = 5 + 2 * inputs + (0.1 + inputs) * draw.normal(size=inputs.shape)
    mean, deviation = [float(truths.mean())], [float(truths.std())]
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(16, "tanh"),
            quantiles.QuantileHead((0.05, 0.5, 0.95), mean, deviation),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.02), quantiles.MeanAndPinball((0.05, 0.5, 0.95), deviation)
    )
    rows = tf.data.Dataset.from_tensors((inputs, truths)).repeat()
    model.fit(rows, steps_per_epoch=400, verbose=0, shuffle=False)
    answers = np.asarray(model(inputs))[:, 0]
    for level, column in zip((0.05, 0.5, 0.95), answers[:, 1:].T, strict=True):
        assert abs((truths[:, 0] < column).mean() - level) < 0.03
    widths = answers[:, 3] - answers[:, 1]
    assert widths[inputs[:, 0] > 0.9].mean() > 3 * widths[inputs[:, 0] < 0.1].mean()
    assert np.sqrt(np.mean((answers[:, 0] - (5 + 2 * inputs[:, 0])) ** 2)) < 0.05


def test_the_loss_is_that_of_its_equation_and_leaves_out_what_is_not_known():
    draw = np.random.default_rng(2)
    truths = draw.normal(size=(3, 4, 2)).astype(np.float32)
    answers = draw.normal(size=(3, 4, 2, 1 + len(LEVELS))).astype(np.float32)
    truths[0, 2:] = np.nan  # padding
    truths[1, 0, 1] = np.nan  # one of two targets
    truths[2] = np.nan  # nothing
    loss = quantiles.MeanAndPinball(LEVELS, DEVIATION)
    rows = []
    for row in range(3):
        terms = []
        for step, target in np.ndindex(4, 2):
            truth = truths[row, step, target]
            if np.isnan(truth):
                continue
            errors = (truth - answers[row, step, target]) / DEVIATION[target]
            term = errors[0] ** 2
            for level, error in zip(LEVELS, errors[1:], strict=True):
                term += max(level * error, (level - 1) * error)
            terms.append(term)
        rows.append(np.mean(terms) if terms else 0.0)
    np.testing.assert_allclose(float(loss(truths, answers)), np.mean(rows), rtol=1e-5)


def test_with_the_logarithm_head_and_loss_are_those_of_logarithms():
    vectors = np.random.default_rng(5).normal(size=(4, 3)).astype(np.float32)
    heads = [quantiles.QuantileHead(LEVELS, MEAN, DEVIATION, each) for each in (False, True)]
    for head in heads:
        head.build((None, 3))
    heads[1].set_weights(heads[0].get_weights())
    plain, above = (np.asarray(head(vectors)) for head in heads)
    np.testing.assert_allclose(np.log(above), plain, rtol=1e-4, atol=1e-4)
    truths = np.exp(np.random.default_rng(6).normal(size=(4, 2))).astype(np.float32)
    truths[0, 0] = np.nan
    losses = [quantiles.MeanAndPinball(LEVELS, DEVIATION, each) for each in (False, True)]
    expected = losses[0](np.log(truths), plain)
    np.testing.assert_allclose(losses[1](truths, above), expected, rtol=1e-3)


def test_gradients_are_finite_where_targets_are_missing():
    truths = tf.constant([[1.0, np.nan], [np.nan, np.nan]])
    answers = tf.Variable(np.ones((2, 2, 1 + len(LEVELS)), np.float32))
    with tf.GradientTape() as tape:
        value = quantiles.MeanAndPinball(LEVELS, DEVIATION)(truths, answers)
    gradient = tape.gradient(value, answers).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[1].any()


def test_head_and_loss_survive_saving(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, 3)), quantiles.QuantileHead(LEVELS, MEAN, DEVIATION)]
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    vectors = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(again(vectors)), np.asarray(model(vectors)))
    loss = quantiles.MeanAndPinball(LEVELS, DEVIATION)
    same = keras.losses.deserialize(keras.losses.serialize(loss))
    assert same.get_config() == loss.get_config()


@pytest.mark.parametrize("levels", [(), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_levels_that_do_not_rise_between_0_and_1_are_refused(levels):
    with pytest.raises(ValueError, match="levels must rise"):
        quantiles.QuantileHead(levels, MEAN, DEVIATION)


def test_a_target_without_deviation_is_refused():
    with pytest.raises(ValueError, match="deviation above 0"):
        quantiles.QuantileHead(LEVELS, (1.0,), (0.0,))


def test_pinball_of_a_constant_is_least_at_the_quantile():
    truths = np.random.default_rng(4).exponential(size=2_000)
    candidates = np.linspace(0, 4, 401)
    losses = [quantiles.pinball(truths, np.full((2_000, 1), each), (0.9,)) for each in candidates]
    assert abs(candidates[int(np.argmin(losses))] - np.quantile(truths, 0.9)) < 0.02


def test_quantiles_between_and_beyond_the_known_levels_go_on_evenly_and_back():
    levels = (0.25, 0.5, 0.75)
    known = tf.constant([[0.0, 1.0, 3.0]] * 4)
    found = quantiles.drawn(known, levels, tf.constant([0.25, 0.6, 0.75, 1.0]))
    np.testing.assert_allclose(found, [0.0, 1.8, 3.0, 5.0], rtol=1e-5)
    back = quantiles.levels_of(found.numpy(), known.numpy(), levels)
    np.testing.assert_allclose(back, [0.25, 0.6, 0.75, 1.0], rtol=1e-5)


def test_stand_ins_of_a_distribution_have_its_quantiles():
    levels = (0.1, 0.3, 0.5, 0.7, 0.9)
    known = tf.constant([[0.0, 1.0, 3.0, 4.0, 8.0]])
    drawn = quantiles.stand_ins(known, levels, 200)
    found = quantiles.over(drawn[:, :, None], levels)[:, :, 0]
    np.testing.assert_allclose(found, known, atol=0.02)
