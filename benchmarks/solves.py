"""One training step through an equation solver: ours against what is used for it elsewhere."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.rivals import equations
from benchmarks.rivals.equations import Problem, Step
from benchmarks.timing import in_turn, once, ratio
from snakebird.equations import lanes

OURS = "snakebird"
TORCH = "SNAKEBIRD_TORCH_PYTHON"
"""The variable that names an interpreter with torch and torchdiffeq."""
TOLERANCE = 1e-5
"""By how much losses and gradients may differ from those of diffrax, relative to the largest."""
ADJOINT_TOLERANCE = 1e-4
"""The same for gradients from an equation solved backward, which has errors of its own."""


def ours(given: Problem) -> Step:
    """The same by the lanes, with as many steps as diffrax may take."""
    settings = lanes.Settings(equations.RTOL, equations.ATOL, equations.MAX_STEPS, shared=True)
    n, times = len(given.starts), jnp.asarray(equations.TIMES)
    span = lanes.Span(jnp.zeros(n), jnp.broadcast_to(times, (n, len(times))))
    field = lambda t, y, weights, _: equations.rate(t, y, weights)

    def loss(weights: Any) -> jax.Array:
        starts = jnp.asarray(given.starts)
        out = lanes.solve_reverse(field, settings, weights, None, starts, span)
        return jnp.mean((out.values - given.targets) ** 2)

    return jax.value_and_grad(loss)


MAKERS: dict[str, Callable[[Problem], Step]] = {OURS: ours, **equations.RIVALS}


def compile_seconds(maker: Callable[[Problem], Step], given: Problem) -> float:
    """Seconds to trace and compile a step, nothing cached."""
    jax.clear_caches()
    return once(lambda: jax.jit(maker(given)).lower(given.weights).compile() and ())


class Torch:
    """A torchdiffeq rival in a process of its own; a call is a step, and gives the loss."""

    def __init__(self, python: str, given: Problem, form: str, folder: Path):
        data, self.gradient = folder / "problem.npz", folder / f"{form}.npy"
        flat = {f"weights{i}": x for i, x in enumerate(jax.tree.leaves(given.weights))}
        np.savez(
            data, starts=given.starts, targets=given.targets, times=equations.TIMES,
            tolerance=equations.RTOL, **flat,
        )  # fmt: skip
        script = Path(equations.__file__).with_name("equations_torch.py")
        self.process = subprocess.Popen(
            [python, str(script), str(data), str(self.gradient), form],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self.version = self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the torch rival ended early"
        return line

    def __call__(self) -> np.ndarray:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        return np.array(float(self._line()))

    def close(self) -> np.ndarray:
        """End the process; the gradient of its last step."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        return np.load(self.gradient)


@contextmanager
def torch_rivals(given: Problem) -> Iterator[dict[str, Torch]]:
    """Both torch rivals, started; none where no interpreter is named."""
    python = os.environ.get(TORCH)
    if not python:
        print(f"torchdiffeq is left out: {TORCH} names no interpreter")
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        forms = {"torchdiffeq dopri5": "plain", "torchdiffeq dopri5, adjoint": "adjoint"}
        rivals = {name: Torch(python, given, form, Path(folder)) for name, form in forms.items()}
        try:
            yield rivals
        finally:
            for rival in rivals.values():
                rival.process.terminate()


def training_step(
    trajectories: int, repeat: int, together: int = 1, compiles: int = 3
) -> list[dict[str, Any]]:
    """One row a rival; compile and run times are medians, all rivals in turn.

    Each turn is `together` steps: after a rival's turn the first short step finds cold caches.
    """
    given = equations.problem(trajectories)
    seconds = {name: [] for name in MAKERS}
    for _ in range(compiles):
        for name, maker in MAKERS.items():
            seconds[name].append(compile_seconds(maker, given))
    weights = jax.tree.map(jnp.asarray, given.weights)
    steps = {name: jax.jit(maker(given)) for name, maker in MAKERS.items()}
    found = {name: _flat(*step(weights)) for name, step in steps.items()}
    versions = dict.fromkeys(steps, f"jax {version('jax')}")
    versions |= {name: f"diffrax {version('diffrax')}" for name in steps if "diffrax" in name}
    with torch_rivals(given) as torches:
        calls: dict[str, Callable[[], Any]] = dict(torches)
        calls |= {name: partial(step, weights) for name, step in steps.items()}
        turns = {name: partial(_often, call, together) for name, call in calls.items()}
        timed = in_turn(turns, repeat=repeat)
        for name, torch in torches.items():
            versions[name] = torch.version
            found[name] = np.append(float(torch()), torch.close())
    away = {name: _away(values, found["diffrax, vmap"]) for name, values in found.items()}
    for name, (loss, gradient) in away.items():
        adjoint = "adjoint" in name or "ode," in name
        assert loss < TOLERANCE, (name, loss)
        assert gradient < (ADJOINT_TOLERANCE if adjoint else TOLERANCE), (name, gradient)
    return [
        {
            "trajectories": trajectories,
            "solver": name,
            "with": versions[name],
            "compile (s)": float(np.median(seconds[name])) if name in seconds else "-",
            "step (ms)": 1e3 * timed[name].median / together,
            "ours / theirs": ratio(timed[OURS], timed[name]),
            "gradient apart": away[name][1],
        }
        for name in (*MAKERS, *torches)
    ]


def _often(call: Callable[[], Any], times: int) -> Any:
    for _ in range(times - 1):
        jax.block_until_ready(call())
    return call()


def _flat(loss: Any, gradient: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x) for x in (loss, *jax.tree.leaves(gradient))])


def _away(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """How far loss and gradient are from the reference, relative to the largest entry."""
    apart = np.abs(values - reference)
    return float(apart[0] / abs(reference[0])), float(apart[1:].max() / np.abs(reference[1:]).max())


def solves() -> dict[str, list[dict[str, Any]]]:
    """A table each for 1, 128 and 1,024 trajectories, in double precision."""
    with jax.enable_x64(True):
        return {
            str(count): training_step(count, repeat, together)
            for count, repeat, together in ((1, 21, 20), (128, 21, 1), (1024, 11, 1))
        }
