"""The three kinds of long runs, small: each in a folder, to be cut, hindered and gone on from.

`python -m tests.faults.runs KIND FOLDER RESULT [resume]` is one of them in a process of its own.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from snakebird import meta
from snakebird.errors import FitError, InputError, SnakebirdError
from snakebird.fitting._train import Rows, Step
from snakebird.fitting._watch import Watch
from snakebird.machines import Machine, to_json
from snakebird.synthesis.programs import Examples, Found, Method, Task, TokenDraw, synthesize
from snakebird.synthesis.programs._checkpoint import Progress
from snakebird.synthesis.programs._run_folder import RunFolder
from snakebird.synthesis.programs._search import Search

Result = dict[str, Any]
"""What must come out equal, however often a run is cut: text, to the last bit."""

OWN = ("time", "seconds")
"""What differs from run to run in the history."""


@dataclass(frozen=True)
class Kind:
    """A kind of run: `run(folder, resume)` gives its result; where it cannot, `error` is raised."""

    run: Callable[[Path, bool], Result]
    checkpoint: str
    error: type[SnakebirdError]


class Decay(eqx.Module):
    rate: sb.Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


TIMES = np.linspace(0, 4, 8)
DATA = sb.Trajectories.of(TIMES, {"x": 2 * np.exp(-0.5 * TIMES) + 0.02 * np.sin(9 * TIMES)})


def fit(folder: Path, resume: bool) -> Result:
    found = sb.fit(
        Decay(sb.Positive(1.0)), DATA, starts=2, stages=["shooting", "trajectories"], rounds=6,
        out=folder, resume=resume,
    )  # fmt: skip
    return {
        "vector": found.vector.tobytes().hex(),
        "scores": np.asarray(found.scores).tobytes().hex(),
        "noise": [float(x).hex() for x in found.noise.values()],
        "history": [step._replace(seconds=0.0) for step in found.history],
    }


def rounds(folder: Path, resume: bool) -> Result:
    """A fit without its training: what `fit` does with its folder, at no cost."""
    watch = Watch(folder=folder, resume=resume)
    with watch.catching():
        watch.begin(run="some rounds")
        place = watch.saved()
        following, rows = (place.following, place.rows) if place else (0, _rows())
        for number in range(following if following >= 0 else 5, 5):
            rows = rows._replace(phi=jnp.sin(rows.phi * 1.7 + number))
            cost = float(rows.phi.sum())
            watch.after(Step("trajectories", number, cost, 0, (0.1,), 2, 0.1, number == 4), rows)
    history = [step._replace(seconds=0.0) for step in watch.history]
    return {"vector": np.asarray(rows.phi).tobytes().hex(), "history": history}


def _rows() -> Rows:
    x = jnp.linspace(0.0, 1.0, 6).reshape(2, 3)
    return Rows(x, x[:, 0], x, x, x[:, 0], x[:, 0] >= 0, x, x[:, 0], x[:, 0])


class Mean(eqx.Module):
    rate: jax.Array

    def init(self, observation, *, key):
        return observation

    def __call__(self, state, observation):
        return state + self.rate * (observation - state), state


def noisy(key):
    return 1.0 + jax.random.normal(key, (8,)), jnp.ones(8)


def outer(folder: Path, resume: bool, steps: int = 9) -> Result:
    found = meta.fit(
        Mean(jnp.array(0.9)), noisy, key=jax.random.key(7), steps=steps, batch=4, save_every=2,
        out=folder, resume=resume,
    )  # fmt: skip
    return {"rate": np.asarray(found.rule.rate).tobytes().hex(), "history": found.history}


def long_outer(folder: Path, resume: bool) -> Result:
    return outer(folder, resume, steps=800)


def times(x: list[str]) -> list[int]:
    """How often this token has come."""
    return [x[: t + 1].count(token) for t, token in enumerate(x)]


def search(folder: Path, resume: bool) -> Result:
    examples = Examples.from_reference(times, {"x": TokenDraw("abcdef")}, seed=0)
    found = synthesize(examples, out=folder, resume=resume, budget=600.0)
    return {"program": to_json(found.machine), "exact": found.exact}


@sb.machine
def echo(x):
    return {"result": sb.instant(x)}


@sb.machine
def total(x):
    return {"result": sb.instant(sb.accumulate(sb.instant(x)))}


ROWS = ([3, 1, 2], [2, 2, 4, 1], [5, 0, 1, 1, 2])
SUMS = Examples.of([(row, np.cumsum(row).tolist()) for row in ROWS])


@cache
def candidates() -> tuple[Machine, ...]:
    """Some that fail, and at last one that is right."""
    link = lambda weight: [echo.links[0].scaled(weight)]
    wrong = [echo.replace(links=link(weight)) for weight in (2, 3, 5)]
    return (*wrong, total)


class Given(Search):
    """A search whose candidates are looked at by the readable engine alone."""

    def _consider(self, machine: Machine) -> None:
        failure = sb.verify(machine, self.train).failure
        if failure is not None:
            self._reject(machine, failure)
            return
        self.verified.append(machine)
        self.first = self._spent
        self.look("verified", {"machine": machine, "links": len(machine.links)})

    def _found(self) -> Found:
        return self._as_found(min(self.verified, key=lambda one: len(one.links)), True, [], None)


def given(task: Task) -> Iterator[Machine | None]:
    """A method that knows its candidates."""
    for level, machine in enumerate(candidates()):
        task.look("grow", {"level": level})
        yield machine
        yield None


def given_search(folder: Path, resume: bool) -> Result:
    """A search without its growth: what `synthesize` does with its folder, at little cost."""
    asked = {"methods": ("grow",), "budget": 600.0}
    begin = RunFolder.resume if resume else lambda *all: (RunFolder.begin(*all), Progress())
    own, known = begin(folder, SUMS, asked)
    with closing(own):
        searching = Given.of(SUMS, 0, 600.0, lambda *told: None, own, known)
        found = searching.run([Method("grow", given)], None, 2)
    attempts = [(one.method, one.candidates, one.exact) for one in found.evidence.attempts]
    return {"program": to_json(found.machine), "exact": found.exact, "attempts": attempts}


QUICK = {
    "fit": Kind(rounds, "checkpoint.npz", FitError),
    "meta.fit": Kind(outer, "checkpoint.npz", FitError),
    "synthesize": Kind(given_search, "checkpoint.json", InputError),
}
WHOLE = {
    "fit": replace(QUICK["fit"], run=fit),
    "meta.fit": replace(QUICK["meta.fit"], run=long_outer),
    "synthesize": replace(QUICK["synthesize"], run=search),
}


def history_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of the history, without what differs from run to run and what says it went on."""
    lines = (folder / "history.jsonl").read_text("utf-8").splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry.get("stage") != "resume"]
    return [{k: v for k, v in entry.items() if k not in (*OWN, "share")} for entry in entries]


def main(kind: str, folder: str, result: str, *resume: str) -> None:
    found = WHOLE[kind].run(Path(folder), bool(resume))
    Path(result).write_text(repr(found), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
