"""The set of made sentences holds pairs of words out, and both sets describe themselves."""

import pytest

from apps.suite.data import named_sets


@pytest.fixture(scope="module", params=["grammar_sentences/few", "pronunciations/few"])
def builder(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named_sets.prepare(request.param)


def test_set_describes_itself(builder):
    info = builder.info
    assert info.description
    assert info.citation
    assert info.redistribution_info.license
    assert info.supervised_keys
    assert set(info.splits) == {"train", "validation", "test"}
    assert not info.download_size


def test_no_source_comes_in_two_splits(builder):
    key = builder.info.supervised_keys[0]
    seen = [
        {example[key] for example in builder.as_dataset(split=split).as_numpy_iterator()}
        for split in builder.info.splits
    ]
    assert sum(map(len, seen)) == len(set.union(*seen))
