"""The published machines whose streams are matrices or images.

In the lightweight pure machines every stream is a matrix of 12 inputs by 11 outputs, the same
shape as the network matrix, which is the stream of output 0. Here the six even outputs are
neurons with the inputs `x` and `y`, the five odd ones constants. So row i of a published matrix
is the port `ROWS[i]`, column j the output `COLUMNS[j]`, and a stream is a tree of the depth of
our own network matrix.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.machines import Link, Machine
from snakebird.neurons import (
    NeuronType,
    accumulator,
    constant,
    gate,
    identity,
    image_shift,
    maximum,
    memory,
    neuron,
    product,
    source,
    total,
)

COLUMNS = tuple((f"{j:02}", "result") for j in range(11))
ROWS = tuple((f"{j:02}", port) for j in range(0, 12, 2) for port in ("x", "y"))
SPACE = vv.Space([(*row, *column) for row in ROWS for column in COLUMNS])
CORNER = (*ROWS[0], *COLUMNS[0])
MEMORY = vv.grow({(*row, *row): 1.0 for row in ROWS})
"""The unit links that keep the inputs of the afterlife machines from frame to frame."""


def tree(numbers: Iterable[float]) -> Any:
    """A published matrix, given row by row, as a tree."""
    grid = np.reshape(list(numbers), (len(ROWS), len(COLUMNS)))
    return vv.grow({(*ROWS[i], *COLUMNS[j]): float(x) for (i, j), x in np.ndenumerate(grid) if x})


PLACES = {(*row, *column): (i, j) for i, row in enumerate(ROWS) for j, column in enumerate(COLUMNS)}


def array(value: Any) -> np.ndarray:
    """A tree as a published matrix; raises `KeyError` for an entry outside of it."""
    found = np.zeros((len(ROWS), len(COLUMNS)))
    for path, number in vv.entries(value):
        found[PLACES[path]] = number
    return found


@neuron(register=False)
def guarded_sum(x: Any, y: Any) -> Any:
    """A sum whose first row is forced to be that of Self, which so cannot be damaged."""
    return vv.put(vv.add(x, y), ROWS[0], {COLUMNS[0][0]: {COLUMNS[0][1]: 1.0}})


def lightweight(outputs: Iterable[Iterable[float]]) -> Machine:
    """The lightweight pure machine with these matrices on its outputs before the first frame."""
    first = [tree(matrix) for matrix in outputs]
    kinds = (guarded_sum, total, product, product, maximum, maximum)
    neurons = {column[0]: constant(value=first[j]) for j, column in enumerate(COLUMNS)}
    neurons |= {COLUMNS[2 * k][0]: kind for k, kind in enumerate(kinds)}
    return Machine(
        neurons,
        [Link(*path[:2], path[2:], weight) for path, weight in vv.entries(first[0])],
        {column[0]: {"result": first[j]} for j, column in enumerate(COLUMNS) if j},
        matrix_from=COLUMNS[0],
    )


# Game of afterlife: inputs persist, and after each frame every matrix is brought to unit size.


def unit(value: Any) -> Any:
    """A value divided by its largest size; zero stays zero."""
    size = vv.max_norm(value)
    if vv.is_exact(size):
        return vv.scale(1 / size, value) if size else value
    return vv.scale(jnp.where(size > 0, 1 / jnp.where(size > 0, size, 1), 0), value)


def pseudoconway(value: Any) -> Any:
    """A soft rule of Life on a torus: -1 where 2x + the 3x3 sum is in [-1, 1] or [4, 6], else 1."""
    data = vv.flatten(value, SPACE).data
    grid = data.reshape(*data.shape[:-1], len(ROWS), len(COLUMNS))
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    around = 2 * grid + sum(jnp.roll(grid, move, axis=(-2, -1)) for move in moves)
    dies = ((around >= -1) & (around <= 1)) | ((around >= 4) & (around <= 6))
    return vv.Flat(SPACE, jnp.where(dies, -1.0, 1.0).reshape(data.shape).astype(data.dtype))


@neuron(outputs=("result", "matrix", "x", "y"), loops={"x": "x", "y": "y"}, register=False)
def lasting_self(x: Any, y: Any) -> Any:
    """Self: its published stream, and with the unit links of all memories the matrix in force."""
    network = vv.put(unit(guarded_sum(x, y)), CORNER, 1.0)
    return {"result": network, "matrix": vv.add(network, MEMORY), "x": unit(x), "y": unit(y)}


def lasting(rule: Callable[[Any, Any], Any], name: str) -> NeuronType:
    """A neuron type that gives a rule's result and its own inputs, all of unit size."""

    @neuron(outputs=("result", "x", "y"), loops={"x": "x", "y": "y"}, name=name, register=False)
    def kind(x: Any, y: Any) -> Any:
        return {"result": unit(rule(x, y)), "x": unit(x), "y": unit(y)}

    return kind


LASTING_SUM = lasting(vv.add, "lasting_sum")
LASTING_PRODUCT = lasting(vv.multiply, "lasting_product")
LASTING_MAXIMUM = lasting(lambda x, y: maximum(x, y), "lasting_maximum")
LASTING_LIFE = lasting(lambda x, y: pseudoconway(x), "lasting_life")


def afterlife(outputs: Iterable[Iterable[float]], *, life: bool = False) -> Machine:
    """The game of afterlife with these matrices on its outputs before the first frame.

    One tick is one frame: inputs add up raw, `x(t) = unit x(t-1) + sum of A * outputs`, where the
    first term comes by a link of weight 1 from the output on which a neuron keeps that input.
    """
    first = [tree(matrix) for matrix in outputs]
    evens = (LASTING_SUM, LASTING_PRODUCT, LASTING_PRODUCT, LASTING_MAXIMUM, LASTING_MAXIMUM)
    neurons = {column[0]: constant(value=unit(first[j])) for j, column in enumerate(COLUMNS)}
    neurons |= {COLUMNS[0][0]: lasting_self}
    neurons |= {
        COLUMNS[2 * k][0]: LASTING_LIFE if life else kind for k, kind in enumerate(evens, 1)
    }
    matrix = vv.add(first[0], MEMORY)
    return Machine(
        neurons,
        [Link(*path[:2], path[2:], weight) for path, weight in vv.entries(matrix)],
        {column[0]: {"result": first[j]} for j, column in enumerate(COLUMNS)},
        matrix_from=(COLUMNS[0][0], "matrix"),
    )


# Continuous cellular automata: a board is one image, its neighborhoods are shifts over a torus.

NEIGHBORS = {"north": (-1, 0), "west": (0, -1), "southeast": (1, 1)}
"""Shifts that bring the neighbors at the offsets (1, 0), (0, 1) and (-1, -1) to each cell."""


def pattern(size: int, gap: int) -> np.ndarray:
    """The board white (1) at every `gap`-th row and column, black (-1) elsewhere."""
    board = np.full((size, size), -1.0)
    board[::gap, ::gap] = 1.0
    return board


def automaton(size: int, gap: int, switch: int = 10) -> tuple[Machine, dict[str, Any]]:
    """The automaton in which an edit of the network switches from the pattern to the neighbors.

    Each neighbor neuron reads the board itself, so that its output holds last frame's board. The
    edit enters two ticks before the frame it acts in.
    """
    readers = ["board", *NEIGHBORS]
    shifts = {name: image_shift(down=d, right=r) for name, (d, r) in NEIGHBORS.items()}
    drawn = pattern(size, gap)
    change = {"pattern": {"result": -1.0}} | {n: {"result": 1 / 3} for n in NEIGHBORS}
    edit = {reader: {"x": change} for reader in readers}
    machine = Machine(
        {
            "self": accumulator,
            "editor": source(space=vv.space_of(edit)),
            "pattern": constant(value=drawn),
            "board": identity,
            **shifts,
        },
        [
            "self.accum <- self.result",
            "self.delta <- editor.signal",
            *[Link(reader, "x", ("pattern", "result"), 1.0) for reader in readers],
        ],
        {"pattern": {"result": drawn}},
        matrix_from="self.result",
    )
    return machine, {"editor": [None] * (switch - 3) + [edit]}


def steered_automaton(size: int, gap: int, switch: int = 10) -> tuple[Machine, dict[str, Any]]:
    """The automaton of which all weights are streams: two numbers, each a gate for many of them.

    Gates take the weights of this tick, so a change shows on the board one frame later.
    """
    board = [*NEIGHBORS, "constant"]
    drawn = pattern(size, gap)
    machine = Machine(
        {
            "hand": source(space=vv.Space([("constant",), ("spread",)])),
            "weights": memory,
            "pattern": constant(value=drawn),
            "constant": gate,
            "spread": gate,
            "board": identity,
            **{name: image_shift(down=d, right=r) for name, (d, r) in NEIGHBORS.items()},
        },
        [
            "weights.x <- weights.result",
            Link("weights", "x", ("hand", "signal"), 1.0, instant=True),
            "constant.value <- pattern.result",
            *[
                Link(n, "mask", ("weights", "result", n), 1.0, instant=True)
                for n in ("constant", "spread")
            ],
            *[Link(name, "x", ("spread", "result"), 1.0, instant=True) for name in NEIGHBORS],
            *[
                Link(to, port, (name, "result"), 1.0)
                for to, port in (("board", "x"), ("spread", "value"))
                for name in board
            ],
        ],
        {"pattern": {"result": drawn}, "weights": {"result": {"constant": 1.0}}},
    )
    change = {"constant": -1.0, "spread": 1 / 3}
    return machine, {"hand": [None] * (switch - 1) + [change]}
