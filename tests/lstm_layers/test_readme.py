import re
from pathlib import Path

import pytest

import lstm_layers

README = Path(lstm_layers.__file__).with_name("README.md")
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0])
def test_examples_run_as_they_stand(example, sequences, masks):
    exec(example, {"x": sequences, "mask": masks["gaps"]})


def test_there_are_examples():
    assert len(EXAMPLES) == 10
