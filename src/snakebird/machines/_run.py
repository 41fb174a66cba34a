"""Runs of the readable engine, and what they leave behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError
from snakebird.machines._engine import Tick, tick
from snakebird.machines._link import as_path
from snakebird.machines._machine import Machine
from snakebird.machines._messages import Inputs, Messages
from snakebird.machines._validate import check_input, check_output


@dataclass(frozen=True)
class Run:
    """A run tick by tick: `run.ticks[t].inputs`, `.outputs` are trees; `run["norm.norm"]` one port.

    `first` holds the outputs before the first tick.

    >>> from snakebird.machines import Machine
    >>> m = Machine({"n": "timer"}, ["n.timer <- n.timer"])
    >>> found = run(m, 3)
    >>> found["n.timer"], found.last, len(found)
    ([1, 2, 3], {'n': {'timer': 3}}, 3)
    """

    machine: Machine
    first: Any
    ticks: tuple[Tick, ...]

    def __len__(self) -> int:
        return len(self.ticks)

    def __iter__(self) -> Iterator[Tick]:
        return iter(self.ticks)

    def __getitem__(self, port: str | vv.Path) -> list[Any]:
        """The values of an output, `"neuron.output"`, one a tick."""
        path = as_path(port, self.machine.neurons)
        check_output(self.machine, path, f"run[{port!r}]")
        return [vv.get(now.outputs, *path) for now in self.ticks]

    def inputs(self, port: str | vv.Path) -> list[Any]:
        """The values of an input, `"neuron.input"`, one a tick."""
        path = as_path(port, self.machine.neurons)
        check_input(self.machine, path, f"run.inputs({port!r})")
        return [vv.get(now.inputs, *path) for now in self.ticks]

    @property
    def last(self) -> Any:
        """All outputs after the last tick: what the next run may start from."""
        return self.ticks[-1].outputs if self.ticks else self.first


def run(
    machine: Machine,
    ticks: int | None = None,
    *,
    inputs: Inputs | None = None,
    key: Any = None,
    outputs: Any = None,
    first_tick: int = 0,
) -> Run:
    """Run a machine on plain trees, readable and exact, as long as asked or as its inputs last.

    `outputs` are the outputs to start from (the machine's own by default); `first_tick` their
    place in time, which inputs and random keys follow, so that a run may go on where another ended.
    `key` is a random key of JAX or a whole number, its seed.

    >>> m = Machine({"n": "timer"}, ["n.timer <- n.timer"])
    >>> run(m, 3)["n.timer"]
    [1, 2, 3]
    """
    if ticks is not None and (
        isinstance(ticks, bool) or not isinstance(ticks, (int, np.integer)) or ticks < 0
    ):
        raise InputError(
            f"ticks is {ticks!r}, expected a number of ticks", "run", "write ticks=100"
        )
    key = as_key(key)
    messages = Messages(machine, inputs)
    length = messages.length if ticks is None else first_tick + ticks
    if length is None:
        raise InputError(
            "nothing says how long to run", "run", "give ticks=, or inputs of some length"
        )
    state = first = machine.first_outputs if outputs is None else outputs
    done = []
    for t in range(first_tick, length):
        now = tick(
            machine,
            state,
            messages=messages.at(t),
            key=None if key is None else jax.random.fold_in(key, t),
        )
        done.append(now)
        state = now.outputs
    return Run(machine, first, tuple(done))


def as_key(given: Any) -> Any:
    """A random key of JAX, from a key or a seed; `None` stays `None`."""
    if given is None or (isinstance(given, jax.Array) and _is_key(given)):
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return jax.random.key(int(given))
    raise InputError(
        f"key is {given!r}, expected a random key of JAX", "run", "give key=jax.random.key(0)"
    )


def _is_key(given: jax.Array) -> bool:
    """Whether an array is one random key, of the new kind or the old."""
    new = jnp.issubdtype(given.dtype, jax.dtypes.prng_key)
    return given.shape == () if new else given.shape == (2,) and given.dtype == jnp.uint32
