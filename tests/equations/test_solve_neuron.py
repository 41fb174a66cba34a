"""An equation as a neuron: exact solutions, gradients, solvers, in both engines."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import MachineError, SnakebirdError, SpaceError

SOLVERS = [
    dfx.Euler(),
    dfx.LeapfrogMidpoint(),
    dfx.HalfSolver(dfx.Euler()),
    dfx.Heun(),
    dfx.Tsit5(),
    dfx.Kvaerno5(),
]


def decay(t, y, args):
    return jax.tree.map(lambda x: -x, y)


def turn(t, y, args):
    return {"a": y["b"], "b": -y["a"]}


class Linear(eqx.Module):
    """dy/dt = -rate * y + the input u."""

    rate: jax.Array

    def __call__(self, t, y, args):
        return -self.rate * y + args["u"]


def looped(neuron: sb.Neuron) -> sb.Machine:
    """The neuron alone, with its loop."""
    return sb.Machine({"n": neuron}, ["n.y <- n.y"])


def driven(rate=0.7, u=0.4, y0=1.0, **options):
    """The neuron with a constant input."""

    @sb.machine
    def built():
        push = sb.constant(value=u)
        n = sb.solve_neuron(Linear(jnp.asarray(rate)), y0, inputs="u", **options)(u=push)
        sb.output(result=n.result)

    return built


@pytest.mark.parametrize(
    "y0",
    [2.0, np.array([1.0, -2.0]), {"a": 1.0, "b": {"c": np.array([3.0, 0.5])}}],
    ids=["number", "array", "tree"],
)
def test_decay_is_exact_in_both_engines(y0):
    machine = looped(sb.solve_neuron(decay, y0, duration=0.5, rtol=1e-9, atol=1e-11))
    space = vv.space_of(y0)
    slow = [vv.flatten(value, space).data for value in sb.run(machine, 3)["n.result"]]
    fast = sb.lower(machine)(ticks=3)["n.result"]
    times = 0.5 * np.arange(1, 4)[:, None]
    exact = np.exp(-times) * np.asarray(vv.flatten(y0, space).data)
    assert fast.space == space
    np.testing.assert_allclose(np.stack(slow), exact, rtol=1e-8)
    np.testing.assert_allclose(fast.data, exact, rtol=1e-8)


def test_a_zero_of_the_start_is_part_of_the_solution():
    machine = looped(sb.solve_neuron(turn, {"a": 0.0, "b": 1.0}))
    last = sb.run(machine, 3)["n.result"][-1]
    np.testing.assert_allclose([last["a"], last["b"]], [np.sin(3), np.cos(3)], atol=1e-5)


def test_the_output_y_is_the_difference_from_the_start():
    out = sb.solve_neuron(decay, 2.0).apply({})
    assert float(vv.number(out["y"])) == pytest.approx(2 * np.exp(-1) - 2)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("step", [None, 0.01])
def test_solvers(solver, step):
    machine = looped(sb.solve_neuron(decay, 1.0, solver=solver, step=step))
    found = sb.lower(machine)(ticks=2).number("n.result")
    np.testing.assert_allclose(found, np.exp([-1, -2]), rtol=0.06 if step is None else 0.011)


def test_fixed_steps_are_those_asked_for():
    found = sb.solve_neuron(decay, 1.0, solver=dfx.Euler(), step=0.25).apply({})["result"]
    assert float(found) == pytest.approx(0.75**4)
    found = sb.solve_neuron(decay, 1.0, solver=dfx.Euler()).apply({})["result"]
    assert float(found) == pytest.approx(0.95**20)


def test_an_implicit_solver_takes_a_stiff_equation():
    stiff = lambda t, y, args: -1e6 * (y - 3.0)
    n = sb.solve_neuron(stiff, 1.0, solver=dfx.Kvaerno5(), max_steps=200)
    assert float(n.apply({})["result"]) == pytest.approx(3.0)


def test_a_builder_links_the_loop_and_the_input():
    machine = driven()
    links = {str(link) for link in machine.links}
    assert {"n.u <- push.result", "n.y <- n.y (fixed)"} <= links
    fast = sb.lower(machine, record="all")(ticks=3)
    # The input is zero in the first tick.
    first = np.exp(-0.7)
    second = first * np.exp(-0.7) + 0.4 / 0.7 * (1 - np.exp(-0.7))
    np.testing.assert_allclose(fast.number("n.result")[:2], [first, second], rtol=1e-5)
    np.testing.assert_allclose(
        fast.number("n.result"), [float(x) for x in sb.run(machine, 3)["n.result"]], rtol=1e-12
    )


@pytest.mark.slow
def test_gradients_of_the_field_are_those_of_differences():
    low = sb.lower(driven(rtol=1e-10, atol=1e-12), record="n")
    kind = next(k for k, own in enumerate(low.numbers) if "field" in own)

    def last(rate):
        at = lambda low: low.numbers[kind]["field"].rate
        return eqx.tree_at(at, low, jnp.asarray([rate]))(ticks=4).number("n.result")[-1]

    h = 1e-5
    differences = (last(0.7 + h) - last(0.7 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(last)(0.7), differences, rtol=1e-5)


@pytest.mark.slow
def test_gradients_of_inputs_are_those_of_differences():
    low = sb.lower(driven(rtol=1e-10, atol=1e-12), record="n")

    def last(weights):
        return eqx.tree_at(lambda low: low.weights, low, weights)(ticks=4).number("n.result")[-1]

    found, h = jax.grad(last)(low.weights), 1e-5
    k = [str(link) for link in low.plan.template.links].index("n.u <- push.result")
    up, down = (last(low.weights.at[k].add(s * h)) for s in (1, -1))
    np.testing.assert_allclose(found[k], (up - down) / (2 * h), rtol=1e-5)
    assert abs(found[k]) > 0.1


def test_equations_of_one_structure_run_stacked():
    rates = [0.1, 0.5, 1.0, 2.0]
    neurons = {
        f"n{k}": sb.solve_neuron(Linear(jnp.asarray(r)), 1.0, inputs="u")
        for k, r in enumerate(rates)
    }
    machine = sb.Machine(neurons, [f"{name}.y <- {name}.y" for name in neurons])
    low = sb.lower(machine)
    assert len(low.plan.kinds) == 1
    found = [low(ticks=2).number(f"{name}.result")[-1] for name in neurons]
    np.testing.assert_allclose(found, np.exp(-2 * np.array(rates)), rtol=1e-4)


def test_inputs_arrive_as_numbers_arrays_and_trees():
    seen = {}

    def field(t, y, args):
        seen.update(jax.tree.map(jnp.shape, args))
        return args["n"] + args["a"].sum() + args["t"]["p"] * args["t"]["q"]["r"] + args["none"]

    n = sb.solve_neuron(field, 0.0, inputs=("n", "a", "t", "none"))
    given = {"n": 1.0, "a": np.array([2.0, 3.0]), "t": {"p": 2.0, "q": {"r": 5.0}}}
    assert float(n.apply(given)["result"]) == pytest.approx(16.0)
    assert seen == {"n": (), "a": (2,), "t": {"p": (), "q": {"r": ()}}, "none": ()}

    machine = sb.Machine(
        {"n": n} | {f"c{port}": sb.constant(value=value) for port, value in given.items()},
        ["n.y <- n.y", *(f"n.{port} <- c{port}.result" for port in given)],
        {f"c{port}": {"result": value} for port, value in given.items()},
    )
    slow = [float(x) for x in sb.run(machine, 2)["n.result"]]
    np.testing.assert_allclose(slow, [16, 32])
    np.testing.assert_allclose(sb.lower(machine, record="n")(ticks=2).number("n.result"), slow)


def test_inputs_with_a_shape_have_their_zeros():
    field = lambda t, y, args: args["u"]["p"] + args["u"]["q"] + args["v"].sum()
    n = sb.solve_neuron(field, 0.0, inputs={"u": {"p": 0, "q": 0}, "v": np.zeros(3)})
    assert n.type.inputs == ("u", "v", "y")
    assert float(n.apply({})["result"]) == 0
    assert float(n.apply({"u": {"q": 2.0, "else": 1.0}})["result"]) == pytest.approx(2.0)
    found = sb.lower(looped(n))(ticks=1).number("n.result")
    assert found.tolist() == [0.0]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"inputs": ("y",)}, "the input 'y' holds the solution"),
        ({"inputs": ("u", "u")}, "the input 'u' stands twice"),
        ({"duration": 0}, "the duration is 0"),
        ({"duration": -1.0}, "the duration is -1.0"),
        ({"step": 0.0}, "the step is 0.0"),
        ({"step": 1e-9}, "steps of 1e-09 through a duration of 1.0 are more than 4096"),
        (
            {"solver": dfx.SemiImplicitEuler()},
            "SemiImplicitEuler solves equations of several terms, this one has one",
        ),
        ({"solver": dfx.KenCarp4()}, "KenCarp4 solves equations of several terms"),
        ({"solver": dfx.EulerHeun()}, "EulerHeun solves equations of several terms"),
    ],
)
def test_mistakes_are_found_when_the_neuron_is_made(given, what):
    with pytest.raises(MachineError, match="^" + what):
        sb.solve_neuron(decay, 1.0, **given)


def test_a_start_without_numbers():
    with pytest.raises(MachineError, match="holds no numbers"):
        sb.solve_neuron(decay, {})


def test_a_field_that_does_not_fit():
    n = sb.solve_neuron(lambda t, y, args: {"b": y}, 1.0)
    with pytest.raises(SpaceError, match="the field does not fit y0: the space has no room for b"):
        n.apply({})


def test_too_many_steps_are_named_in_both_engines():
    n = sb.solve_neuron(decay, 1.0, duration=50.0, max_steps=3)
    what = "could not be solved over a duration of 50.0 in at most 3 steps"
    with pytest.raises(SnakebirdError, match=what):
        n.apply({})
    with pytest.raises(eqx.EquinoxRuntimeError, match=what):
        sb.lower(looped(n))(ticks=1)


@pytest.mark.slow
def test_vmap_and_jit():
    # Steps are fixed, since a solution that stands still would take a single one.
    n = sb.solve_neuron(Linear(jnp.asarray(1.0)), 1.0, inputs="u", step=0.1)
    one = lambda u: n.apply({"u": u})["result"]
    us = jnp.array([0.0, 1.0, 2.0])
    found = jax.jit(jax.vmap(one))(us)
    np.testing.assert_allclose(found, np.exp(-1) + us * (1 - np.exp(-1)), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.grad(one))(us), 1 - np.exp(-1), rtol=1e-5)
