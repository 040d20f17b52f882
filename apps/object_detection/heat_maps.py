"""Turns boxes of frames into maps of their middles, and such maps into boxes."""

from __future__ import annotations

import tensorflow as tf

_SIZES = (-4.0, 4.0)  # logarithm of a side, in places of the map: limits of what is decoded
_AWAY = 32.0  # places: likewise of a middle
_NEAR = 0.3  # height of a bell from which a place tells the box


def decode(maps: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the boxes of maps, the likeliest first.

    A place is a box of a class where its score is the highest of the nine around it.

    Args:
        maps: of `model.build`, (n, height, width, classes + 4).
        most: boxes of a frame.

    Returns:
        Boxes float32 (n, most, 4): left, top, right, bottom, as shares of width and height, within
        the frame; scores float32 (n, most); classes int32 (n, most). Scores are 0 where there are
        fewer boxes.
    """
    height, width, classes = maps.shape[1], maps.shape[2], maps.shape[3] - 4
    scores = tf.nn.sigmoid(maps[..., :classes])
    highest = tf.nn.max_pool2d(scores, 3, 1, "SAME")
    # What is not a number stays so, and is found
    peaks = tf.reshape(tf.where(scores < highest, 0.0, scores), [-1, height * width * classes])
    found, at = tf.math.top_k(peaks, min(most, height * width * classes))
    place, kind = at // classes, at % classes
    told = tf.gather(
        tf.reshape(maps[..., classes:], [-1, height * width, 4]), place, axis=1, batch_dims=1
    )
    sides = tf.exp(tf.clip_by_value(told[..., :2], *_SIZES)) / 2
    middle = tf.stack([place % width, place // width], axis=-1)
    middle = tf.cast(middle, tf.float32) + 0.5 + tf.clip_by_value(told[..., 2:], -_AWAY, _AWAY)
    boxes = tf.concat([middle - sides, middle + sides], axis=-1)
    boxes /= tf.constant([width, height, width, height], tf.float32)
    return tf.clip_by_value(boxes, 0.0, 1.0), found, kind


def targets(
    boxes: tf.Tensor,
    labels: tf.Tensor,
    seen: tf.Tensor,
    places: tuple[int, int],
    classes: int,
    spread: bool = False,
) -> tf.Tensor:
    """Returns what the maps of frames should be.

    The class of a box has a bell around its middle, of a sixth of the box's sides; of several
    boxes of a class the highest counts. The place of a box's middle tells the box; with `spread`,
    all places where its bell is high tell it (Liu et al., "Training-time-friendly network", 2020).

    Args:
        boxes: float32 (n, boxes, 4) as of `decode`.
        labels: int32 (n, boxes): a class, -1 for no box, -2 for one that neither counts as an
            object nor as ground.
        seen: bool (n,), whether somebody has looked for objects in a frame.
        places: height and width of the maps.
        classes: number of them.
        spread: whether places beside the middle's own tell a box as well.

    Returns:
        Float32 (n, height, width, classes + 6): bells of the classes; width and height, middle as
        in the maps; how much of its box a place tells, together 1; 1 where the scores count.
    """
    height, width = places
    size = tf.constant([width, height], tf.float32)
    corners = boxes * tf.concat([size, size], axis=0)
    middles = (corners[..., :2] + corners[..., 2:]) / 2
    sides = tf.maximum(corners[..., 2:] - corners[..., :2], 1e-2)
    across = tf.range(width, dtype=tf.float32) + 0.5
    down = tf.range(height, dtype=tf.float32) + 0.5
    cell = tf.minimum(tf.floor(middles), size - 1.0)
    # The bell stands on the middle's place, so that its top is exactly 1
    wide = tf.maximum(sides / 6, 0.4)
    x = (across - cell[..., :1] - 0.5) / wide[..., :1]
    y = (down - cell[..., 1:] - 0.5) / wide[..., 1:]
    bell = tf.exp(-0.5 * (tf.square(x)[:, :, None, :] + tf.square(y)[:, :, :, None]))
    grid = tf.stack(tf.meshgrid(across, down), axis=-1)
    real = tf.cast(labels >= 0, tf.float32)
    heat = tf.zeros([tf.shape(boxes)[0], height, width, classes])
    told = tf.zeros([tf.shape(boxes)[0], height, width, 4])
    nearest = tf.fill([tf.shape(boxes)[0], height, width], _NEAR if spread else 1.0)
    share = tf.zeros_like(nearest)
    counts = tf.repeat(tf.repeat(tf.cast(seen, tf.float32)[:, None, None], height, 1), width, 2)
    for at in range(boxes.shape[1]):
        mine = tf.one_hot(labels[:, at], classes)[:, None, None, :]
        heat = tf.maximum(heat, bell[:, at, :, :, None] * mine)
        its = bell[:, at] * real[:, at, None, None]
        near = its >= nearest
        nearest = tf.where(near, its, nearest)
        its = tf.where(its >= (_NEAR if spread else 1.0), its, 0.0)
        whole = tf.reduce_sum(its, axis=(1, 2), keepdims=True)
        share = tf.where(near, its / tf.maximum(whole, 1e-6), share)
        log_sides = tf.broadcast_to(
            tf.math.log(sides[:, at])[:, None, None], tf.shape(told[..., :2])
        )
        away = middles[:, at, None, None] - grid
        told = tf.where(near[..., None], tf.concat([log_sides, away], axis=-1), told)
        unsure = tf.cast(labels[:, at] == -2, tf.float32)[:, None, None]
        counts *= 1.0 - unsure * tf.cast(bell[:, at] > 0.05, tf.float32)
    share *= tf.cast(seen, tf.float32)[:, None, None]
    # A box in sight counts where a hidden one lies over it
    counts = tf.maximum(counts, tf.cast(share > 0, tf.float32))
    return tf.concat([heat, told, share[..., None], counts[..., None]], axis=-1)
