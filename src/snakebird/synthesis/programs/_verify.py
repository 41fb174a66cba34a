"""Is a machine right on examples: tick by tick in exact arithmetic, or by the thousand in floats.

Both say where a machine fails first: the failure with the shortest prefix of all examples. What
breaks the machine itself (numbers beyond all bounds, values that do not fit) is a failure too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import GrowthError, InputError, SnakebirdError, suggest
from snakebird.lowering import lower
from snakebird.machines import Machine, tick
from snakebird.neurons import Neuron, message_space
from snakebird.synthesis.programs._exact import exact_tree, exactly
from snakebird.synthesis.programs._example import Example
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._values import show, space_of_values, value_tree

OUTPUT = "output"
"""The neuron whose inputs are a program's output streams."""

MAX_BITS = 1 << 14
"""A number with more bits than this, above or below the fraction bar, is taken to run away."""

MAX_LEAVES = 1 << 17
"""A machine that holds more numbers than this is taken to run away."""

LARGE = 2.0**50
"""From here on floats are too near to the last whole number that they can tell from the next."""

_ROOM = 1 << 24
"""How many numbers one batch of the fast engine may hold as its inputs and answers."""


@dataclass(frozen=True)
class Failure:
    """Where a machine goes wrong first.

    In tick `tick` (the first is 0) of `example`, number `index` of those that were given, the
    answer of output stream `stream` was `found`, and not `expected`. Where the machine itself
    broke, `reason` says how.
    """

    index: int
    tick: int
    stream: str
    expected: Any
    found: Any
    example: Example
    reason: str = ""

    @property
    def prefix(self) -> Example:
        """The example up to the tick where the machine fails."""
        cut = lambda streams: {name: v[: self.tick + 1] for name, v in streams.items()}
        inputs, outputs = cut(self.example.inputs), cut(self.example.outputs)
        return replace(self.example, inputs=inputs, outputs=outputs)

    def __str__(self) -> str:
        where = f"example {self.index}, tick {self.tick}"
        after = "; ".join(f"{n} = {_listed(v)}" for n, v in self.prefix.inputs.items())
        what = self.reason or f"{self.stream} is {_shown(self.found)}, not {_shown(self.expected)}"
        return f"{where}: {what}, after {after}" if after else f"{where}: {what}"


@dataclass(frozen=True)
class Verdict:
    """What came of checking a machine: `checked` examples, the `longest` and all their ticks.

    `large` says that numbers grew beyond what floats can tell apart, so that a verdict of the
    fast engine is no evidence.
    """

    right: bool
    checked: int
    longest: int
    ticks: int
    failure: Failure | None = None
    large: bool = False

    def __str__(self) -> str:
        size = f"{self.checked} examples of up to {self.longest} ticks, {self.ticks} in all"
        more = "; numbers grew too large for floats to tell" if self.large else ""
        return (f"right on {size}" if self.right else f"wrong among {size}; {self.failure}") + more


def verify(machine: Machine, examples: Examples, *, exact: bool = True) -> Verdict:
    """Check a machine on examples by the readable engine.

    Its sources are named like the input streams; the answer to the output stream y is what the
    neuron `output` gives as y, `examples.latency` ticks later (after the last tick of an example
    nothing arrives any more). With `exact` every float of the machine and of the examples counts
    as the fraction it is, and answers must be the same V-values, or lie within the tolerance.

    Raises `InputError` for a machine without a neuron `output`.

    >>> from snakebird.machines import Link
    >>> now = Link("output", "y", ("x", "signal"), 2, instant=True)
    >>> double = Machine({"x": "source", "output": "output"}, [now])
    >>> verify(double, Examples.of([({"x": [1, 2]}, {"y": [2, 5]})])).right
    False
    """
    _check_output(machine)
    machine = exactly(machine) if exact else machine
    items, failure = examples.items, None
    for index in sorted(range(len(items)), key=lambda k: items[k].ticks):
        limit = math.inf if failure is None else failure.tick
        failure = _checked(machine, examples, index, limit, exact) or failure
    return _verdict(examples, failure)


def _check_output(machine: Machine) -> None:
    if OUTPUT not in machine.neurons:
        raise InputError(
            f"the machine has no neuron named {OUTPUT!r}",
            "verify",
            suggest(OUTPUT, machine.neurons)
            + '; add "output": "output" with one input for every output stream',
        )


def _verdict(examples: Examples, failure: Failure | None, large: bool = False) -> Verdict:
    lengths = [example.ticks for example in examples.items]
    longest = max(lengths, default=0)
    return Verdict(failure is None, len(lengths), longest, sum(lengths), failure, large)


def _checked(
    machine: Machine, examples: Examples, index: int, limit: float, exact: bool
) -> Failure | None:
    """The first failure of one example, if it comes before the tick `limit`."""
    example, late = examples.items[index], examples.latency
    tree = (lambda v: exact_tree(value_tree(v))) if exact else value_tree
    inputs = {name: v for name, v in example.inputs.items() if name in machine.neurons}
    state = machine.first_outputs
    for now in range(int(min(example.ticks, limit)) + late):
        messages = {n: tree(v[now]) for n, v in inputs.items() if now < len(v)}
        messages = {n: v for n, v in messages.items() if v is not None}
        at = min(now, example.ticks - 1)
        try:
            state = tick(machine, state, messages=messages).outputs
            reason = _runaway(state)
        except (SnakebirdError, ArithmeticError, MemoryError, RecursionError) as error:
            reason = f"the machine breaks: {_first_line(error)}"
        if reason:
            return Failure(index, at, "", None, None, example, reason)
        wrong = _wrong(state, example, now - late, tree, examples.tolerance)
        if wrong is not None:
            return Failure(index, now - late, *wrong, example)
    return None


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _runaway(state: Any) -> str:
    """Why a machine that holds these numbers is not worth going on with, or nothing."""
    leaves = [leaf for _, leaf in vv.entries(state)]
    if len(leaves) > MAX_LEAVES:
        return f"the machine runs away: it holds {len(leaves)} numbers"
    if any(map(_is_huge, leaves)):
        return "the machine runs away: its numbers grow beyond all bounds"
    return ""


def _is_huge(leaf: Any) -> bool:
    if type(leaf) is int:
        return leaf.bit_length() > MAX_BITS
    if isinstance(leaf, Fraction):
        return leaf.numerator.bit_length() + leaf.denominator.bit_length() > MAX_BITS
    return not np.all(np.isfinite(leaf))


def _wrong(
    state: Any, example: Example, at: int, tree: Any, tolerance: Any
) -> tuple[str, Any, Any] | None:
    """The first stream with a wrong answer to a tick: its name, what was expected and found."""
    if at < 0:
        return None
    answers = state.get(OUTPUT, {})
    for name, values in example.outputs.items():
        asked = values[at]
        if asked is not None:
            expected, found = tree(asked), vv.get(answers, name)
            if not _same(found, expected, tolerance):
                return name, expected, found
    return None


def _same(found: Any, expected: Any, tolerance: Any) -> bool:
    return found == expected or vv.equal(found, expected, tolerance)


def _listed(values: Sequence[Any], most: int = 16) -> str:
    shown = [_shown(value) for value in values]
    return " ".join(shown if len(shown) <= most else [*shown[:3], "...", *shown[3 - most :]])


def _shown(value: Any) -> str:
    return "0" if value == {} else show(value)


def verify_fast(machine: Machine, examples: Examples) -> Verdict:
    """Check a machine on many examples at once by the lowered engine, in float64.

    All examples run as batches of one compiled program, shorter ones with nothing after their
    end. Numbers may differ by the tolerance of the examples, at least by 1e-6. Machines whose
    streams grow for ever, which have no width, are checked by the readable engine instead.

    Raises `InputError` for a machine without a neuron `output`.
    """
    _check_output(machine)
    if not examples.items:
        return _verdict(examples, None)
    try:
        with jax.enable_x64(True):
            return _verify_fast(machine, examples)
    except GrowthError:
        return verify(machine, examples, exact=False)
    except SnakebirdError as error:
        reason = f"the machine breaks: {_first_line(error)}"
        return _verdict(examples, Failure(0, 0, "", None, None, examples.items[0], reason))


def _verify_fast(machine: Machine, examples: Examples) -> Verdict:
    sources = {name: _widened(machine, name, wide) for name, wide in examples.sources().items()}
    machine = machine.replace(neurons={**machine.neurons, **sources})
    known = machine.linked | {link.source[0] for link in machine.links}
    spaces = {n: message_space(s.parameters) for n, s in sources.items() if n in known}
    if not spaces:  # it answers the same whatever arrives
        return verify(machine, examples, exact=False)
    longest = max(example.ticks for example in examples.items)
    run = _compiled(machine, [*examples.outputs], longest + examples.latency)
    items = list(enumerate(examples.items))
    size = _batch_size(examples, sum(s.size for s in spaces.values()), longest)
    found, large = None, False
    for k in range(0, len(items), size):
        batch = items[k : k + size]
        padded = [example for _, example in batch]
        padded += padded[:1] * (min(size, len(items)) - len(batch))
        streams, peak = run(_batched(padded, spaces, longest + examples.latency))
        large = large or bool(np.asarray(peak).max() > LARGE)
        failure = _first_failure(batch, streams, examples)
        if failure is not None and (found is None or failure.tick < found.tick):
            found = failure
    return _verdict(examples, found, large)


def _widened(machine: Machine, name: str, wide: Neuron) -> Neuron:
    """The source with room for what arrives; its default is kept."""
    old = machine.neurons.get(name)
    default = {} if old is None else old.parameters.get("default", {})
    return wide.replace(default=default) if vv.count(default) else wide


def _batch_size(examples: Examples, width: int, longest: int) -> int:
    wide = max(1, width) * (2 + len(examples.outputs))
    return int(min(len(examples.items), max(1, _ROOM // (wide * max(1, longest)))))


def _compiled(machine: Machine, names: Sequence[str], ticks: int) -> Any:
    """The machine on a batch: its answers, and the largest number it held where one looked."""
    ports = [(OUTPUT, name) for name in names]
    linked = {(link.to, link.input) for link in machine.links}
    low = lower(
        machine,
        record=[port for port in ports if port in linked] or [(OUTPUT,)],
        dtype=jnp.float64,
    )

    def run(inputs: Any) -> Any:
        trace = low(inputs, ticks)
        none = vv.Flat(vv.Space(), jnp.zeros((ticks, 0)))
        streams = {n: trace[OUTPUT, n] if (OUTPUT, n) in linked else none for _, n in ports}
        held = [*trace.state.blocks, *(flat.data for flat in streams.values())]
        return streams, jnp.stack([_largest(block) for block in held]).max()

    return eqx.filter_jit(jax.vmap(run))


def _largest(data: jax.Array) -> jax.Array:
    """The largest size among numbers; infinite where one is no number."""
    return jnp.max(jnp.where(jnp.isnan(data), jnp.inf, jnp.abs(data)), initial=0)


def _batched(
    items: Sequence[Example], spaces: Mapping[str, vv.Space], ticks: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For every input stream the values `[example, tick, size]` and whether one arrives."""
    found = {}
    for name, space in spaces.items():
        values = np.zeros((len(items), ticks, space.size))
        present = np.zeros((len(items), ticks), bool)
        for k, example in enumerate(items):
            _fill(values[k], present[k], example.inputs.get(name, ()), space)
        found[name] = values, present
    return found


def _fill(rows: np.ndarray, there: np.ndarray, values: Sequence[Any], space: vv.Space) -> None:
    """Write a stream into rows of numbers, slot by slot, and where there is something."""
    there[: len(values)] = [value is not None for value in values]
    if space.paths == ((),) and not any(isinstance(value, Mapping) for value in values):
        rows[: len(values), 0] = np.nan_to_num(np.array(values, float))
        return
    known = {path: space.slot(path).start for path in space.paths}
    for t, value in enumerate(values):
        if isinstance(value, str):
            rows[t, known[(value,)]] = 1
        else:
            for path, leaf in vv.entries(value):
                rows[t, known[path]] = leaf


def _first_failure(
    batch: Sequence[tuple[int, Example]], streams: Mapping[str, vv.Flat], examples: Examples
) -> Failure | None:
    """The failure with the shortest prefix in a batch."""
    best: tuple[int, int, str] | None = None
    for name, flat in streams.items():
        data = np.asarray(flat.data)
        for k, (_, example) in enumerate(batch):
            at = _first_wrong(data[k], flat.space, example.outputs.get(name, ()), examples)
            if at is not None and (best is None or at < best[0]):
                best = at, k, name
    if best is None:
        return None
    at, k, name = best
    index, example = batch[k]
    found = streams[name].space.unflatten(np.asarray(streams[name].data)[k, at + examples.latency])
    return Failure(index, at, name, value_tree(example.outputs[name][at]), found, example)


def _first_wrong(
    data: np.ndarray, space: vv.Space, values: Sequence[Any], examples: Examples
) -> int | None:
    """The first tick at which numbers `[tick, size]` differ from the answers expected."""
    asked = np.array([value is not None for value in values], bool)
    if not asked.any():
        return None
    both = space | space_of_values(values)
    want, got = np.zeros((len(values), both.size)), np.zeros((len(values), both.size))
    _fill(want, np.zeros(len(values), bool), values, both)
    if space.size:
        got[:, space.inclusion(both)] = data[examples.latency : examples.latency + len(values)]
    close = np.abs(want - got) <= max(float(examples.tolerance), 1e-6)
    wrong = asked & ~close.all(axis=1)
    return int(wrong.argmax()) if wrong.any() else None
