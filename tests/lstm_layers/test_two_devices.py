"""Training on two devices, whose last batch leaves one of them without a row.

Keras divides the loss of each device by the number of devices, whatever rows it has. So the row of
a last batch of one counts half, with `keras.layers.LSTM` too; the training on one device that these
tests compare with gives it half the weight.
"""

import subprocess
import sys

import pytest

# Not in this process, which has one device by now. A batch of four rows, then one of a single row.
_TRAINING = """
import keras, numpy as np, tensorflow as tf
from lstm_layers import GRU, PeepholeLSTM

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.config.set_dtype_policy("{policy}")
x = np.random.default_rng(0).normal(size=(5, 6, 2)).astype("float32")
x[4, 4:] = x[1, :3] = 0
data = x, np.ones((5, 1), "float32")
halved = *data, np.array([1, 1, 1, 1, 0.5], "float32")

def trained(strategy, data):
    data = tf.data.Dataset.from_tensor_slices(data).batch(4)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras.Sequential([
            keras.Input(({steps}, 2)),
            keras.layers.Masking(),
            PeepholeLSTM(3, return_sequences=True, implementation="{implementation}"),
            GRU(3, implementation="{implementation}"),
            keras.layers.Dense(1, dtype="float32"),
        ])
        model.compile(keras.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    model.fit(data, epochs=2, verbose=0)
    assert all((was != is_now).any() for was, is_now in zip(before, model.get_weights()))
    return [*model.get_weights(), model.predict(x, batch_size=4, verbose=0)]

one = trained(tf.distribute.OneDeviceStrategy("CPU:0"), halved)
two = trained(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), data)
for alone, together in zip(one, two, strict=True):
    np.testing.assert_allclose(together, alone, rtol={tolerance}, atol={tolerance})
print("equal")
"""
_WAYS = {
    "compiled": ("float32", "auto", 6),
    "in 16 bits": ("mixed_float16", "auto", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", _WAYS)
def test_a_device_without_a_row_changes_nothing(way):
    policy, implementation, steps = _WAYS[way]
    tolerance = 1e-4 if policy == "float32" else 5e-3
    code = _TRAINING.format(
        policy=policy, implementation=implementation, steps=steps, tolerance=tolerance
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == "equal"
