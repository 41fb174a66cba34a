"""Growing a program: neurons one level after the other, outputs as sparse sums of what they give.

What an output was one tick before is known on examples, so memory that shows in the outputs needs
no search ("teacher forcing", R. J. Williams and D. Zipser, Neural Computation 1, 1989); each level
takes in the neurons that explain most of what is left, as in cascade correlation (S. E. Fahlman
and C. Lebiere, NIPS 2, 1989). Everything is exact at the end or it is not a program.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.machines import Machine
from snakebird.synthesis.programs._arrays import Arrays
from snakebird.synthesis.programs._bank import ONE, Bank, Entry, Made, Use, before
from snakebird.synthesis.programs._candidates import (
    NUMBER,
    Batch,
    candidates,
    depth,
    run,
    same_keys,
    views_of,
)
from snakebird.synthesis.programs._idioms import idioms, shifted
from snakebird.synthesis.programs._modular import parity_support
from snakebird.synthesis.programs._readout import EXACT, Readout
from snakebird.synthesis.programs._threshold import relu_of, step_of, unsettled

EACH, EACH_TREE = 3, 9
"""So many of every kind of neuron are taken in, whatever they explain: of numbers, and of trees."""

MOST_BENT = 250
"""Of more columns than this no sum is looked for that one neuron bends."""

TELLING = 0.1
"""An idiom is taken in where it explains so much."""

FAITH = 0.9
"""What a look-up promises counts for this much of what is explained."""


@dataclass
class Growth:
    """A search in progress: the bank, what may be read, and what is left of each target."""

    arrays: Arrays
    bank: Bank
    base: list[Use]
    hidden: list[Use]
    feedback: dict[str, int]
    one: int
    seen: set[bytes]
    rng: np.random.Generator
    told: tuple[int, dict[str, Readout]] | None = None

    @classmethod
    def start(
        cls, arrays: Arrays, *, feedback: bool = True, parts: bool = False, seed: int = 0
    ) -> "Growth":
        """The bank of sources, and of outputs one tick before."""
        bank = Bank()
        base: list[Use] = []
        for name, (space, values) in arrays.inputs.items():
            at = bank.add(Entry(name, space, values))
            base += [Use(at), Use(at, 1, True)]
            if parts and space != NUMBER:
                for k, path in enumerate(space.paths):
                    at = bank.add(Entry(name, NUMBER, values[..., k : k + 1], part=path))
                    base += [Use(at), Use(at, 1, True)]
        own = list(base)
        shape = next(iter(arrays.inputs.values()))[1].shape
        one = bank.add(Entry(ONE, NUMBER, np.ones((*shape[:2], 1))))
        back = {}
        for name, target in arrays.targets.items():
            if feedback and target.asked.all():
                back[name] = bank.add(Entry(f"{name}", target.space, target.values))
                base.append(Use(back[name], 1, True))
        base.append(Use(one, 1, True))
        for at in back.values():
            values = bank.entries[at].values
            if bank.entries[at].space == NUMBER and ((values == 0) | (values == 1)).all():
                made = Made(nr.identity(), {"x": (Use(one), Use(at, -1))})
                base.append(Use(bank.add(Entry("identity", NUMBER, 1 - values, 2, made)), 1, True))
        grown = cls(arrays, bank, base, [], back, one, set(), np.random.default_rng(seed))
        for use in own:
            if not use.before:
                grown._remember(use)
        return grown

    def _remember(self, use: Use) -> None:
        """Memory that every program may have: a source as it was two ticks before, and its sum."""
        entry = self.bank.entries[use.stream]
        past = np.cumsum(entry.values, axis=1)
        for values, more in (
            (before(entry.values), ()),
            (past, (Use(len(self.bank.entries) + 1, 1, True),)),
        ):
            at = len(self.bank.entries)
            reads = (use._replace(before=True),) if not more else (use, Use(at, 1, True))
            self.bank.add(
                Entry("identity", entry.space, values, made=Made(nr.identity(), {"x": reads}))
            )
            self.seen.add(_fingerprint(values))
            self.base += [Use(at, 1, True)] if not more else [Use(at), Use(at, 1, True)]

    @property
    def uses(self) -> list[Use]:
        return [*self.base, *self.hidden]

    @property
    def _deep(self) -> bool:
        """Whether pairs of tokens may matter: where answers are trees, or trees arrive."""
        spaces = [t.space for t in self.arrays.targets.values()]
        spaces += [s for s, _ in self.arrays.inputs.values() if any(len(p) > 1 for p in s.paths)]
        return any(space != NUMBER for space in spaces)

    def readouts(self) -> dict[str, Readout]:
        """What all streams known by now leave of each target."""
        if self.told is not None and self.told[0] == len(self.hidden):
            return self.told[1]
        uses = [Use(self.one), *self.uses]
        found = {}
        for name, target in self.arrays.targets.items():
            readout = Readout.of(self.bank, target, uses)
            if readout.left > EXACT and (more := self._bent(readout) or self._parity(readout)):
                readout = Readout.of(self.bank, target, [*uses, *more])
            found[name] = readout
        self.told = len(self.hidden), found
        return found

    def _priced(self, readout: Readout) -> Readout:
        """The readout with what is left for a step of a sum, where it is neither sum nor step."""
        small = readout.columns.shape[1] <= MOST_BENT
        if readout.left <= EXACT or readout.target.space != NUMBER or not small:
            return readout
        return replace(readout, price=unsettled(readout.columns, readout.target.wanted))

    def _bent(self, readout: Readout) -> list[Use]:
        """A neuron that bends a sum of what is known into the target, or into 1 minus it."""
        if readout.target.space != NUMBER or readout.columns.shape[1] > MOST_BENT:
            return []
        wanted = readout.target.wanted
        for kind, weights in (
            (nr.step(), step_of(readout.columns, wanted)),
            (nr.step(), step_of(readout.columns, 1 - wanted)),
            (nr.relu(), relu_of(readout.columns, wanted)),
        ):
            if weights:
                uses = tuple(readout.uses[k]._replace(weight=w) for k, w in weights.items())
                total = sum(float(u.weight) * self.bank.values(u) for u in uses)
                values = total > 1e-9 if kind.type is nr.step else np.maximum(total, 0.0)
                made = Made(kind, {"x": uses})
                entry = Entry(kind.type.name, NUMBER, np.asarray(values, float), 0, made)
                return [Use(self.bank.add(entry))]
        return []

    def _parity(self, readout: Readout) -> list[Use]:
        """A chain of neurons for a target that is a sum modulo two of what is known."""
        support = parity_support(readout.columns, readout.target.wanted)
        if readout.target.space != NUMBER or support is None or len(support) < 2:
            return []
        told = readout.uses[support[0]]
        values = self.bank.values(told)
        for k in support[1:]:
            use = readout.uses[k]
            values = np.abs(values - self.bank.values(use))
            made = Made(nr.absolute(), {"x": (told, use._replace(weight=-1))})
            told = Use(self.bank.add(Entry("absolute", NUMBER, values, 0, made)))
        return [told]

    def machines(self, readouts: dict[str, Readout], *, limit: int = 4) -> Iterator[Machine]:
        """Machines whose outputs are exact on the examples, if all targets are explained."""
        if any(readout.left > EXACT for readout in readouts.values()):
            return
        found = {name: readout.sums(self.bank)[:limit] for name, readout in readouts.items()}
        for k in range(max(map(len, found.values()), default=0)):
            if all(found.values()):
                yield self.machine({n: sums[min(k, len(sums) - 1)] for n, sums in found.items()})

    def nearest(self, readouts: dict[str, Readout]) -> Machine:
        """The machine of the best short sums, exact or not."""
        return self.machine({name: readout.nearest() for name, readout in readouts.items()})

    def machine(self, outputs: dict[str, tuple[Use, ...]]) -> Machine:
        """The machine of these sums; a loop through an output goes through an identity."""
        entries = list(self.bank.entries)
        reached = {use.stream for uses in outputs.values() for use in uses}
        reached |= set(self.bank.needed(use for uses in outputs.values() for use in uses))
        ports = dict(outputs)
        while True:
            loops = [
                n for n, at in self.feedback.items() if at in reached and entries[at].made is None
            ]
            if not loops:
                break
            for name in loops:
                at = self.feedback[name]
                entries[at] = replace(entries[at], made=Made(nr.identity(), {"x": outputs[name]}))
                ports[name] = (Use(at),)
            reached |= set(Bank(entries).needed(use for uses in ports.values() for use in uses))
        return Bank(entries).machine(ports, self.arrays.sources)

    def level(self, keep: int, ends: float = math.inf) -> dict[str, Readout]:
        """Take in the neurons that explain most of what is left, and a few others."""
        readouts = {name: self._priced(readout) for name, readout in self.readouts().items()}
        found: list[tuple[float, float, Batch, vv.Space, np.ndarray]] = []
        for batch in candidates(views_of(self.bank, self.uses), deep=self._deep):
            own: list[Any] = []
            for chunk in batch.chunks():
                if time.monotonic() > ends:
                    break
                own += self._best(chunk, readouts)
            found += _top(own, 100)
        chosen = self._chosen(found, keep)
        if not self.hidden:
            self._take_idioms(readouts)
        for _, _, one, space, values in chosen:
            self._take(one, space, values)
        return self.readouts()

    def _take_idioms(self, readouts: dict[str, Readout]) -> None:
        """Take in the idioms that explain something."""
        plain = [use for use in self.base if not use.before]
        trees = [u for u in plain if self._is_source(u) and self._space(u) != NUMBER]
        numbers = [use for use in self.base if self._space(use) == NUMBER]
        wanted = [readout.target.space for readout in readouts.values() if readout.left > EXACT]
        for idiom in idioms(self.bank, trees, numbers, wanted):
            told = [
                readout.gains(readout.target.rows(idiom.space, shown[None]))[0]
                for readout in readouts.values()
                if idiom.space <= readout.target.space
                for shown in (idiom.values, before(idiom.values))
            ]
            if max(told, default=0.0) > TELLING:
                shift = len(self.bank.entries) - idiom.first
                for made in idiom.made[:-1]:
                    nothing = np.zeros((*idiom.values.shape[:2], 1))
                    self.bank.add(
                        Entry("held", NUMBER, nothing, 0, shifted(made, idiom.first, shift))
                    )
                made = shifted(idiom.made[-1], idiom.first, shift)
                cost = 3 * len(idiom.made)
                at = self.bank.add(
                    Entry(made.neuron.type.name, idiom.space, idiom.values, cost, made)
                )
                self.hidden += [Use(at), Use(at, 1, True)]

    def _space(self, use: Use) -> vv.Space:
        return self.bank.entries[use.stream].space

    def _is_source(self, use: Use) -> bool:
        entry = self.bank.entries[use.stream]
        return entry.made is None and entry.name in self.arrays.inputs

    def _best(self, batch: Batch, readouts: dict[str, Readout]) -> list[Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            space, values = batch.values()
        fine = np.isfinite(values).all((1, 2, 3)) & (np.abs(values) < 1e4).all((1, 2, 3))
        fine &= np.ptp(values, axis=(1, 2)).any(-1)
        gain = np.zeros(len(values))
        safe = np.where(fine[:, None, None, None], values, 0.0)
        for readout in readouts.values():
            if space <= readout.target.space:
                for shown in (safe, before(safe)):
                    gain = np.maximum(gain, readout.gains(readout.target.rows(space, shown)))
        if space != NUMBER:
            gain = np.maximum(gain, FAITH * self._promise(space, safe, readouts))
        chance = self.rng.random(len(values))
        picked = set(np.argsort(-gain)[:60]) | set(np.argsort(-chance)[:6])
        return [
            (float(gain[k]), float(chance[k]), batch[k : k + 1], space, safe[k])
            for k in sorted(picked)
            if fine[k]
        ]

    def _promise(self, space: vv.Space, values: np.ndarray, readouts: Any) -> np.ndarray:
        """What could be gained by looking up in these trees what is known of single tokens."""
        gain = np.zeros(len(values))
        for use in self.base:
            if use.before or self.bank.entries[use.stream].made is not None:
                continue
            known = self.bank.entries[use.stream].space
            if depth(known) != 1 or not same_keys(known, space):
                continue
            kind, ports = (
                (nr.inner(), ("x", "y")) if depth(space) == 1 else (nr.mask_sum(), ("row", "value"))
            )
            given = np.broadcast_to(
                self.bank.values(use), (len(values), *values.shape[1:3], known.size)
            )
            spaces = dict(zip(ports, (known, space), strict=True))
            found, read = run(
                kind, spaces, dict(zip(ports, (given, values), strict=True)), "", None
            )
            for readout in readouts.values():
                if found <= readout.target.space:
                    gain = np.maximum(gain, readout.gains(readout.target.rows(found, read)))
        return gain

    def _chosen(self, found: list[Any], keep: int) -> list[Any]:
        """The best by gain, and the cheapest of every kind, each stream once."""
        kinds: dict[Any, list[Any]] = {}
        for item in found:
            kinds.setdefault(_kind(item), []).append(item)
        fair = [
            sorted(own, key=lambda i: self._price(i[2]) + 0.5 * i[1] - i[0])[
                : EACH if kind[2] == NUMBER else EACH_TREE
            ]
            for kind, own in kinds.items()
        ]
        by_gain = sorted(found, key=lambda item: (-round(item[0], 9), _links(item[2])))
        chosen = []
        for order, count in ((by_gain, keep), ([i for own in fair for i in own], 10**6)):
            for item in order:
                if len(chosen) >= count:
                    break
                print_ = _fingerprint(item[4])
                if print_ not in self.seen:
                    self.seen.add(print_)
                    chosen.append(item)
        return chosen

    def _price(self, batch: Batch) -> float:
        """Links of a candidate and of all it reads; what is a tick old costs a little more."""
        uses = [use for sums in batch.ports.values() for use in sums.uses(0, self.one)]
        below = sum(self.bank.entries[use.stream].cost for use in uses)
        return _links(batch) + below + 0.25 * sum(use.before for use in uses)

    def _take(self, batch: Batch, space: vv.Space, values: np.ndarray) -> None:
        ports = {port: sums.uses(0, self.one) for port, sums in batch.ports.items()}
        cost = int(self._price(batch))
        at = len(self.bank.entries)
        if batch.neuron is None:
            gate = Made(nr.gate(), {"mask": ports["mask"], "value": (Use(at + 1, 1, True),)})
            self.bank.add(Entry("gate", space, np.zeros_like(values), made=gate))
            own = Made(nr.identity(), {"x": (*ports["delta"], Use(at + 1, 1, True), Use(at, -1))})
            at = self.bank.add(Entry("identity", space, values, cost, own))
        else:
            if batch.loop and batch.first_turn:
                ports[batch.loop] = (*ports[batch.loop], Use(at, Fraction(batch.first_turn), True))
            self.bank.add(
                Entry(batch.neuron.type.name, space, values, cost, Made(batch.neuron, ports))
            )
        self.hidden += [Use(at), Use(at, 1, True)]


def _links(batch: Batch) -> int:
    own = sum(int((s.weights[0] != 0).sum()) + bool(s.shift[0]) for s in batch.ports.values())
    return own + (1 if batch.loop else 0) + (3 if batch.neuron is None else 0)


def _kind(item: Any) -> Any:
    _, _, batch, space, _ = item
    return batch.neuron and batch.neuron.type.name, bool(batch.loop), space


def _top(found: list[Any], count: int) -> list[Any]:
    best = sorted(found, key=lambda item: -item[0])[:count]
    odd = sorted(found, key=lambda item: _links(item[2]) + item[1])[:count]
    return best + [item for item in odd if not any(item is other for other in best)]


def _fingerprint(values: np.ndarray) -> bytes:
    """Equal for streams that are equal up to a factor."""
    flat = values.ravel()
    size = np.abs(flat).max(initial=0.0)
    first = flat[np.flatnonzero(np.abs(flat) > 1e-9 * size)[:1]]
    sign = 1.0 if not len(first) or first[0] > 0 else -1.0
    return np.round(flat * sign / max(size, 1e-300), 8).tobytes() + str(values.shape).encode()
