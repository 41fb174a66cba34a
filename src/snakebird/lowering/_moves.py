"""The down movements of a plan: which links enter each stage, as products and index maps."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snakebird import vvalues as vv
from snakebird.lowering._product import Down, Product, Scatter

if TYPE_CHECKING:
    from snakebird.lowering._plan import Plan

Entries = list[tuple[int, vv.Path]]
"""Links as the number of their coefficient and their path in the matrix."""


class StageMoves(NamedTuple):
    """The links that end in one stage: `past` from earlier stages, `own` from the stage itself.

    The instant ones of the stage itself stand by the level they serve; `changing` are those whose
    coefficients updates may change, tick by tick. For the `merged` blocks a scan takes the few
    earlier rows it reads beside its own, in one product of `own`.
    """

    past: Down
    past_instant: Down
    own: Down
    changing: Down
    own_instant: dict[int, Down]
    merged: frozenset[int]

    def reads(self, block: int, before: int) -> np.ndarray:
        """Which of the `before` rows of earlier stages in a block this one reads, by number."""
        found = [np.zeros(0, int)]
        for down in (self.past, self.past_instant):
            parts = [down.products[block]] if block in down.products else []
            parts += [part for at, part in down.scatters.items() if at[0] == block]
            found += [np.arange(before) if p.reads is None else p.reads for p in parts]
        return np.unique(np.concatenate(found))


def plan_moves(plan: "Plan") -> list[StageMoves]:
    """For each stage the down movements into it.

    The coefficients of ordinary links are the weights, or the numbers of the matrix stream.
    """
    slot = plan.matrix_space.slot
    links = list(enumerate(plan.template.links))
    ordinary = [(k, link.path) for k, link in links if not link.instant]
    changing: Entries = []
    if plan.carried:
        entries = [(slot(path).start, path) for path in plan.spaces.links]
        ordinary = [(at, path) for at, path in entries if not plan.changing[at]]
        changing = [(at, path) for at, path in entries if plan.changing[at]]
    instant = [(k, link.path) for k, link in links if link.instant]
    stages = range(len(plan.stages.scans))
    return [_into(plan, stage, ordinary, changing, instant) for stage in stages]


def _into(
    plan: "Plan", stage: int, ordinary: Entries, changing: Entries, instant: Entries
) -> StageMoves:
    here = plan.stages.of
    free = plan.trained_slots if plan.carried else plan.free_weights

    def entering(entries: Entries, own: bool) -> Entries:
        into = [(k, p) for k, p in entries if here.get(p[0]) == stage and p[2] in here]
        return [(k, p) for k, p in into if (here[p[2]] == stage) == own]

    levels: dict[int, Entries] = {}
    for k, path in entering(instant, True):
        levels.setdefault(plan.kinds[plan.layout.place[path[0]][0]].level, []).append((k, path))
    past = _down(plan, stage, entering(ordinary, False), free, own=False)
    own = _down(plan, stage, entering(ordinary, True), free, own=True)
    merged = [b for b in past.products if _mergeable(past.products[b], own.products.get(b))]
    together = {b: own.products[b].beside(past.products[b]) for b in merged}
    return StageMoves(
        past,
        _down(plan, stage, entering(instant, False), plan.free_weights, own=False),
        Down(own.products | together, own.scatters),
        _down(plan, stage, entering(changing, True), plan.changing, own=True, changing=True),
        {
            n: _down(plan, stage, found, plan.free_weights, own=True)
            for n, found in sorted(levels.items())
        },
        frozenset(merged),
    )


def _mergeable(past: Product, own: Product | None) -> bool:
    if own is None or not own.whole or past.n_out >= past.n_in:
        return False
    return (past.dense and own.dense) or (past.few and own.few)


def _down(
    plan: "Plan",
    stage: int,
    entries: Entries,
    free: np.ndarray,
    *,
    own: bool,
    changing: bool = False,
) -> Down:
    """Links as products where they carry whole streams, else number by number.

    `free` tells for all coefficients which of them gradients reach.
    """
    regular: dict[int, list[tuple[int, int, int]]] = {}
    single: dict[tuple[int, int], list[Any]] = {}
    for k, path in entries:
        to = plan.layout.row("in", path[0], path[1])
        if to is None:
            continue
        first = to[1] - plan.blocks[to[0]].rows("in", stage).start
        source = plan.layout.row("out", path[2], path[3]) if len(path) == 4 else None
        if source is not None and source[0] == to[0] and _whole(plan, path):
            regular.setdefault(to[0], []).append(
                (k, first, source[1] - _base(plan, to[0], stage, own))
            )
        else:
            for at, triple in _by_number(plan, k, path, (to[0], first), stage, own):
                single.setdefault(at, []).append(triple)
    products = {}
    for b, links in regular.items():
        block = plan.blocks[b]
        rows = block.rows("in", stage), block.rows("out", stage)
        n_out = rows[1].stop - rows[1].start if own else block.before(stage)
        n_in = rows[0].stop - rows[0].start
        products[b] = Product.plan(links, n_in, n_out, block.space.size, plan.dense, free, changing)
    scatters = {}
    for at, found in single.items():
        pick, source, target = map(np.concatenate, zip(*found, strict=True))
        scatters[at] = Scatter.plan(pick, source, target, free)
    if not own:
        width = lambda b: plan.blocks[b].space.size
        scatters = {at: found.compact(width(at[0])) for at, found in scatters.items()}
    return Down(products, scatters)


def _base(plan: "Plan", block: int, stage: int, own: bool) -> int:
    """The first row of outputs that a down movement reads."""
    return plan.blocks[block].rows("out", stage).start if own else 0


def _whole(plan: "Plan", path: vv.Path) -> bool:
    """Whether all of the stream enters: no part of it was left out for its shape."""
    source = plan.spaces.outputs[path[2]].sub(path[3:])
    return source <= plan.spaces.inputs[path[0]].sub((path[1],))


def _by_number(
    plan: "Plan", k: int, path: vv.Path, to: tuple[int, int], stage: int, own: bool
) -> Iterable[Any]:
    """A link as index maps from the numbers it reads to the numbers it writes."""
    target_space = plan.blocks[to[0]].space
    accepted = plan.spaces.inputs[path[0]].sub((path[1],))
    origin, *below_origin = path[2:]
    outputs = plan.spaces.outputs[origin]
    for port in below_origin[:1] or outputs.keys:
        source = plan.layout.row("out", origin, port)
        if source is None:
            continue
        below = plan.blocks[source[0]].space
        inside, outside = tuple(below_origin[1:]), () if below_origin else (port,)
        carried = outputs.sub((port, *inside))
        kept = [
            p
            for p in carried.paths
            if (*outside, *p) in accepted and accepted.shape((*outside, *p)) == carried.shape(p)
        ]
        for p in kept:
            a, b = below.slot((*inside, *p)), target_space.slot((*outside, *p))
            row = source[1] - _base(plan, source[0], stage, own)
            reads = np.arange(a.start, a.stop) + row * below.size
            writes = np.arange(b.start, b.stop) + to[1] * target_space.size
            yield (source[0], to[0]), (np.full(len(reads), k), reads, writes)
