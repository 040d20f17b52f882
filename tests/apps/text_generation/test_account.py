"""A training says what it understood of its text."""

import dataclasses

from apps.text_generation import account, data
from apps.text_generation import config as configs


def test_files_that_are_read_and_files_that_are_not_are_named(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "B.TXT", "sub/c.txt"):
        (tmp_path / name).write_text("green bottles on the wall\n" * 40)
    (tmp_path / "sub" / "d.md").write_text("# not read")
    config = dataclasses.replace(configs.PRESETS["tiny"], data=str(tmp_path))
    told = account.of(data.load(config), config)
    assert f"{tmp_path.name}: 3,120 characters in 120 lines" in told
    assert "3 files: B.TXT, a.txt, c.txt" in told
    assert "2,808 train, 156 validation, 156 test" in told
    assert "1 file: d.md" in told
