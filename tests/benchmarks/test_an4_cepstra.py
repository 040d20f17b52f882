"""The benchmark keeps speakers apart and measures the whole path on a set of the same form."""

import re

import numpy as np
import pytest

from benchmarks import an4_cepstra

TEXTS = ("YES", "GO", "E S T", "NO NO")


def write(folder, name, speakers):
    draw, rows, cepstra = np.random.default_rng(len(name)), [], []
    for at, speaker in enumerate(speakers):
        frames = 2 * int(draw.integers(30, 45))
        cepstra.append(draw.normal(3, 5, (frames, 13)).astype("float16"))
        rows.append(f"{name}{at}\t{speaker}\t{frames}\t{TEXTS[at % 4]}")
    lengths = np.array([len(each) for each in cepstra], "int32")
    np.savez(folder / f"{name}.npz", cepstra=np.concatenate(cepstra), frames=lengths)
    lines = ["utterance\tspeaker\tframes\ttext", *rows]
    (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def test_utterances_are_read_in_order_without_their_means(tmp_path):
    write(tmp_path, "train", ["a", "a", "b"])
    said, cepstra = an4_cepstra.read(tmp_path, "train")
    assert [each.text for each in said] == ["yes", "go", "e s t"]
    assert [each.speaker for each in said] == ["a", "a", "b"]
    for each in cepstra:
        frames = each.reshape(-1, an4_cepstra.COEFFICIENTS)
        np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-3)


@pytest.mark.slow
def test_every_way_of_decoding_is_measured(tmp_path, capsys, monkeypatch):
    write(tmp_path, "train", [f"s{at % 11}" for at in range(44)])
    write(tmp_path, "test", ["t0", "t1", "t2", "t3"])
    settings = an4_cepstra.configs.PRESETS["tiny"]
    monkeypatch.setitem(an4_cepstra.configs.PRESETS, "default", settings)
    arguments = [str(tmp_path), "--steps", "20", "--units", "8", "--layer", "lstm"]
    assert an4_cepstra.main(arguments) == 0
    told = capsys.readouterr().out
    assert "4 utterances, 7 words" in told
    assert len(re.findall(r"word error rate \d+\.\d\d%", told)) == 3
