"""The signatures of the export: strings in, strings or numbers out; see `export` for their list."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from apps.text_generation import data, model, sampling
from apps.text_generation import tokenizer as tokenizers


class ServedText:
    """A language model and its tokenizer behind strings.

    Args:
        streaming: what `model.build_streaming` returns.
        tokenizer: its vocabulary becomes an asset.

    Attributes:
        saved: what has to be saved for the signatures.
    """

    def __init__(self, streaming: keras.Model, tokenizer: tokenizers.Tokenizer) -> None:
        self.saved = tf.Module(name="served_text")
        self.saved.tokenizer = tokenizer
        self.saved.weights = [weight.value for weight in streaming.weights]
        self.streaming = streaming
        self.tokenizer = tokenizer
        self.start = sampling.start_tokens(tokenizer)
        self.state_names = [state.name for state in streaming.inputs[1:]]

    def signatures(self) -> dict[str, Any]:
        """A traced or traceable function by the name of its signature."""

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
        """Signature `serving_default`."""
        ids = sampling.generate(
            self.streaming,
            data.preprocess(prompt, self.tokenizer),
            self.start,
            length,
            temperature,
            top_k,
            top_p,
            seed,
        )
        return {"text": self.tokenizer.graph_decode(ids.to_tensor(), ids.row_lengths())}

    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `step`."""
        before = [states[name] for name in self.state_names]
        logits, after = model.step(self.streaming, token, before)
        following = tf.argmax(logits[:, 1:], axis=1, output_type=tf.int32) + 1
        named = dict(zip(self.state_names, after, strict=True))
        return {"token": following, "logits": logits, **named}

    def score(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Signature `score`."""
        tokens = data.preprocess(text, self.tokenizer)
        batch, lengths = tokens.nrows(out_type=tf.int32), tokens.row_lengths()
        before = tf.broadcast_to(self.start, [batch, 1])
        read = tf.concat([before, tokens.to_tensor()], axis=1)
        last = tf.shape(read)[1] - 1

        def advance(start: tf.Tensor, nats: tf.Tensor, states: list[tf.Tensor]) -> tuple:
            end = tf.minimum(start + sampling.WINDOW_TOKENS, last)
            logits, *states = self.streaming([read[:, start:end], *states], training=False)
            following = read[:, start + 1 : end + 1]
            here = tf.nn.sparse_softmax_cross_entropy_with_logits(following, logits)
            places = tf.range(start, end, dtype=tf.int32)[None, :]
            is_text = tf.cast(places, lengths.dtype) < lengths[:, None]
            return end, nats + tf.reduce_sum(tf.where(is_text, here, 0.0), axis=1), states

        _, nats, _ = tf.while_loop(
            lambda start, *_: start < last,
            advance,
            (0, tf.zeros([batch]), model.initial_states(self.streaming, batch)),
        )
        characters = tf.strings.length(text, unit="UTF8_CHAR")
        return {"nats_per_character": tf.math.divide_no_nan(nats, tf.cast(characters, tf.float32))}
