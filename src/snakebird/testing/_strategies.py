"""V-values and spaces for Hypothesis, odd corners above all."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from snakebird import vvalues as vv

_ODD = ["", " ", "a b", "a.b", ".", ":", ":number ", "number", "π", "é", "\n", "[0]", "+ -1", "0"]

# Mostly plain ones, so that paths meet.
_keys: st.SearchStrategy[str] = st.one_of(
    *(st.sampled_from(["a", "b", "c"]) for _ in range(6)),
    st.sampled_from(_ODD),
    st.text(max_size=3).filter(lambda key: key != vv.NUMBER),
)

fractions: st.SearchStrategy[Fraction | int] = st.sampled_from(
    [0, 1, -1, 2, -3, 7, *(Fraction(n, d) for n in (-5, -2, 1, 4) for d in (3, 7))]
)
"""Small exact numbers, zero among them: laws hold on them without a tolerance."""

floats: st.SearchStrategy[float] = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5]), st.floats(-8, 8, allow_subnormal=False)
)
"""Floats of moderate size, for laws that hold up to rounding."""


def paths(max_length: int = 3) -> st.SearchStrategy[vv.Path]:
    """Paths that often begin alike; keys may be empty, or hold dots, colons and spaces."""
    return st.lists(_keys, max_size=max_length).map(tuple)


_KINDS = ("number", "branches", "branches and number", "wrapped number", "empty")
_kinds = st.sampled_from(_KINDS + _KINDS[:3])
_leaf_kinds = st.sampled_from(("number", "number", "wrapped number", "empty"))
_widths = st.integers(1, 3)


@st.composite
def vvalues(
    draw: Callable[..., Any], leaves: st.SearchStrategy[Any] = fractions, depth: int = 3
) -> Any:
    """Trees: written zeros, empty branches, and numbers beside branches among them."""
    kind = draw(_kinds if depth else _leaf_kinds)
    if kind == "number":
        return draw(leaves)
    tree: dict[str, Any] = {}
    if kind.startswith("branches"):
        for _ in range(draw(_widths)):
            tree[draw(_keys)] = draw(vvalues(leaves, depth - 1))
    if kind.endswith("number"):
        tree[vv.NUMBER] = draw(leaves)
    return tree


def spaces(
    shapes: st.SearchStrategy[tuple[int, ...]] | None = None, max_size: int = 6
) -> st.SearchStrategy[vv.Space]:
    """Spaces of numbers, or of leaves of the given shapes."""
    shape = st.just(()) if shapes is None else shapes
    return st.dictionaries(paths(), shape, max_size=max_size).map(vv.Space)
