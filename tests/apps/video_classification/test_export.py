"""The export answers raw frames as Keras does, however many and large; a stream is as the whole."""

import json
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.export import assets
from apps.suite.videos import fitting, sampling
from apps.video_classification import config as configs
from apps.video_classification import export, model, serving
from tests.apps.video_classification import small_run

NAMES = list(small_run.NAMES)
STATES = ["previous_frame", "started", "recurrent_0_h", "recurrent_0_c"]


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures
    del loaded  # the signatures hold no reference to the variables


@pytest.fixture(scope="module")
def stream(exported_stream):
    loaded = tf.saved_model.load(str(exported_stream))
    yield loaded.signatures["stream"]
    del loaded


@pytest.fixture(scope="module")
def keras_answer():
    """Probabilities of one video of any size, sampled and fitted outside TensorFlow."""
    config = small_run.config()
    trained = small_run.built(config)

    def ask(video):
        chosen = sampling.frame_indices(len(video), config.clips.frames)
        frames = [fitting.fit(video[at], config.clips) for at in chosen.indices[0, : chosen.length]]
        return tf.nn.softmax(small_run.answer(trained, np.stack(frames)[None]))[0].numpy()

    return ask


def encoded(rows, kind=tf.io.encode_png):
    """Files of the frames of videos, padded to the longest."""
    found = np.full([len(rows), max(map(len, rows))], b"", object)
    for row, video in zip(found, rows, strict=True):
        row[: len(video)] = [kind(frame).numpy() for frame in video]
    return found


def ask_encoded(signatures, files):
    return signatures["encoded"](encoded=tf.constant(files))


def streamed(stream, videos, lengths, first=None):
    """All answers to streams that come in chunks of these lengths."""
    states = first or {name: tf.zeros([len(videos), 0]) for name in STATES}
    found, labels, start = [], [], 0
    for length in lengths:
        answer = stream(frames=tf.constant(videos[:, start : start + length]), **states)
        states = {name: answer[name] for name in STATES}
        found.append(answer["probabilities"].numpy())
        labels.append(answer["label"].numpy())
        start += length
    return np.concatenate(found, axis=1), np.concatenate(labels, axis=1)


def test_the_settings_tell_what_the_signatures_cannot(exported, exported_stream):
    settings = json.loads((exported / "assets" / assets.SETTINGS).read_text())
    assert settings["label_names"] == NAMES
    assert settings["states"] == []
    assert settings["clip_seconds"] is None
    settings = json.loads((exported_stream / "assets" / assets.SETTINGS).read_text())
    assert settings["states"] == STATES


@pytest.mark.parametrize(
    "shape",
    [
        (small_run.FRAMES, small_run.HEIGHT, small_run.WIDTH),
        (45, 48, 60),
        (7, 9, 70),
        (2, 64, 17),
        (1, 1, 1),
    ],
    ids=str,
)
def test_frames_are_answered_as_keras_answers_them_whatever_their_count_and_size(
    signatures, keras_answer, shape
):
    videos = np.stack([small_run.video(*shape, seed=seed) for seed in range(3)])
    answer = signatures["serving_default"](frames=tf.constant(videos))
    assert [name.decode() for name in answer["label_names"].numpy()] == NAMES
    exact = shape[1:] == (small_run.HEIGHT, small_run.WIDTH)
    for row, video in enumerate(videos):
        expected = keras_answer(video)
        # OpenCV and TensorFlow round some pixels to another of 255 grey levels
        np.testing.assert_allclose(
            answer["probabilities"][row], expected, atol=1e-5 if exact else 0.02
        )
        assert answer["label"].numpy()[row].decode() == NAMES[expected.argmax()]


def test_the_answers_tell_videos_apart(signatures):
    videos = np.stack([small_run.video(seed=seed) for seed in range(20)])
    answer = signatures["serving_default"](frames=tf.constant(videos))
    assert len(set(answer["label"].numpy())) > 2
    backwards = signatures["serving_default"](frames=tf.constant(videos[:, ::-1]))
    differences = np.abs(answer["probabilities"] - backwards["probabilities"]).max(axis=1)
    assert (differences > 0.01).mean() > 0.5


def test_encoded_frames_are_answered_as_the_frames_with_a_count_and_size_of_each_row(signatures):
    videos = [
        small_run.video(*shape, seed=row)
        for row, shape in enumerate([(20, 33, 28), (3, 20, 16), (small_run.FRAMES, 16, 20)])
    ]
    answer = ask_encoded(signatures, encoded(videos))
    for row, video in enumerate(videos):
        expected = signatures["serving_default"](frames=tf.constant(video[None]))
        np.testing.assert_allclose(
            answer["probabilities"][row], expected["probabilities"][0], atol=1e-5
        )
        assert answer["label"][row] == expected["label"][0]


def test_padding_counts_nowhere(signatures):
    files = encoded([small_run.video(8, seed=3)])
    expected = ask_encoded(signatures, files)["probabilities"]
    padded = np.full([1, 30], b"", object)
    padded[0, [0, 4, 5, 9, 13, 17, 20, 29]] = files[0]
    np.testing.assert_allclose(
        ask_encoded(signatures, padded)["probabilities"], expected, atol=1e-5
    )


def test_jpeg_grey_and_transparent_pictures_are_read(signatures):
    video = small_run.video(6, 48, 60, seed=4)
    expected = signatures["serving_default"](frames=tf.constant(video[None]))["probabilities"]
    jpeg = encoded([video], lambda frame: tf.io.encode_jpeg(frame, quality=98))
    np.testing.assert_allclose(ask_encoded(signatures, jpeg)["probabilities"], expected, atol=0.05)
    opaque = np.concatenate([video, np.full([*video.shape[:3], 1], 255, np.uint8)], axis=3)
    answer = ask_encoded(signatures, encoded([opaque]))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    grey = video[..., :1]
    answer = ask_encoded(signatures, encoded([grey]))
    expected = signatures["serving_default"](frames=tf.constant(np.repeat(grey, 3, axis=3)[None]))
    np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], atol=1e-5)


def test_only_the_frames_of_the_clip_are_decoded(signatures):
    files = encoded([small_run.video(60)])
    used = set(sampling.frame_indices(60, small_run.FRAMES).indices[0])
    for at in set(range(60)) - used:
        files[0, at] = b"no picture"
    assert ask_encoded(signatures, files)["label"].shape == (1,)


@pytest.mark.parametrize(
    ("shape", "told"),
    [((2, 0, 9, 9, 3), "at least one frame"), ((1, 4, 0, 9, 3), "pixel"), ((1, 4, 9, 0, 3), "pix")],
    ids=str,
)
def test_nothing_to_see_is_refused_with_the_reason(signatures, stream, shape, told):
    frames = tf.zeros(shape, tf.uint8)
    states = {name: tf.zeros([shape[0], 0]) for name in STATES}
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        signatures["serving_default"](frames=frames)
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        stream(frames=frames, **states)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([[b"no picture"]], "encoded: has to be a PNG, JPEG"),
        ([[b""]], "row without a frame"),
        (
            [[tf.io.encode_png(small_run.video()[0]).numpy(), b""], [b"", b""]],
            "row without a frame",
        ),
        ([[], []], "row without a frame"),
    ],
    ids=["text", "padding alone", "one row of padding", "no column"],
)
def test_files_that_cannot_be_meant_are_refused_with_the_reason(signatures, files, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        ask_encoded(signatures, np.array(files, object).reshape(len(files), -1))


def test_a_stream_in_pieces_gives_what_the_model_gives_of_the_whole(stream):
    config = small_run.config(per_frame=True)
    trained = small_run.built(config)
    videos = np.stack([small_run.video(40, seed=seed) for seed in range(3)])
    lengths = np.full(3, 40, np.int32)
    logits = model.per_frame(trained)({"frames": videos, "length": lengths}, training=False)
    expected = tf.nn.softmax(logits).numpy()
    for pieces in ([40], [1] * 40, [3, 20, 1, 16]):
        found, labels = streamed(stream, videos, pieces)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (labels == np.array(NAMES, "S")[expected.argmax(axis=2)]).all()


def test_a_stream_takes_frames_of_any_size(stream):
    videos = np.stack([small_run.video(9, 32, 40, seed) for seed in range(2)])
    small = np.stack([[fitting.fit(f, small_run.config().clips) for f in row] for row in videos])
    found, _ = streamed(stream, videos, [5, 4])
    expected, _ = streamed(stream, small, [9])
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_each_row_of_a_stream_has_its_own_states_and_zeros_begin_it_anew(stream):
    videos = np.stack([small_run.video(12, seed=seed) for seed in range(3)])
    together, _ = streamed(stream, videos, [4, 8])
    for row in range(3):
        alone, _ = streamed(stream, videos[row : row + 1], [4, 8])
        np.testing.assert_allclose(together[row : row + 1], alone, atol=1e-5)
    states = {name: tf.zeros([3, 0]) for name in STATES}
    answer = stream(frames=tf.constant(videos[:, :5]), **states)
    kept = tf.constant([1.0, 0.0, 1.0])[:, None]
    states = {name: kept * answer[name] for name in STATES}
    going_on, _ = streamed(stream, videos, [12], states)
    fresh, _ = streamed(stream, videos, [12])
    np.testing.assert_allclose(going_on[1], fresh[1], atol=1e-6)
    assert np.abs(going_on[0] - fresh[0]).max() > 0.01


def test_the_states_are_rows_of_numbers_that_json_can_carry(stream):
    states = {name: tf.zeros([2, 0]) for name in STATES}
    answer = stream(frames=tf.constant(np.stack([small_run.video()] * 2)), **states)
    for name in STATES:
        assert answer[name].shape.rank == 2
        assert answer[name].shape[0] == 2
        assert np.isfinite(answer[name]).all()


@pytest.mark.parametrize("shape", [[2, 3], [1, 10]], ids=str)
def test_states_of_another_shape_are_refused_with_the_reason(stream, shape):
    states = {name: tf.zeros([2, 0]) for name in STATES}
    states["recurrent_0_h"] = tf.zeros(shape)
    with pytest.raises(tf.errors.InvalidArgumentError, match="recurrent_0_h: a state is rows of"):
        stream(frames=tf.constant(np.stack([small_run.video()] * 2)), **states)


def test_a_mirrored_view_is_part_of_the_answer_where_the_run_says_so():
    config = small_run.config(evaluation={"flip": True})
    trained = small_run.built(config)
    served = serving.ServedVideo(trained, NAMES, config)
    video = small_run.video(seed=5)[None]
    views = [tf.nn.softmax(small_run.answer(trained, v)) for v in (video, video[:, :, :, ::-1])]
    answer = served.videos(tf.constant(video))["probabilities"]
    assert np.abs(views[0] - views[1]).max() > 0.01
    np.testing.assert_allclose(answer, np.mean(views, axis=0), atol=1e-5)


def test_windows_are_told_to_the_client():
    config = small_run.config(clips={"sampling": "window", "clip_seconds": 1.5})
    served = serving.ServedVideo(small_run.built(config), NAMES, config)
    assert served.settings["clip_seconds"] == 1.5


@pytest.mark.slow
@pytest.mark.parametrize("sizes", small_run.EVERY_KIND[1:], ids=str)
def test_every_kind_of_model_is_exported(sizes, tmp_path):
    small_run.write(tmp_path / "run", **sizes)
    version = export.export(tmp_path / "run", tmp_path)  # which compares it with Keras
    loaded = tf.saved_model.load(str(version))
    assert ("stream" in loaded.signatures) == sizes.get("per_frame", False)


@pytest.mark.slow
def test_a_network_of_keras_applications_is_exported(tmp_path):
    # Random weights of many layers at 32 pixels, the least that it takes
    config = configs.Config(
        clips=configs.ClipConfig(frames=3),
        model=configs.ModelConfig(
            backbone="keras_applications", application="MobileNetV2", units=8, pooling="mean"
        ),
    )
    from apps.suite.export import saved_model
    from apps.video_classification import serving

    trained = model.build(config, len(NAMES))
    served = serving.ServedVideo(trained, NAMES, config)
    requests = serving.requests(trained, NAMES, config)
    assert saved_model.write(
        served.saved, served.signatures(), requests, tmp_path, "video_classification"
    ).is_dir()


def test_the_command_says_what_to_do_next(run, tmp_path, capsys):
    assert export.main(["--run", str(run), "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    version = tmp_path / "video_classification" / "1"
    assert f"exported to {version}" in printed
    assert f"python -m apps.video_classification.predict --model {version} video.mp4" in printed
    for at, name in enumerate(("frame1.jpg", "frame2.jpg")):
        content = tf.io.encode_jpeg(small_run.video()[at]).numpy()
        (tmp_path / name).write_bytes(content)
    (line,) = (line for line in printed.splitlines() if "echo" in line)
    shell = subprocess.run(
        ["bash", "-c", line.rstrip("| ")], capture_output=True, text=True, cwd=tmp_path
    )
    request = json.loads(shell.stdout)  # the files are in it
    assert request["signature_name"] == "encoded"
    assert [len(row) for row in request["inputs"]["encoded"]] == [2]
    assert request["inputs"]["encoded"][0][0]["b64"]
