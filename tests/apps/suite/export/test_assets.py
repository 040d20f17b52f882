"""Clients read the text files of an export over the wire, as they lie in its folder."""

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import asking, assets, saved_model

CONTENTS = {"settings.json": '{"rate_hz": 8000}\n', "names.txt": "ä\nb\n"}


class Served:
    """A model whose only signature is that of its files."""

    def __init__(self):
        self.assets = assets.Assets(CONTENTS)
        self.saved = tf.Module()
        self.saved.assets = self.assets.saved

    def signatures(self):
        return {"assets": self.assets.signature()}


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    served, folder = Served(), tmp_path_factory.mktemp("exports")
    return saved_model.write(served.saved, served.signatures(), [assets.request()], folder, "files")


def test_files_are_read_from_the_model_and_from_the_folder(version):
    for name, content in CONTENTS.items():
        assert (version / "assets" / name).read_text(encoding="utf-8") == content
    of_run = asking.of_served("files", Served())
    with asking.exports(version.parents[1]) as (exported,):
        over_the_wire = asking.Model(exported.name, exported.inputs, exported._answer)
        for model in (of_run, exported, over_the_wire):
            assert {name: model.asset(name) for name in CONTENTS} == CONTENTS
            assert model.settings == {"rate_hz": 8000}
            assert model.asset("other.txt") is None


def test_several_files_are_asked_for_at_once(version):
    names = np.array(["names.txt", "other.txt", "settings.json"], object)
    content = asking.of_served("files", Served()).ask("assets", name=names)["content"]
    expected = [CONTENTS.get(name, "").encode() for name in names]
    assert content.tolist() == expected
