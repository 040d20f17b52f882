"""Computes errors of the season beside a forecaster's: values less the usual one a season before.

A forecaster follows a fault that lasts, as it reads the values of the fault; what is usual at a
place of the season does not.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from apps.anomaly_detection import residuals

States = dict[str, tf.Tensor]
_USUAL = "season_usual"


class _Block(NamedTuple):
    """Steps of a stream, float32 (batch, steps, scored) each; flags are 0 or 1."""

    values: tf.Tensor
    kept: tf.Tensor  # values, cut as the network's inputs are
    observed: tf.Tensor
    before: tf.Tensor  # values one season before
    observed_before: tf.Tensor


class SeasonErrors:
    """Distances from the season before, in which a fault has no echo.

        u_t = x_t where |e_t| <= limit, or nothing was known; else u_{t-L}
        e_t = x_t - (of u_{t-L} and x_{t-L} the one that is nearer to x_t)

    in deviations of the train part, with the season L and the limit of the network's layer `season`
    (`seasons.limits`). u is the last usual value at each place of the season: a fault does not
    become one. What has lasted for a season is near x_{t-L}, and no error any longer.

    The values one season before come from the state that the network carries, `season_before`.
    The state `season_usual` (batch, L, 2 scored) holds u, and 1 where it is known.

    Args:
        network: of `forecaster.build`, with a season.
    """

    def __init__(self, network: keras.Model) -> None:
        season = network.get_layer("season")
        self.scaling = network.get_layer("scaling")
        self.limit = season.limit
        self.steps = season.season_steps
        self.scored = season.scored_count

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first step of a stream: nothing is known."""
        return {_USUAL: tf.zeros((batch, self.steps, 2 * self.scored))}

    def advance(
        self, values: tf.Tensor, observed: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Reads the next steps of each row; the arguments are those of `Detector.advance`.

        Returns:
            Errors float32, 0 where not valid, and whether they are valid, bool, both (batch, time,
            scored): the value is observed, and a usual one known; the new states.
        """
        time = tf.shape(values)[1]
        observed = observed[..., : self.scored]
        scaled = self.scaling.uncut(values)[..., : self.scored]
        scaled = tf.where(observed, scaled, 0.0)
        reach = self.scaling.clip_deviations
        kept, flags = tf.clip_by_value(scaled, -reach, reach), tf.cast(observed, tf.float32)
        x_before, o_before, _ = tf.split(states["season_before"], 3, axis=-1)
        steps = _Block(
            scaled,
            kept,
            flags,
            tf.concat([x_before, kept], axis=1)[:, :time],
            tf.concat([o_before, flags], axis=1)[:, :time],
        )
        errors, valid, usual = self._in_blocks(steps, states[_USUAL])
        return errors, valid, {_USUAL: usual}

    def _in_blocks(self, steps: _Block, usual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns errors, their validity, and the new state.

        All steps of a season depend on the season before alone, so they are one block.
        """
        time = tf.shape(steps.values)[1]
        size = tf.clip_by_value(time, 1, self.steps)
        count = tf.maximum(1, -(-time // size))
        room = [[0, 0], [0, count * size - time], [0, 0]]
        padded = _Block(*(tf.pad(each, room) for each in steps))
        # Errors, validity, usual values and whether they are known, side by side
        found = tf.TensorArray(tf.float32, count, element_shape=[None, None, 4 * self.scored])

        def look(at: tf.Tensor, kept: tf.Tensor, found: tf.TensorArray) -> tuple:
            block = _Block(*(each[:, at * size : (at + 1) * size] for each in padded))
            errors, valid, new = self._look(block, kept[:, :size])
            found = found.write(at, tf.concat([errors, valid, new], axis=-1))
            return (
                at + 1,
                tf.ensure_shape(tf.concat([kept, new], axis=1)[:, size:], kept.shape),
                found,
            )

        _, _, found = tf.while_loop(lambda at, *_: at < count, look, (tf.constant(0), usual, found))
        joined = tf.transpose(found.stack(), [1, 0, 2, 3])
        joined = tf.reshape(joined, [tf.shape(usual)[0], count * size, 4 * self.scored])
        errors, valid = (joined[:, :time, at * self.scored :][..., : self.scored] for at in (0, 1))
        after = tf.concat([usual, joined[..., 2 * self.scored :]], axis=1)
        return errors, valid > 0, after[:, time : time + self.steps]

    def _look(self, block: _Block, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns errors, validity (0 or 1), and what is usual after the block."""
        usual, known = tf.split(before, 2, axis=-1)
        error, repeated = block.values - usual, block.values - block.before
        is_nearer = (block.observed_before > 0) & (tf.abs(repeated) < tf.abs(error))
        error = tf.where(is_nearer, repeated, error)
        becomes = (block.observed > 0) & ((known == 0) | (tf.abs(error) <= self.limit))
        valid = block.observed * known
        after = [tf.where(becomes, block.kept, usual), tf.maximum(known, block.observed)]
        return tf.where(valid > 0, error, 0.0), valid, tf.concat(after, axis=-1)


class ForecastsAndSeason:
    """Residuals of a forecaster, and after them as many columns of errors of the season.

    Attributes:
        errors: columns that `advance` returns: `scored` residuals, and as many errors.
    """

    steps_behind = 0

    def __init__(self, network: keras.Model) -> None:
        self.forecasts = residuals.ForecastResiduals(network)
        self.season = SeasonErrors(network)
        self.scaling = self.forecasts.scaling
        self.scored, self.features = self.forecasts.scored, self.forecasts.features
        self.errors = 2 * self.scored

    def initial_states(self, batch: int | tf.Tensor) -> States:
        """Returns the states before the first step, zeros by name, float32 (batch, …)."""
        return {**self.forecasts.initial_states(batch), **self.season.initial_states(batch)}

    def advance(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        states: States,
        present: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        """Reads the next steps of each row, as `residuals.ForecastResiduals.advance` does.

        Returns:
            Residuals and errors float32, and whether they are valid, bool, both (batch, time,
            errors); the new states.
        """
        found, valid, new = self.forecasts.advance(values, observed, states, present)
        errors, known, usual = self.season.advance(values, observed, states)
        return (
            tf.concat([found, errors], axis=-1),
            tf.concat([valid, known], axis=-1),
            {**new, **usual},
        )

    def remaining(self, states: States) -> tuple[tf.Tensor, tf.Tensor]:
        """Residuals of the `steps_behind` steps that are still out: none here."""
        found, valid = self.forecasts.remaining(states)
        return tf.concat([found, found], axis=-1), tf.concat([valid, valid], axis=-1)
