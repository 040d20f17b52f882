"""Builds the signatures of the export, which continue and score texts, and their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.export import assets
from apps.suite.networks import sampling
from apps.suite.serving import limits, signatures, warmup_requests
from apps.suite.texts import tokenizer
from apps.text_generation import data, mixture, model, trained_model

SIGNATURES = {
    "serving_default": signatures.Signature(
        {
            "prompt": "string[b]",
            "length": "int32[…]",
            "temperature": "float32[…]",
            "top_k": "int32[…]",
            "top_p": "float32[…]",
            "seed": "int64[…]",
        },
        {"text": "string[b]"},
    ),
    "step": signatures.Signature(
        {"token": "int32[b]", signatures.STATES: "float32[b, units]"},
        {
            "token": "int32[b]",
            "logits": "float32[b, tokens]",
            signatures.STATES: "float32[b, units]",
        },
    ),
    "score": signatures.Signature({"text": "string[b]"}, {"nats_per_character": "float32[b]"}),
    "assets": signatures.ASSETS,
}
"""An option of `serving_default` is a scalar, or has a value for each row."""

LIMITS = {
    "length": 10_000,
    "rows_times_longest_length": 2**20,
    "prompt_bytes": 2**16,
    "text_bytes": 2**16,  # of `score`
    "rows_times_longest_text_bytes": 2**20,
    "rows_times_vocabulary": 2**24,
    "rows": 2**14,
}
"""Bounds of a request, which the graph holds; also in the asset settings.json."""

_LOGITS_AT_ONCE = 2**25  # of `score`, rows times tokens times vocabulary; bounds the memory


class ServedText:
    """Serves a language model with its tokenizer: strings in and out.

    Args:
        streaming: what `model.build_streaming` or `mixture.mixed` returns.
        tokenizer: its vocabulary becomes an asset.
        mixed: n-grams that `streaming` holds, for the asset settings.json.

    Attributes:
        saved: what has to be saved for the signatures.
    """

    def __init__(
        self,
        streaming: keras.Model,
        tokenizer: tokenizer.Tokenizer,
        mixed: mixture.Mixture | None = None,
    ) -> None:
        self.saved = tf.Module(name="served_text")
        self.saved.tokenizer = tokenizer
        settings: dict[str, Any] = {"limits": LIMITS}
        if mixed is not None:
            settings["ngrams"] = {"order": mixed.model.order, "network_share": mixed.share}
        self.assets = assets.Assets({assets.SETTINGS: json.dumps(settings, indent=2) + "\n"})
        self.saved.assets = self.assets.saved
        self.saved.weights = [weight.value for weight in streaming.weights]
        self.streaming = streaming
        self.tokenizer = tokenizer
        self.start = sampling.start_tokens(tokenizer)
        self.state_names = [state.name for state in streaming.inputs[1:]]

    def signatures(self) -> dict[str, Any]:
        """Returns a traced or traceable function by the name of its signature."""

        def options(dtype: tf.DType, name: str) -> tf.TensorSpec:
            return tf.TensorSpec(None, dtype, name)  # a scalar, or a value for each row

        states = {
            name: tf.TensorSpec([None, state.shape[-1]], tf.float32, name)
            for name, state in zip(self.state_names, self.streaming.inputs[1:], strict=True)
        }
        return {
            "serving_default": tf.function(
                self.continuation,
                autograph=False,
                input_signature=[
                    tf.TensorSpec([None], tf.string, "prompt"),
                    options(tf.int32, "length"),
                    options(tf.float32, "temperature"),
                    options(tf.int32, "top_k"),
                    options(tf.float32, "top_p"),
                    options(tf.int64, "seed"),
                ],
            ),
            "step": tf.function(self.step, autograph=False).get_concrete_function(
                token=tf.TensorSpec([None], tf.int32, "token"), **states
            ),
            "score": tf.function(
                self.score,
                autograph=False,
                input_signature=[tf.TensorSpec([None], tf.string, "text")],
            ),
            "assets": self.assets.signature(),
        }

    def continuation(
        self,
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Answers signature `serving_default`."""
        prompt = self._rows_within(prompt, "prompt")
        tokens = _longest(length)
        length = limits.at_most(length, [tokens], LIMITS["length"], "length")
        length = limits.at_most(
            length,
            [tf.size(prompt), _longest(length)],
            LIMITS["rows_times_longest_length"],
            "length: rows times the longest one",
        )
        ids = sampling.generate(
            self.streaming,
            data.preprocess(prompt, self.tokenizer),
            self.start,
            length,
            temperature,
            top_k,
            top_p,
            seed,
            step=model.step,
        )
        return {"text": self.tokenizer.graph_decode(ids.to_tensor(), ids.row_lengths())}

    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `step`."""
        token = self._few(token, "token")
        before = [limits.finite(states[name], name) for name in self.state_names]
        logits, after = model.step(self.streaming, token, before)
        following = tf.argmax(logits[:, 1:], axis=1, output_type=tf.int32) + 1
        named = dict(zip(self.state_names, after, strict=True))
        return {"token": following, "logits": logits, **named}

    def score(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers signature `score`."""
        tokens = data.preprocess(self._rows_within(text, "text"), self.tokenizer)
        batch, lengths = tokens.nrows(out_type=tf.int32), tokens.row_lengths()
        before = tf.broadcast_to(self.start, [batch, 1])
        read = tf.concat([before, tokens.to_tensor()], axis=1)
        last = tf.shape(read)[1] - 1
        fits = _LOGITS_AT_ONCE // (self.tokenizer.vocabulary_size * tf.maximum(batch, 1))
        window = tf.maximum(tf.minimum(sampling.window_tokens(batch), fits), 1)

        def advance(start: tf.Tensor, nats: tf.Tensor, states: list[tf.Tensor]) -> tuple:
            end = tf.minimum(start + window, last)
            logits, *states = self.streaming([read[:, start:end], *states], training=False)
            following = read[:, start + 1 : end + 1]
            here = tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits)
            places = tf.range(start, end, dtype=tf.int32)[None, :]
            is_text = tf.cast(places, lengths.dtype) < lengths[:, None]
            return end, nats + tf.reduce_sum(tf.where(is_text, here, 0.0), axis=1), states

        _, nats, _ = tf.while_loop(
            lambda start, *_: start < last,
            advance,
            (0, tf.zeros([batch]), sampling.initial_states(self.streaming, batch)),
        )
        characters = tf.strings.length(text, unit="UTF8_CHAR")
        return {"nats_per_character": tf.math.divide_no_nan(nats, tf.cast(characters, tf.float32))}

    def _rows_within(self, texts: tf.Tensor, name: str) -> tf.Tensor:
        """Returns string[b] after a check of the time and memory that reading it takes."""
        texts = self._few(texts, name)
        longest = _longest(tf.strings.length(texts))
        texts = limits.at_most(
            texts, [longest], LIMITS[f"{name}_bytes"], f"{name}: bytes of the longest one"
        )
        return limits.at_most(
            texts,
            [tf.size(texts), longest],
            LIMITS["rows_times_longest_text_bytes"],
            f"{name}: rows times bytes of the longest one",
        )

    def _few(self, rows: tf.Tensor, name: str) -> tf.Tensor:
        """Returns a value for each row after a check of how many there are."""
        rows = limits.at_most(rows, [tf.size(rows)], LIMITS["rows"], f"{name}: rows")
        return limits.at_most(
            rows,
            [tf.size(rows), self.tokenizer.vocabulary_size],
            LIMITS["rows_times_vocabulary"],
            f"{name}: rows times the size of the vocabulary",
        )


def _longest(lengths: tf.Tensor) -> tf.Tensor:
    """Returns the highest of int32 lengths of any shape, 0 of none."""
    return tf.reduce_max(tf.concat([tf.reshape(lengths, [-1]), [0]], axis=0))


def served(run: Path) -> ServedText:
    """Builds the signatures over a finished run; raises what `trained_model.load` raises."""
    trained = trained_model.load(run)
    return ServedText(trained.answering(), trained.tokenizer, trained.mixture)


_LENGTH = 24


def requests(
    streaming: keras.Model, tokenizer: tokenizer.Tokenizer
) -> list[warmup_requests.Request]:
    """Returns requests of one and of several rows, short and long, with all kinds of sampling.

    The answers come from the model as Keras runs it, not from the functions that are exported:
    texts token by token in Python, logits and scores from calls of the whole model.
    """
    known = tokenizer.decode(np.linspace(1, tokenizer.vocabulary_size - 1, 9).astype(int))
    prompts = [known, "", known[:1]]
    rows: dict[str, Any] = {
        "length": np.array([_LENGTH, 5, _LENGTH], np.int32),
        "temperature": np.array([0.0, 1.0, 0.7], np.float32),
        "top_k": np.array([0, 5, 0], np.int32),
        "top_p": np.array([1.0, 1.0, 0.9], np.float32),
        "seed": np.array([0, 1, 2], np.int64),
    }
    scalars = {name: values[2] for name, values in rows.items()}
    found = [
        _continuation(streaming, tokenizer, prompts[:1], scalars),
        _continuation(streaming, tokenizer, prompts, rows),
    ]
    for count in (1, 3):
        found += [_step(streaming, count), _score(streaming, tokenizer, prompts[:count])]
    return [*found, assets.request()]


def _continuation(
    streaming: keras.Model,
    tokenizer: tokenizer.Tokenizer,
    prompts: list[str],
    options: dict[str, Any],
) -> warmup_requests.Request:
    texts = []
    for row, prompt in enumerate(prompts):
        ids = tokenizer.encode(prompt)
        own = {name: np.atleast_1d(values) for name, values in options.items()}
        drawn = sampling.stream(
            streaming,
            ids if len(ids) else sampling.start_tokens(tokenizer),
            **{name: values[min(row, len(values) - 1)].item() for name, values in own.items()},
            step=model.step,
        )
        texts.append("".join(sampling.texts(drawn, tokenizer)).encode())
    inputs = {"prompt": np.array([prompt.encode() for prompt in prompts], object), **options}
    return warmup_requests.Request(
        "serving_default", inputs, {"text": np.array(texts, dtype=object)}
    )


def _step(streaming: keras.Model, count: int) -> warmup_requests.Request:
    token = np.arange(1, count + 1, dtype=np.int32) % streaming.outputs[0].shape[-1]
    names = [state.name for state in streaming.inputs[1:]]
    draw = np.random.default_rng(0)
    before = [
        draw.uniform(-0.5, 0.5, state.shape).astype(np.float32)
        for state in sampling.initial_states(streaming, count)
    ]
    logits, *after = (values.numpy() for values in streaming([token[:, None], *before]))
    following = 1 + np.argmax(logits[:, 0, 1:], axis=1).astype(np.int32)
    return warmup_requests.Request(
        "step",
        {"token": token, **dict(zip(names, before, strict=True))},
        {
            "token": following,
            "logits": logits[:, 0],
            **dict(zip(names, after, strict=True)),
        },
    )


def _score(
    streaming: keras.Model, tokenizer: tokenizer.Tokenizer, texts: list[str]
) -> warmup_requests.Request:
    """Scores each text in a call of its own, so that no padding is involved."""
    scores = []
    for text in texts:
        ids = np.concatenate([sampling.start_tokens(tokenizer), tokenizer.encode(text)])
        states = sampling.initial_states(streaming, 1)
        logits = streaming([tf.constant(ids[None, :-1], tf.int32), *states])[0][0] if text else ()
        nats = [-tf.nn.log_softmax(row)[i].numpy() for row, i in zip(logits, ids[1:], strict=True)]
        scores.append(sum(nats) / len(text) if text else 0.0)
    return warmup_requests.Request(
        "score",
        {"text": np.array([text.encode() for text in texts], object)},
        {"nats_per_character": np.array(scores, np.float32)},
    )
