"""Declares the options of the networks that read sequences."""

from typing import Annotated, Literal

import pydantic
from pydantic.dataclasses import dataclass

from apps.suite.runs import config as fields

BeamWidth = Annotated[int, pydantic.Field(ge=1, le=16)]
"""Sequences that a beam search keeps; see `beam_search.LARGEST_WIDTH`."""


@dataclass(frozen=True)
class EncoderConfig:
    """Options of `sequence_encoder`."""

    # Values that are taken off each channel: the train part's mean and deviation (z_score), its
    # mean alone (centre), mean and deviation of the sequence itself (sequence), or nothing (none)
    normalisation: Literal["z_score", "centre", "sequence", "none"] = "z_score"
    # Steps of running means that are read beside the values, for what changes slowly under noise;
    # none = off
    running_mean_steps: tuple[Annotated[int, pydantic.Field(ge=2)], ...] = ()
    # Lags at which a sequence is correlated with itself: the layers after it read lag by lag, and
    # not step by step, for what repeats; 0 = off
    lag_count: fields.CountOrZero = 0
    shortest_lag_steps: fields.Count = 15
    longest_lag_steps: fields.Count = 150
    convolution_count: fields.CountOrZero = 0  # convolutions before the recurrent layers
    convolution_filters: fields.Count = 64  # filters of each convolution
    convolution_steps: fields.Count = 5  # steps that a filter covers
    # Steps that are pooled to one after each convolution, or once where there is none; 1 = off
    pool_steps: fields.Count = 1
    pool: Literal["max", "average"] = "max"  # rule that pools these steps
    layer: Literal["peephole_lstm", "lstm", "gru", "bilstm"] = "peephole_lstm"  # recurrent layer
    layer_count: fields.Count = 1  # number of recurrent layers
    units: fields.Count = 64  # units of each recurrent layer, in each direction
    # Rule that makes one vector of a sequence's steps
    pooling: Literal["last", "mean", "max", "attention", "mean_max"] = "mean_max"
    # Random convolutions (`sequences.random_convolutions`) whose features one member more reads, in
    # place of the recurrent layers; 0 = off
    random_kernels: fields.CountOrZero = 0
    dropout: fields.Share = 0.2  # share of the units dropped in training
    input_dropout: fields.Share = (
        0.0  # share of the values that the recurrent layers read, likewise
    )

    def __post_init__(self) -> None:
        if self.shortest_lag_steps >= self.longest_lag_steps:
            raise ValueError("model.shortest_lag_steps must be below longest_lag_steps")
        if self.lag_count and self.running_mean_steps:
            raise ValueError("model.running_mean_steps are of steps; model.lag_count reads none")

    @property
    def streams(self) -> bool:
        """Returns whether the network answers a stream: no part of it needs later steps."""
        reads_ahead = self.layer == "bilstm" or self.normalisation == "sequence"
        return not (reads_ahead or self.pool_steps > 1 or self.lag_count or self.random_kernels)

    def networks(self, members: int) -> int:
        """Returns the number of networks that learn side by side, given that of the members."""
        return members + (self.random_kernels > 0)

    def refuse_steps(self, per_step: bool) -> None:
        """Raises ValueError for options that read no steps, where each step has an answer."""
        for name in ("lag_count", "random_kernels"):
            if per_step and getattr(self, name):
                raise ValueError(f"model.{name} is for one answer a sequence")


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """Options of `encoder_decoder`."""

    embedding_units: fields.Count = 192  # size of a token's vector
    encoder_units: fields.Count = 128  # units of the encoder's layers, in each direction
    encoder_layers: fields.Count = 1  # number of the encoder's layers
    units: fields.Count = 192  # units of the decoder's layers
    decoder_layers: fields.Count = 1  # number of the decoder's layers
    # Score of the attention: Luong's (dot, general) or Bahdanau's (additive)
    attention: Literal["dot", "general", "additive"] = "general"
    dropout: fields.Share = 0.2  # share of the units dropped in training
    # One table of vectors for source, target and the scores of tokens, where they share the ids
    shared_embedding: bool = True
