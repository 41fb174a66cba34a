"""A neuron type of your own: a switch that goes on above one level and off below another."""

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.testing import check_neuron


@sb.neuron(loops={"was": "result"})
def hysteresis(was, x, *, low=0.0, high=1.0):
    """1 once `x` is above `high`, and until it is below `low`; what it was stays in between."""
    level = vv.number(x)
    held = vv.where(level < low, {}, was)
    return vv.where(level > high, 1.0, held)


# Right on trees and on arrays, whatever is missing, under jit, vmap and grad.
check_neuron(hysteresis)


@sb.machine
def heating(cold):
    return sb.instant(hysteresis(x=sb.instant(cold), low=0.2, high=0.8))


cold = [0.5, 0.9, 0.5, 0.5, 0.1, 0.5]
assert sb.run(heating, inputs={"cold": cold})["output.result"] == [{}, 1.0, 1.0, 1.0, {}, {}]
fast = sb.lower(heating)({"cold": cold}).number("output.result")
assert fast.tolist() == [0, 1, 1, 1, 0, 0]

# Files refer to it by its name: `snakebird run machine.json --neurons neuron.py`.
sb.save(heating, "heating.json")
assert sb.load("heating.json") == heating
