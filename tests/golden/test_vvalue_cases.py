"""The published operations on V-values, case by case, on trees and on `Flat`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as sn, vvalues as vv
from snakebird.errors import UnknownNameError, ValueFormatError
from tests.golden.programs import golden

CASES = {case["id"]: case for case in golden("vvalues")["cases"]}

OPERATIONS = {
    "scale": vv.scale,
    "divide": lambda number, u: vv.scale(1 / number, u),
    "add": vv.add,
    # Not a function of the vector alone: zeros stay zeros here too.
    "add to each": lambda number, u: vv.map_numbers(lambda x: x + number * (x != 0), u),
    "mask": vv.mask,
    "mask_sum": vv.mask_sum,
    "apply_matrix": vv.apply_matrix,
    "max_norm": vv.max_norm,
    "trim": vv.trim,
    "count": vv.count,
    "get": vv.get,
    "number": vv.number,
    "relu": lambda u: sn.relu().apply({"x": u})["result"],
    "is_nonnegative": vv.is_nonnegative,
    "less_equal": vv.less_equal,
}
NEURONS = {
    "superfluid": lambda inputs: sn.superfluid().apply(inputs),
    "input_dummy": lambda inputs: {"char": vv.get(_characters().apply(inputs), "char")},
    "accumulator": lambda inputs: {"single": sn.accumulator().apply(inputs)["result"]},
    "less_or_equal": lambda inputs: {
        f"{name}-channel": part for name, part in sn.less_or_equal().apply(inputs).items()
    },
    "max_norm neuron": lambda inputs: sn.max_norm().apply({"x": inputs})["norm"],
    "mask_sum neuron": lambda inputs: sn.mask_sum().apply(
        {"row": vv.get(inputs, "mask"), "value": vv.get(inputs, "main")}
    )["result"],
}
NEURON_CASES = tuple(id for id, case in CASES.items() if case["op"] not in OPERATIONS)

OURS: dict[str, tuple[Any, str]] = {
    "lin02": ({(): 50.0, ("u",): 6.0}, "the 6 beside `u` in the mask scales the branch `u` too"),
    "lin04": ({(): 28.0}, "the 6 beside `u` in the mask scales the number 2.5, as a mask 6 does"),
    "clj35": ({("f", "n", "in", "f"): 2.0}, "a row that is a number scales the whole value"),
    "cnt01": ({(): 1}, "a zero that is written down counts with `zeros=True` alone"),
    "get05": ({(): 3.0}, "a bare number is its own number; the published function fails"),
    "clj26": ({(): 6.0}, "the published neuron takes a part out where it should put one in"),
    "up05": ({}, "a sum of no functions is zero; the published function fails"),
    "up06": ({}, "without `:function` no function is summed up; the published one fails"),
}
"""Where the laws, or an answer instead of a failure, differ from what was published."""


def _characters() -> sn.Neuron:
    return sn.token_source(text="test string.", every=10)


def call(case: dict[str, Any], args: list[Any]) -> Any:
    operation = OPERATIONS.get(case["op"]) or NEURONS.get(case["op"])
    if operation is None:
        operation = lambda inputs: sn.find(case["op"]).with_parameters().apply(inputs)
    return operation(*args)


def expected(case: dict[str, Any]) -> Any:
    if case["id"] in OURS:
        return OURS[case["id"]][0]
    found = case["expected"]
    return found if isinstance(found, bool) else {tuple(path): x for path, x in found}


def agree(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return found is wanted
    return vv.equal(found, vv.grow(wanted))


def holds_junk(value: Any) -> bool:
    """Whether a tree has a leaf that is no number."""
    return isinstance(value, dict) and any(isinstance(x, str) for x in jax.tree.leaves(value))


@pytest.mark.parametrize("id", [id for id in CASES if id != "up07"])
def test_on_trees(id):
    case = CASES[id]
    assert agree(call(case, case["args"]), expected(case))


@pytest.mark.parametrize("id", [id for id in CASES if id != "up07"])
def test_on_flat(id):
    """Every argument that is a tree as one vector, and as a tree of vectors."""
    case = CASES[id]
    args = case["args"]
    flat = [vv.flatten(arg) if isinstance(arg, dict) else arg for arg in args]
    parts = [{k: vv.flatten(b) for k, b in a.items()} if isinstance(a, dict) else a for a in args]
    for carrier in (flat, parts):
        if id == "cnt01":
            assert vv.count(carrier[0], zeros=True) == 2
        assert agree(call(case, carrier), expected(case))


def test_an_unknown_function():
    assert CASES["up07"]["expected"] is None
    with pytest.raises(UnknownNameError, match="no neuron type is named 'no_such_function'"):
        call(CASES["up07"], CASES["up07"]["args"])


def test_the_differences_are_differences():
    """Each entry of the list says something else than the published program."""
    for id in OURS:
        published = CASES[id]["expected"]
        assert published is None or {tuple(p): x for p, x in published} != OURS[id][0], id
    failing = {id for id, case in CASES.items() if case["expected"] is None}
    assert failing <= {*OURS, "up07"}


def test_what_counts_written_zeros():
    """The published count is ours with `zeros=True`."""
    for case in CASES.values():
        if case["op"] == "count":
            ((_, wanted),) = case["expected"]
            assert vv.count(case["args"][0], zeros=True) == wanted


def test_all_cases_are_there():
    assert len(CASES) == 127
    assert len(NEURON_CASES) == 33
    junk = {id for id, case in CASES.items() if any(map(holds_junk, case["args"]))}
    # It counts as zero, and only `check` and what writes files refuse it.
    assert junk == {"clj06", "clj09", "clj10", "clj12"}
    for id in junk:
        (held,) = filter(holds_junk, CASES[id]["args"])
        with pytest.raises(ValueFormatError, match="a leaf is 'junk'"):
            vv.check(held)


GRADIENTS = {case["id"]: case for case in golden("vvalues")["gradients"]}


def _slope(function: Any, point: Any) -> tuple[float, Any, Any]:
    """The value at a tree, and the gradient on the tree and on its `Flat`."""
    arrays = jax.tree.map(jnp.asarray, point)
    value, on_tree = jax.value_and_grad(function)(arrays)
    return float(value), on_tree, jax.grad(function)(vv.flatten(point))


def test_gradient_of_self_application():
    case = GRADIENTS["self_apply"]
    # The number at the root is the published result; the laws add a term at `u`.
    value, on_tree, on_flat = _slope(lambda u: vv.number(vv.mask_sum(u, u)), case["args"][0])
    assert value == case["value"]
    assert vv.diff(on_tree, case["gradient"]) == vv.diff(on_flat, case["gradient"]) == []


def test_gradient_of_a_mask():
    case = GRADIENTS["lin_comb_wrt_mask_maxnorm"]
    value, on_tree, on_flat = _slope(
        lambda row: vv.max_norm(vv.mask_sum(row, case["args"][1])), case["args"][0]
    )
    assert value == case["value"]
    assert vv.diff(on_tree, case["gradient"]) == vv.diff(on_flat, case["gradient"]) == []
    assert np.isfinite(value)
