"""What to expect of slopes at kinks and branches, as docs/concepts/composing.md says it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jax.flatten_util import ravel_pytree

import snakebird as sb


def value_and_slope(machine):
    """The result of a traced machine of one number x, and its slope, as functions of x."""
    low = sb.lower(machine)
    value = lambda x: low({"x": jnp.reshape(x, (1, 1))}).number("output.result")[0]
    return jax.jit(jax.value_and_grad(value))


KINKED = {
    "relu": (jax.nn.relu, 0.0),
    "abs": (lambda x: jnp.abs(x), 0.0),
    "max": (lambda x: jnp.maximum(x, 3 * x), 2.0),
    "min": (lambda x: jnp.minimum(x, 3 * x), 2.0),
}


@pytest.mark.parametrize("name", KINKED)
def test_at_a_kink_the_slope_is_chosen_and_elsewhere_it_is_right(name):
    function, at_kink = KINKED[name]
    computed = value_and_slope(sb.trace(function, x=0.0))
    assert computed(0.0)[1] == at_kink
    for x in (-0.7, 0.4):
        value, slope = computed(x)
        assert value == function(x)
        np.testing.assert_allclose(slope, (function(x + 1e-6) - function(x - 1e-6)) / 2e-6, 1e-6)


def branches(x):
    return jax.lax.cond(x > 0.5, lambda x: x**2, lambda x: 3 * x, x)


BRANCHES = value_and_slope(sb.trace(branches, x=0.0))


@settings(max_examples=30)
@given(st.floats(-2, 2).filter(lambda x: abs(x - 0.5) > 1e-6))
def test_a_branch_has_the_value_and_the_slope_of_the_side_taken(x):
    value, slope = BRANCHES(x)
    np.testing.assert_allclose([value, slope], [x**2, 2 * x] if x > 0.5 else [3 * x, 3], atol=1e-12)


def test_the_side_not_taken_counts_zero_times_and_must_be_finite():
    risky = sb.trace(lambda x: jnp.where(x > 0, 1 / x, 0.0), x=0.0)
    assert value_and_slope(risky)(0.0)[0] == 0  # a reciprocal gives 0 at 0
    infinite = sb.trace(lambda x: jnp.where(x > 0, jnp.log(x), 0.0), x=0.0)
    guarded = sb.trace(lambda x: jnp.where(x > 0, jnp.log(jnp.maximum(x, 1e-6)), 0.0), x=0.0)
    assert np.isnan(value_and_slope(infinite)(-1.0)[0])
    assert value_and_slope(guarded)(-1.0) == (0, 0)


# A threshold to be found: what is above 0.6 gives 1.
XS = np.linspace(-1, 2, 31).reshape(-1, 1)
WANTED = (XS[:, 0] > 0.6).astype(float)


def threshold(surrogate):
    @sb.machine(fixed=True)
    def above(x):
        """1 where x is above a level that is trained."""
        level = sb.constant(value=sb.trainable(0.0))
        return sb.step.with_parameters(surrogate=surrogate, width=2.0)(sb.instant(x - level))

    return sb.lower(above.replace(links=[_now(link) for link in above.links]))


def _now(link):
    return sb.Link(*link.place[:3], link.weight, True, link.trainable)


def wrong(low):
    return jnp.mean((low({"x": XS}).number("output.result") - WANTED) ** 2)


def level_of(low):
    return sb.lift(low).neurons["level"].parameters["value"]


@pytest.mark.parametrize("surrogate", ["none", "straight", "triangle", "sigmoid"])
def test_a_surrogate_changes_the_slope_and_never_the_value(surrogate):
    low = threshold(surrogate)
    value, slope = eqx.filter_jit(eqx.filter_value_and_grad(wrong))(low)
    np.testing.assert_allclose(value, np.mean((XS[:, 0] > 0) != WANTED))
    slopes = [s for s in jax.tree.leaves(slope.numbers) if np.any(s)]
    assert bool(slopes) == (surrogate != "none")
    assert all(s < 0 for s in slopes)  # the level is too low


def test_a_surrogate_trains_what_has_no_slope():
    @eqx.filter_jit
    def descend(low):
        def step(low, _):
            slope = eqx.filter_grad(wrong)(low)
            return eqx.apply_updates(low, jax.tree.map(lambda s: -0.3 * s, slope)), None

        return jax.lax.scan(step, low, length=60)[0]

    low = descend(threshold("triangle"))
    assert wrong(low) == 0
    assert 0.5 < level_of(low) <= 0.65


def evolved(loss, low, *, pairs=16, spread=0.3, rate=0.3, rounds=60, seed=0):
    """Antithetic evolution strategy on the numbers of the neurons: no slope is asked for."""
    vector, back = ravel_pytree(low.numbers)
    at = lambda v: loss(eqx.tree_at(lambda m: m.numbers, low, back(v)))

    def step(v, key):
        noise = spread * jax.random.normal(key, (pairs, v.size))
        gains = jax.vmap(at)(v - noise) - jax.vmap(at)(v + noise)
        return v + rate * jnp.mean(gains[:, None] * noise, axis=0) / spread**2, None

    keys = jax.random.split(jax.random.key(seed), rounds)
    v, _ = eqx.filter_jit(lambda v: jax.lax.scan(step, v, keys))(vector)
    return eqx.tree_at(lambda m: m.numbers, low, back(v))


def test_evolution_trains_where_no_slope_helps():
    low = threshold("none")
    found = evolved(wrong, low)
    assert wrong(low) > 0.15
    assert wrong(found) < 0.04  # at most one of the 31 points is on the wrong side
