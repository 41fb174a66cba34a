"""Gradients of the algebra on `Flat`, against central differences in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import vvalues as vv

SPACE = vv.Space({(): (), ("a",): (), ("a", "b"): (), ("c", "b"): (), ("v",): (3,)})
WIDE = vv.Space({("a",): (), ("a", "b"): (), ("a", "x", "y"): (), ("c",): (), ("v",): (3,)})
STEP = 1e-5

FUNCTIONS = {
    "lin_comb": lambda u, v: vv.lin_comb([vv.number(u), 2], [u, v]),
    "scale": lambda u, v: vv.scale(vv.max_norm(v), u),
    "mask": vv.mask,
    "mask_sum": lambda u, v: vv.mask_sum(vv.get(u, "a"), vv.select(v, [("a",)])),
    "apply_matrix": lambda u, v: vv.apply_matrix({"row": u, "other": {"a": 2.0}}, vv.get(v, "a")),
    "outer": lambda u, v: vv.outer(u, vv.get(v, "a")),
    "multiply": vv.multiply,
    "inner": lambda u, v: {"dot": vv.inner(u, v)},
    "select": lambda u, v: vv.add(vv.select(u, [("a",), ("v",)]), vv.get(v, "a")),
    "put": lambda u, v: vv.put(u, ("a",), vv.get(v, "a")),
    "restrict": lambda u, v: vv.restrict(vv.add(u, v), WIDE),
    "max_norm": lambda u, v: {"u": vv.max_norm(u), "v": vv.max_norm(v)},
    "norm": lambda u, v: {"u": vv.norm(u), "v": vv.norm(v, 3), "w": vv.norm(u, 1)},
    "trim": lambda u, v: vv.trim(vv.add(u, v), 0.8),
    "map_numbers": lambda u, v: vv.map_numbers(jnp.tanh, vv.add(u, v)),
    "combine": lambda u, v: vv.combine(jnp.maximum, u, v),
    "where": lambda u, v: vv.where(vv.max_norm(u) > 0, u, v),
}


def point(space: vv.Space, seed: int) -> jax.Array:
    """Numbers of distinct size, none near zero, so that no kink is near."""
    rng = np.random.default_rng(seed)
    sizes = 0.3 + 0.17 * rng.permutation(space.size) + 0.05 * seed
    return jnp.asarray(sizes * rng.choice([-1, 1], space.size))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_differences(name, seed):
    x, y = point(SPACE, 2 * seed), point(WIDE, 2 * seed + 1)

    @jax.jit
    def values(z):
        u, v = vv.Flat(SPACE, z[: SPACE.size]), vv.Flat(WIDE, z[SPACE.size :])
        return vv.flatten(FUNCTIONS[name](u, v)).data

    z = jnp.concatenate([x, y])
    moves = STEP * jnp.eye(z.size)
    slopes = (jax.vmap(values)(z + moves) - jax.vmap(values)(z - moves)) / (2 * STEP)
    assert np.abs(slopes).max() > 0
    np.testing.assert_allclose(jax.jacrev(values)(z).T, slopes, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(jax.jacfwd(values)(z).T, slopes, rtol=1e-7, atol=1e-7)


def slope(function, numbers):
    """The gradient on a `Flat`, which is also that on a tree of arrays."""
    space = vv.Space([("a",), ("b",), ("c",)])
    flat = jax.grad(lambda x: function(vv.Flat(space, x)))(jnp.asarray(numbers))
    tree = dict(zip("abc", map(jnp.asarray, numbers), strict=True))
    on_tree = jax.grad(function)(tree)
    np.testing.assert_allclose(flat, [on_tree[key] for key in "abc"], atol=1e-15)
    return flat.tolist()


@pytest.mark.parametrize("order", [1.5, 2, 3, 4])
def test_norm_at_zero(order):
    assert slope(lambda u: vv.norm(u, order), [0.0, 0.0, 0.0]) == [0, 0, 0]
    twice = jax.hessian(lambda x: vv.norm(vv.Flat(vv.Space([("a",)]), x), 2))(jnp.zeros(1))
    assert np.isfinite(twice).all()


def test_norm_beside_zero():
    found = slope(vv.norm, [3.0, 0.0, -4.0])
    np.testing.assert_allclose(found, [0.6, 0, -0.8])
    assert slope(lambda u: vv.norm(u, 1), [3.0, 0.0, -4.0]) == [1, 0, -1]


def test_max_norm_shares_ties():
    assert slope(vv.max_norm, [1.0, -3.0, 2.0]) == [0, -1, 0]
    assert slope(vv.max_norm, [3.0, -3.0, 2.0]) == [0.5, -0.5, 0]
    assert slope(vv.max_norm, [0.0, 0.0, 0.0]) == [0, 0, 0]


def test_ties_inside_an_array_count_as_numbers():
    tree = {"a": jnp.asarray(2.0), "v": jnp.asarray([2.0, -2.0, 1.0])}
    found = jax.grad(vv.max_norm)(tree)
    assert float(found["a"]) == pytest.approx(1 / 3)
    np.testing.assert_allclose(found["v"], [1 / 3, -1 / 3, 0])


def test_trim_passes_what_it_keeps():
    assert slope(lambda u: vv.norm(vv.trim(u, 1), 1), [3.0, 0.5, -4.0]) == [1, 0, -1]
    assert slope(lambda u: vv.inner(vv.trim(u, 1), u), [3.0, 0.5, -1.0]) == [6, 0, 0]


def test_self_application():
    """Bukatin's check: the derivative of a form applied to the same value twice is whole."""
    assert slope(lambda u: vv.number(vv.mask_sum(u, u)), [2.0, 3.0, 2.5]) == [4, 6, 5]
