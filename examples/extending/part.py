"""A part of machines that is used again and again: a function that makes neurons."""

import snakebird as sb


def derivative(x):
    """How much a stream changed since the last tick."""
    before = sb.identity(x)
    return x - before


@sb.machine
def braking(speed):
    """How fast the speed falls, and whether that changes."""
    slower = sb.relu(-derivative(speed))
    return {"slower": slower, "jerk": sb.absolute(derivative(slower))}


run = sb.run(braking, inputs={"speed": [3, 3, 1, 1, None, None]})
print(braking)
assert run["output.slower"][3:5] == [{}, 2]
assert sum(neuron.type.name == "identity" for neuron in braking.neurons.values()) == 2
