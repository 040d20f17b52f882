import subprocess
import sys

import pytest


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


@pytest.mark.slow
def test_tensorflow_starts_without_a_word_and_later_messages_arrive():
    ended = run(
        "import sys; from apps.suite import process; process.quiet_tensorflow()\n"
        "assert 'tensorflow' not in sys.modules\n"
        "import keras, tensorflow as tf; tf.constant(1)\n"
        "print('after', file=sys.stderr); print(keras.backend.backend())"
    )
    assert (ended.stdout, ended.stderr) == ("tensorflow\n", "after\n")


@pytest.mark.slow
@pytest.mark.parametrize(("level", "is_told"), [("3", False), ("0", True)])
def test_graphs_that_are_traced_anew_are_told_to_nobody_unless_all_notes_are_asked_for(
    level, is_told
):
    ended = run(
        f"import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = {level!r}\n"
        "from apps.suite import process; process.quiet_tensorflow()\n"
        "import tensorflow as tf\n"
        "doubled = tf.function(lambda x: 2 * x)\n"
        "for size in range(8): doubled(tf.zeros([size]).shape[0] + 0)"
    )
    assert ended.returncode == 0
    assert ("retracing" in ended.stderr) == is_told


def test_an_import_that_fails_is_told_with_what_was_held_back(tmp_path):
    broken = tmp_path / "tensorflow.py"
    broken.write_text(
        "import os\nos.write(2, b'said by C++\\n')\nraise ImportError('no such GPU')\n"
    )
    ended = run(
        "import sys; from apps.suite import process; process.quiet_tensorflow()\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import tensorflow"
    )
    assert ended.returncode == 1
    assert "said by C++" in ended.stderr
    assert "ImportError: no such GPU" in ended.stderr
