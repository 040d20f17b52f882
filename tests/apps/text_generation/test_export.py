"""The export answers as Keras does, in a process of its own, in batches and texts of any size."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import check
from apps.suite.networks import sampling
from apps.suite.serving import warmup_requests
from apps.text_generation import export, serving, trained_model
from tests.apps.text_generation import small_run

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

OPTIONS = {
    "length": np.int32(30),
    "temperature": np.float32(0.9),
    "top_k": np.int32(0),
    "top_p": np.float32(0.95),
    "seed": np.int64(5),
}


@pytest.fixture(scope="module")
def trained(run):
    return trained_model.load(run)


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures
    del loaded  # the signatures hold no reference to the variables


def continuations(signatures, prompts, **options):
    given = {name: tf.constant(value) for name, value in {**OPTIONS, **options}.items()}
    answer = signatures["serving_default"](prompt=tf.constant(prompts), **given)
    return [text.decode() for text in answer["text"].numpy()]


def test_the_version_holds_the_vocabulary(exported):
    vocabulary = (exported / "assets" / "vocabulary.txt").read_text().split("\n")
    assert vocabulary[:2] == ["\ufffd", "\\n"]


def test_inputs_and_outputs_have_their_names(signatures):
    found = {
        name: (sorted(signature.structured_input_signature[1]), sorted(signature.output_shapes))
        for name, signature in signatures.items()
    }
    states = ["state_0_0", "state_0_1", "state_1_0", "state_1_1"]
    assert found == {
        "serving_default": (
            ["length", "prompt", "seed", "temperature", "top_k", "top_p"],
            ["text"],
        ),
        "step": ([*states, "token"], ["logits", *states, "token"]),
        "score": (["text"], ["nats_per_character"]),
        "assets": (["name"], ["content"]),
    }


def test_a_clean_process_gives_a_seeded_text_twice_and_in_any_batch(exported, signatures, tmp_path):
    version = tmp_path / "1"
    shutil.copytree(exported, version)
    prompts = ["In the ", "God", ""]
    texts = [text.encode() for text in continuations(signatures, prompts)]
    batches = [[0, 1, 2], [0, 1, 2], [2, 0], [1]]
    requests = [
        warmup_requests.Request(
            "serving_default",
            {"prompt": np.array([prompts[row].encode() for row in rows], object), **OPTIONS},
            {"text": np.array([texts[row] for row in rows], object)},
        )
        for rows in batches
    ]
    others = [
        request
        for request in warmup_requests.read(exported / warmup_requests.FILE)
        if request.signature != "serving_default"
    ]
    warmup_requests.write(version / warmup_requests.FILE, "any", [*requests, *others])
    check.check(version)


def test_options_are_scalars_or_values_of_the_rows(signatures):
    prompts = ["In the ", "God", ""]
    rows = {
        "length": np.array([3, 0, 9], np.int32),
        "temperature": np.array([0, 1, 2], np.float32),
        "top_k": np.array([0, 1, 2], np.int32),
        "top_p": np.array([1, 0.5, 0.9], np.float32),
        "seed": np.array([1, 2, 3], np.int64),
    }
    together = continuations(signatures, prompts, **rows)
    assert together == [
        continuations(signatures, [prompt], **{name: rows[name][row] for name in rows})[0]
        for row, prompt in enumerate(prompts)
    ]
    assert [len(text) for text in together] == [3, 0, 9]


def test_a_bad_option_is_refused_by_its_name(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="temperature must be at least 0"):
        continuations(signatures, ["God"], temperature=np.float32(-1))


def test_scores_are_those_of_numpy_over_keras_logits(signatures, trained):
    texts = [small_run.TEXT * 4, "God", "", "☃ unknown"]  # one longer than a window, one unknown
    assert len(texts[0]) > 512
    wanted = []
    for text in texts:
        ids = [*sampling.start_tokens(trained.tokenizer), *trained.tokenizer.encode(text)]
        states = sampling.initial_states(trained.streaming, 1)
        logits = trained.streaming([tf.constant([ids]), *states])[0].numpy()[0].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        nats = -sum(logs[at, token] for at, token in enumerate(ids[1:]))
        wanted.append(nats / max(1, len(text)))
    given = signatures["score"](text=tf.constant(texts))["nats_per_character"]
    np.testing.assert_allclose(given, wanted, rtol=1e-5)


def test_single_steps_are_the_whole_text_and_lead_to_the_greedy_one(signatures, trained):
    tokens = tf.stack([trained.tokenizer.encode("In the "), trained.tokenizer.encode("God sai")])
    states = sampling.initial_states(trained.streaming, 2)
    whole, *last = trained.streaming([tokens, *states])
    fed = {f"state_{at // 2}_{at % 2}": state for at, state in enumerate(states)}
    for position in range(7):
        answer = dict(signatures["step"](token=tokens[:, position], **fed))
        np.testing.assert_allclose(answer["logits"], whole[:, position], atol=1e-5)
        fed = {name: answer[name] for name in fed}
    np.testing.assert_allclose(fed["state_1_1"], last[3], atol=1e-5)
    written = []
    for _ in range(10):
        written.append(answer.pop("token").numpy())
        answer.pop("logits")
        answer = dict(signatures["step"](token=written[-1], **answer))
    greedy = continuations(signatures, ["In the ", "God sai"], length=10, temperature=np.float32(0))
    assert [trained.tokenizer.decode(row) for row in np.stack(written, 1)] == greedy


@pytest.mark.parametrize(
    ("tokenizer", "sizes"),
    [
        ("byte", {"layer": "gru", "units": 7, "tie_embeddings": True}),
        ("word", {"layer": "lstm", "layer_count": 1}),
        ("subword", {"layer": "gru"}),
    ],
)
def test_other_tokenizers_and_layers_answer_as_keras_does(tokenizer, sizes):
    made = small_run.trained(tokenizer, **sizes)
    signatures = serving.ServedText(made.streaming, made.tokenizer).signatures()
    for request in serving.requests(made.streaming, made.tokenizer):
        inputs = {name: tf.constant(value) for name, value in request.inputs.items()}
        answers = signatures[request.signature](**inputs)
        assert answers.keys() == request.answers.keys()
        for name, wanted in request.answers.items():
            if wanted.dtype == np.float32:
                np.testing.assert_allclose(answers[name], wanted, rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_array_equal(answers[name], wanted)


def test_a_model_that_was_trained_in_16_bits_is_served_in_32(tmp_path):
    small_run.write(tmp_path, layer="gru", precision="mixed_bfloat16")
    made = trained_model.load(tmp_path)
    assert made.config.training.precision == "mixed_bfloat16"
    served = serving.ServedText(made.streaming, made.tokenizer)
    for name, signature in served.signatures().items():
        traced = getattr(signature, "get_concrete_function", lambda signature=signature: signature)
        operations = traced().graph.get_operations()
        dtypes = {output.dtype for operation in operations for output in operation.outputs}
        assert tf.float32 in dtypes or name == "assets"
        assert tf.bfloat16 not in dtypes


def test_the_command_tells_where_it_is_and_how_to_ask(capsys, monkeypatch, run, exported):
    # The export itself is the one of the other tests: it takes seconds.
    monkeypatch.setattr(export, "export", lambda *_: exported)
    assert export.main(["--run", str(run), "--to", "anywhere"]) == 0
    out = capsys.readouterr().out
    assert f"exported to {exported}" in out
    assert '"instances": [{"prompt"' in out


@pytest.mark.parametrize(
    ("prompts", "length", "told"),
    [
        (["a"], 10_001, "length"),
        (["a"], 10**9, "length"),
        (["a"], 2**31 - 300, "length"),
        (["a", "b"], [10**9, 1], "length"),
        (["a"] * 105, 10_000, "rows times the longest one"),
        (["a" * (2**16 + 1)], 1, "prompt: bytes"),
        (["a" * 2**16, *["a"] * 16], 1, "prompt: rows times bytes"),
    ],
)
def test_more_than_the_bounds_is_refused_at_once(signatures, prompts, length, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        continuations(signatures, prompts, length=np.array(length, np.int32))


def test_the_bounds_are_said_in_an_asset(signatures):
    (content,) = signatures["assets"](name=tf.constant(["settings.json"]))["content"].numpy()
    assert json.loads(content)["limits"] == serving.LIMITS


def test_the_score_of_a_text_that_is_too_long_is_refused(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="text: bytes"):
        signatures["score"](text=tf.constant(["a" * (serving.LIMITS["text_bytes"] + 1)]))


def test_many_rows_are_read_in_windows_that_fit_and_score_as_one_row_does(signatures):
    texts = ["In the beginning God said, " * 12, "Let there be light"] * 70  # beyond 128 rows
    together = signatures["score"](text=tf.constant(texts))["nats_per_character"].numpy()
    alone = [
        signatures["score"](text=tf.constant([text]))["nats_per_character"].numpy()[0]
        for text in texts[:2]
    ]
    np.testing.assert_allclose(together, np.tile(alone, 70), rtol=1e-5)
