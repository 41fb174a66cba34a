# slow
"""Terms of your own for laws: a function that makes a library."""

import numpy as np

import snakebird as sb
from snakebird.synthesis.laws import Library, polynomials, terms


def ratios(inputs):
    """`x/(x + y)` of every two inputs: what matters is which part one is of both."""
    names = inputs.split()
    made = [terms(inputs, f"{a}/({a} + {b})") for a in names for b in names if a != b]
    return sum(made[1:], made[0])


library: Library = polynomials("susceptible infected", 2, constant=False)
library = library + ratios("susceptible infected")
library = library + terms("susceptible infected", "infected/(K + infected)", inner={"K": 1.0})
print(library)
values = library({"susceptible": np.array([3.0]), "infected": np.array([1.0])})
assert values.shape == (1, len(library.linear))
assert np.isclose(values, 0.75).any()

# `sb.discover(fit, library=library)` looks for laws among them. A law with one of them is a law
# like any other: text, LaTeX, Python, a machine.
names = ("susceptible", "infected")
law = sb.synthesis.Law(
    names, ("spread",), {"spread": "2*susceptible*infected/(susceptible + infected)"}
)
run = sb.run(law.machine(), inputs={"susceptible": [3.0], "infected": [1.0]})
assert abs(run["output.spread"][0] - 1.5) < 1e-6
