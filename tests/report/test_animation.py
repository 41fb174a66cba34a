"""Animations hold the frames they were given; time lines show the numbers they should."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

import snakebird as sb
from snakebird.errors import FileFormatError, InputError, SnakebirdError, UnknownNameError
from snakebird.report import activity, animation, time_line

RNG = np.random.default_rng(0)
NOISE = RNG.uniform(-2, 2, (7, 5, 6))


def decoded(path: Path) -> tuple[np.ndarray, list[int]]:
    """The frames `[time, height, width, 3]` of a file, and how many milliseconds each stays."""
    with Image.open(path) as file:
        each = ImageSequence.Iterator(file)
        found = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in each]
    return np.stack([frame for frame, _ in found]), [duration for _, duration in found]


def gray(frames: np.ndarray, limit: float) -> np.ndarray:
    """Black at -limit, white at limit, to the nearest of 255 grays."""
    levels = np.rint(127 * np.clip(frames / limit, -1, 1)).astype(int) + 127
    return np.repeat(np.minimum(levels * 256 // 254, 255)[..., None], 3, axis=-1)


def test_a_gif_has_every_frame_from_black_to_white(tmp_path: Path):
    path = animation(NOISE, tmp_path / "a.gif", scale=1, limit=1.5)
    frames, durations = decoded(path)
    assert path == tmp_path / "a.gif"
    assert durations == [40] * 7
    np.testing.assert_array_equal(frames, gray(NOISE, 1.5))
    assert (frames[NOISE >= 1.5] == 255).all()
    assert (frames[NOISE <= -1.5] == 0).all()


def test_the_limit_is_the_largest_number_of_all_frames(tmp_path: Path):
    frames, _ = decoded(animation(NOISE, tmp_path / "a.gif", scale=1))
    np.testing.assert_array_equal(frames, gray(NOISE, np.abs(NOISE).max()))


@pytest.mark.parametrize("colors", ["gray", "RdBu", "viridis"])
def test_zero_is_the_color_in_the_middle(tmp_path: Path, colors: str):
    path = animation(np.zeros((1, 2, 2)), tmp_path / "a.gif", colors=colors)
    middle = 255 * np.array(mpl.colormaps[colors](0.5)[:3])
    np.testing.assert_allclose(decoded(path)[0][0, 0, 0], middle, atol=0.51)


def test_a_number_fills_a_square_of_pixels(tmp_path: Path):
    small, _ = decoded(animation(NOISE, tmp_path / "a.gif", scale=1))
    large, _ = decoded(animation(NOISE, tmp_path / "b.gif", scale=3))
    by_itself, _ = decoded(animation(NOISE, tmp_path / "c.gif"))
    np.testing.assert_array_equal(large, small.repeat(3, axis=1).repeat(3, axis=2))
    assert by_itself.shape[1:3] == (200, 240)


def test_the_time_of_all_frames_does_not_run_away(tmp_path: Path):
    _, durations = decoded(animation(RNG.normal(size=(30, 2, 2)), tmp_path / "a.gif", fps=30))
    assert set(durations) == {30, 40}
    assert sum(durations) == 1000


def test_equal_frames_stay_as_long_as_all_of_them(tmp_path: Path):
    frames, durations = decoded(animation(NOISE[[0, 0, 0, 1]], tmp_path / "a.gif"))
    assert len(frames) == 2
    assert durations == [120, 40]


def test_the_same_frames_give_the_same_bytes(tmp_path: Path):
    color = RNG.uniform(-1, 1, (3, 20, 20, 3))
    for frames in (NOISE, color):
        one, two = (animation(frames, tmp_path / name) for name in ("a.gif", "b.gif"))
        assert one.read_bytes() == two.read_bytes()


def test_few_colors_are_exact_and_many_are_near(tmp_path: Path):
    few = RNG.integers(0, 2, (4, 6, 5, 3)) * 2.0 - 1
    frames, _ = decoded(animation(few, tmp_path / "a.gif", scale=1))
    np.testing.assert_array_equal(frames, np.where(few > 0, 255, 0))
    ramp = np.linspace(-1, 1, 40)
    many = np.stack(np.broadcast_arrays(ramp[:, None], ramp, 0.0), axis=-1)[None]
    frames, _ = decoded(animation(many, tmp_path / "b.gif", scale=1))
    assert np.abs(frames - gray(many, 1)[..., 0]).mean() < 6


def test_bytes_are_shown_as_they_are(tmp_path: Path):
    frames = RNG.integers(0, 256, (2, 4, 4, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        decoded(animation(frames, tmp_path / "a.gif", scale=1))[0], frames
    )
    grays = frames[..., 0]
    shown = decoded(animation(grays, tmp_path / "b.gif", scale=1))[0]
    np.testing.assert_array_equal(shown, np.repeat(grays[..., None], 3, axis=-1))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=arrays(float, st.tuples(*[st.integers(1, 4)] * 3), elements=st.floats(-1e9, 1e9)))
def test_png_files_and_gif_show_the_same(tmp_path: Path, frames: np.ndarray):
    folder = animation(frames, tmp_path / "each", scale=1)
    files = [folder / f"{k:04}.png" for k in range(1, len(frames) + 1)]
    shown = np.stack([np.asarray(Image.open(file)) for file in files])
    size = np.abs(frames).max() or 1.0
    np.testing.assert_array_equal(shown, gray(frames, size))
    pictures, durations = decoded(animation(frames, tmp_path / "all.gif", scale=1))
    at = np.repeat(np.arange(len(pictures)), np.array(durations) // 40)
    np.testing.assert_array_equal(pictures[at], shown)


@pytest.mark.parametrize("pattern", ["f%03d.png", "f{:03}.png"])
def test_a_pattern_numbers_the_files(tmp_path: Path, pattern: str):
    assert animation(NOISE[:2], tmp_path / pattern) == tmp_path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f001.png", "f002.png"]


def test_a_folder_keeps_what_else_is_in_it(tmp_path: Path):
    (tmp_path / "note.txt").write_text("mine", "utf-8")
    animation(NOISE[:1], tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0001.png", "note.txt"]


@sb.machine
def moving():
    """A spot that moves over a torus, and how many ticks it has done so."""
    spot = sb.image_shift(down=1).starts(np.eye(4)[:1].repeat(4, axis=0) - 0.25)
    spot.feed(x=spot)
    clock = sb.timer()
    return {"spot": spot, "clock": clock}


LOW = sb.lower(moving, record=["spot.result", "clock.timer"])
TRACE = LOW(ticks=5)


def test_a_trace_gives_its_image_stream(tmp_path: Path):
    images = np.asarray(TRACE.number("spot.result"))
    one = animation(TRACE, tmp_path / "a.gif", stream="spot.result")
    two = animation(images, tmp_path / "b.gif")
    assert one.read_bytes() == two.read_bytes()


def test_activity_is_the_mean_size_of_each_stream():
    found = activity(TRACE)
    assert list(found) == ["clock.timer", "spot.result"]
    np.testing.assert_allclose(found["clock.timer"], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(found["spot.result"], 0.375)
    np.testing.assert_allclose(activity(TRACE, change=True)["clock.timer"], [0, 1, 1, 1, 1])
    rows = activity(NOISE)
    np.testing.assert_allclose(np.stack(list(rows.values()), axis=1), np.abs(NOISE).mean(axis=2))
    assert list(rows) == list("01234")


def test_a_time_line_draws_lines_over_frames():
    figure = time_line(TRACE, images="spot.result", at=[1, 5], change=True)
    top, *below = figure.axes
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()) for line in top.get_lines()[:2]}
    np.testing.assert_allclose(drawn["clock.timer"], [0, 1, 1, 1, 1])
    assert [axes.get_title() for axes in below] == ["1", "5"]
    shown = np.asarray(below[1].images[0].get_array())
    image = np.asarray(TRACE.number("spot.result"))[4]
    np.testing.assert_array_equal(shown, gray(image, 0.75))


def test_ticks_count_from_the_first():
    top, *below = time_line({"a": NOISE}, images=NOISE, at=[21, 26], first=20).axes
    np.testing.assert_array_equal(top.get_lines()[0].get_xdata(), np.arange(20, 27))
    assert [axes.get_title() for axes in below] == ["21", "26"]
    shown = np.asarray(below[1].images[0].get_array())
    np.testing.assert_array_equal(shown, gray(NOISE[6], np.abs(NOISE).max()))


def test_a_log_time_line_leaves_gaps_at_zero():
    figure = time_line({"a": np.array([0.0, 2.0, 4.0])}, log=True)
    (line,) = figure.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, 2.0, 4.0])
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize("log", [False, True])
def test_many_streams_are_rows_of_a_strip(log: bool, tmp_path: Path):
    many = RNG.uniform(size=(6, 40, 3))
    many[2] = 0
    figure = time_line(many, images=many, log=log)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    wanted = np.abs(many).mean(axis=2).T
    np.testing.assert_allclose(
        shown, np.maximum(wanted, wanted[wanted > 0].min()) if log else wanted
    )
    assert len(figure.axes[0].get_yticks()) == 20
    figure.savefig(tmp_path / "a.png", dpi=40)


def test_frames_are_spread_over_all_ticks_and_stand_in_rows():
    titles = [a.get_title() for a in time_line({"a": NOISE}, images=NOISE, at=4).axes[1:]]
    assert titles == ["1", "3", "5", "7"]
    many = time_line({"a": np.ones(20)}, images=np.zeros((20, 3, 3)), at=20)
    assert len(many.axes) == 21
    assert isinstance(time_line({"a": np.zeros(4)}, log=True), Figure)


@pytest.mark.slow
def test_a_frame_has_slopes_by_the_weights_of_its_wave():
    @sb.machine
    def waves():
        far = sb.constant(value=np.hypot(*np.indices((6, 6))))
        phase = sb.gate(sb.timer(), sb.constant(value=np.ones((6, 6))))
        shown = sb.identity(sb.sine(1.3 * far - 0.4 * phase, shape=(6, 6)))
        shown.feed(x=0.7 * shown)
        return shown

    low = sb.lower(waves, record="shown.result")

    @jax.jit
    def last(weights):
        run = eqx.tree_at(lambda m: m.weights, low, weights)(ticks=5)
        return (run.number("shown.result")[-1] ** 3).sum()

    found = jax.grad(last)(low.weights)
    moves = 1e-5 * jnp.eye(len(low.weights))
    numeric = [(last(low.weights + move) - last(low.weights - move)) / 2e-5 for move in moves]
    free = np.array([link.trainable for link in waves.links])
    assert free.sum() >= 5
    np.testing.assert_allclose(found, np.where(free, numeric, 0), rtol=1e-6, atol=1e-7)


IMAGE = NOISE[0]
BATCH = jax.vmap(lambda state: LOW(ticks=2, state=state))(
    jax.tree.map(lambda x: jnp.stack([x, x]), LOW.first_state)
)
TREES = sb.lower(
    sb.Machine({"one": sb.constant(value={"a": 1.0, "b": 2.0})}, []), record="one.result"
)(ticks=2)


@pytest.mark.parametrize(
    ("frames", "options", "kind", "parts"),
    [
        (IMAGE, {}, InputError, ["(5, 6)", "[time, height, width]", "image[None]"]),
        (np.zeros((2, 3, 3, 4)), {}, InputError, ["(2, 3, 3, 4)"]),
        (NOISE[:0], {}, InputError, ["nothing to show", "(0, 5, 6)"]),
        ([IMAGE, IMAGE[1:]], {}, InputError, ["do not have one shape", "crop or pad"]),
        (NOISE * 1j, {}, InputError, ["complex128", "real"]),
        (np.where(NOISE[2, 3, 4] == NOISE, np.nan, NOISE), {}, InputError,
         ["nan at row 3, column 4 of tick 3"]),
        (NOISE, {"limit": 0.0}, InputError, ["limit=0.0", "above 0"]),
        (NOISE, {"scale": 0}, InputError, ["scale=0", "scale=1"]),
        (NOISE, {"fps": 60}, InputError, ["fps=60", "at most 50", "frames[::2]"]),
        (NOISE, {"colors": "viridsi"}, UnknownNameError, ["'viridsi'", "did you mean 'viridis'"]),
        (np.zeros((2, 3, 3, 3)), {"colors": "RdBu"}, InputError, ["colors of their own"]),
        (NOISE, {"stream": "a.b"}, InputError, ["stream='a.b'", "ndarray"]),
        (TRACE, {}, InputError, ["no stream", "clock.timer, spot.result"]),
        (TRACE, {"stream": "clock.timer"}, InputError, ["(5,)"]),
        (TRACE, {"stream": "sopt.result"}, UnknownNameError, ["did you mean 'spot'"]),
        (TREES, {"stream": "one.result"}, InputError, ["a tree", "one.result", "reshape"]),
        (BATCH, {"stream": "spot.result"}, InputError, ["(2, 2, 4, 4)", "each run"]),
    ],
)  # fmt: skip
def test_what_is_no_animation_is_said(tmp_path: Path, frames, options, kind, parts):
    _check(lambda: animation(frames, tmp_path / "a.gif", **options), kind, parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.mp4", ["'.mp4'", "wave.gif", "wave_%03d.png"]),
        ("a.png", ["'.png'", "wave_%03d.png"]),
        ("no/a.gif", ["there is no folder", "no'", "make the folder first"]),
        ("no/each", ["there is no folder"]),
        ("no/f%d.png", ["there is no folder"]),
        ("f%d.gif.jpg", ["frames are PNG files", "f%d.gif.jpg"]),
        ("f%%.png", ["the pattern does not make a name"]),
        ("f%d%d.png", ["the pattern does not make a name"]),
        ("f{x}.png", ["the pattern does not make a name"]),
        ("file", ["this is a file"]),
    ],
)
def test_a_path_that_nothing_can_be_written_to_is_said(tmp_path: Path, path, parts):
    (tmp_path / "file").touch()
    _check(lambda: animation(NOISE, tmp_path / path), FileFormatError, parts)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("streams", "options", "parts"),
    [
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, ["a: 1, b: 2", "same ticks"]),
        ({}, {}, ["found none"]),
        ({"a": 3.0}, {}, ["shape ()", "[time, ...]", "activity, a"]),
        ({"a": "text"}, {}, ["found str"]),
        (np.ones(4), {}, ["shape (4,)", "[time, rows, ...]", "{name: array}"]),
        (BATCH, {}, ["axes of a batch"]),
        (NOISE, {"images": NOISE[:3]}, ["3 frames and 7 ticks"]),
        (NOISE, {"images": NOISE, "at": [0, 3]}, ["no tick 0", "1 to 7"]),
        (NOISE, {"images": NOISE, "at": [1], "first": 5}, ["no tick 1", "5 to 11"]),
        (NOISE, {"images": NOISE, "at": []}, ["at names no tick"]),
        (NOISE, {"images": NOISE, "at": 0}, ["at=0"]),
        (NOISE, {"images": "a.b"}, ["stream='a.b'"]),
    ],
)
def test_what_has_no_time_line_is_said(streams, options, parts):
    _check(lambda: time_line(streams, **options), InputError, parts)


def _check(call, kind: type[SnakebirdError], parts: list[str]):
    with pytest.raises(kind) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
