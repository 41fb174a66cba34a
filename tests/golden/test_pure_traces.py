"""The published machines of matrices and images, frame by frame in both engines."""

from typing import Any

import numpy as np
import pytest

from snakebird import vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Machine, Tick
from tests.golden.programs import ENGINES, frames, golden
from tests.golden.pure_programs import (
    COLUMNS,
    ROWS,
    afterlife,
    array,
    automaton,
    lightweight,
    steered_automaton,
)

both_engines = pytest.mark.parametrize("engine", ENGINES)


def _dense(entries: list[Any]) -> np.ndarray:
    found = np.zeros((len(ROWS), len(COLUMNS)))
    for i, j, x in entries:
        found[i, j] = x
    return found


def _matrices(tree: Any, ports: Any) -> np.ndarray:
    """The matrices of several ports of one side of a tick: `[ports, 12, 11]`."""
    return np.stack([array(vv.get(tree, *port)) for port in ports])


@both_engines
@pytest.mark.parametrize("name", ["aug_25_16", "aug_26_16", "aug_27_16"])
def test_lightweight_pure_machines_rewrite_their_matrix_as_published(
    engine: str, name: str
) -> None:
    trace = golden("pure")[name]
    machine = lightweight([_dense(matrix).ravel() for matrix in trace["initial_outputs"]])

    found = frames(machine, len(trace["networks"]), engine)

    assert len(found) >= 20
    for now, network, mean in zip(found, trace["networks"], trace["input_means"], strict=True):
        np.testing.assert_allclose(
            _matrices(now.outputs, COLUMNS[:1])[0], _dense(network), rtol=1e-5, atol=1e-6
        )
        assert _matrices(now.inputs, ROWS).mean() == pytest.approx(mean, rel=1e-5)
    for frame, inputs, outputs in trace["states"]:
        now = found[frame - 1]
        for tree, ports, wanted in ((now.inputs, ROWS, inputs), (now.outputs, COLUMNS, outputs)):
            matrices = np.stack([_dense(matrix) for matrix in wanted])
            np.testing.assert_allclose(_matrices(tree, ports), matrices, rtol=1e-5, atol=1e-6)


def _afterlife(name: str) -> Machine:
    return afterlife(golden("afterlife")["initial_outputs"], life=name == "conway_1")


def _check_afterlife(name: str, found: tuple[Tick, ...], tolerance: float) -> None:
    trace = golden("afterlife")[name]
    networks = [(frame, network) for frame, network in trace["networks"] if frame <= len(found)]
    assert len(networks) >= min(len(found), 10)
    for frame, network in networks:
        matrix = _matrices(found[frame - 1].outputs, COLUMNS[:1])[0].ravel()
        np.testing.assert_allclose(matrix, network, rtol=0, atol=tolerance, err_msg=f"{frame}")
    for now, mean in zip(found, trace["input_means"], strict=False):
        assert _matrices(now.outputs, ROWS).mean() == pytest.approx(mean, abs=tolerance)
    frame, inputs, outputs = trace["state"]
    now = found[frame - 1]
    for ports, wanted in ((ROWS, inputs), (COLUMNS, outputs)):
        matrices = np.reshape(wanted, (len(ports), len(ROWS), len(COLUMNS)))
        np.testing.assert_allclose(_matrices(now.outputs, ports), matrices, rtol=0, atol=1e-6)


AFTERLIFE = pytest.mark.parametrize("name", ["9_1", "conway_1"])


@AFTERLIFE
def test_game_of_afterlife_starts_as_published_in_the_readable_engine(name: str) -> None:
    _check_afterlife(name, frames(_afterlife(name), 4, "readable"), 1e-5)


@AFTERLIFE
def test_game_of_afterlife_follows_the_published_matrices_for_100_frames(name: str) -> None:
    _check_afterlife(name, frames(_afterlife(name), 100, "lowered"), 1e-4)


@pytest.mark.slow
@AFTERLIFE
def test_the_readable_engine_follows_the_game_of_afterlife_as_long(name: str) -> None:
    _check_afterlife(name, frames(_afterlife(name), 100, "readable"), 1e-4)


WINDOW = 100


@AFTERLIFE
def test_game_of_afterlife_keeps_its_character_for_3000_frames(name: str) -> None:
    """Rounding grows after some 200 frames, from where on only statistics can agree."""
    wanted = np.array(golden("afterlife")[name]["windows"])
    ports = [".".join(port) for port in ROWS]
    trace = lower(_afterlife(name), record=["00.result", *ports])(ticks=30 * WINDOW)
    network = np.asarray(trace["00.result"].data)
    change = np.abs(np.diff(network, axis=0, prepend=network[:1])).max(axis=1)
    size = len(ROWS) * len(COLUMNS)
    means = sum(np.asarray(trace[port].data).sum(axis=1) for port in ports) / len(ports) / size

    windows = [slice(max(t, 1), t + WINDOW) for t in range(0, 30 * WINDOW, WINDOW)]
    found = np.array([_summary(change[w], means[w]) for w in windows])

    np.testing.assert_allclose(found[:2], wanted[:2], atol=2e-3)
    np.testing.assert_allclose(found.mean(axis=0)[:2], wanted.mean(axis=0)[:2], rtol=0.15)
    np.testing.assert_allclose(found.mean(axis=0)[2:], wanted.mean(axis=0)[2:], atol=0.02)
    if name == "9_1":  # it sleeps and wakes
        assert found[:, 0].min() < 0.5 * found[:, 0].mean() < 0.3 * found[:, 0].max()
    else:  # the mean of all inputs swings between two states of opposite sign
        assert found[:, 3].max() < -0.5
        assert found[:, 4].min() > 0.5


def _summary(change: np.ndarray, means: np.ndarray) -> list[float]:
    return [change.mean(), change.max(), means.mean(), means.min(), means.max()]


AUTOMATA = {
    "aug_20_board24": automaton,
    "aug_24_board24": steered_automaton,
    "aug_20_board64": automaton,
}


@both_engines
@pytest.mark.parametrize("name", AUTOMATA)
def test_continuous_automata_show_the_published_boards(engine: str, name: str) -> None:
    trace = golden("cellular_automata")[name]
    size = trace["size"]
    machine, inputs = AUTOMATA[name](size, trace["gap"])

    found = frames(machine, len(trace["stats"]), engine, inputs=inputs)

    boards = [vv.number(vv.get(now.inputs, "board", "x")) + np.zeros((size, size)) for now in found]
    for board, now, (*stats, constant, spread) in zip(boards, found, _stats(trace), strict=True):
        np.testing.assert_allclose([board.min(), board.max(), board.mean()], stats, atol=1e-6)
        if name == "aug_24_board24":
            gates = [vv.number(vv.get(now.inputs, n, "mask")) for n in ("constant", "spread")]
            np.testing.assert_allclose(gates, [constant, spread], atol=1e-7)
    assert len(trace["boards"]) >= 4
    for frame, rows, order in trace["boards"]:
        np.testing.assert_allclose(boards[frame - 1], np.array(rows)[order], atol=1e-6)


def _stats(trace: Any) -> list[list[float]]:
    """Smallest, largest and mean cell of each frame, and the two weights where they are streams."""
    return [[*row, 0.0, 0.0][:5] for row in trace["stats"]]
