# slow
"""A finite-state machine that lives in one row of the network matrix.

The row that ends at Self's input `delta` holds a single 1, and its place is the state: it decides
which neuron is heard. Each state has a neuron that gives, for the symbol that arrives, the change
of the matrix which moves the 1 on. So the machine reads symbols by editing itself (in the spirit
of the self-referential machines of arXiv 1706.00648, appendix B).

The automaton here reads binary numbers, highest digit first, and knows the remainder by three: a
digit d takes the remainder r to (2 r + d) mod 3. Draws `state_machine.png`: the row while a number
is read.
"""

# %% The machine.
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

STATES = [f"remainder_{r}" for r in range(3)]


def entry(state, weight):
    """The matrix with one entry in the control row."""
    return {"self": {"delta": {state: {"result": weight}}}}


def moves(r):
    """For each symbol the change of the matrix that leads from the state to the next."""
    return {str(d): vv.add(entry(STATES[r], -1), entry(STATES[(2 * r + d) % 3], 1)) for d in (0, 1)}


@sb.machine
def remainder(digit: sb.Tokens("01")):
    """The remainder by three of a binary number, held in the row `self.delta`."""
    states = [
        sb.mask_sum(sb.instant(digit), sb.instant(sb.constant(value=moves(r))), name=STATES[r])
        for r in range(3)
    ]
    network = sb.accumulator(delta=states[0], name="self")  # the first state
    sb.carries_matrix(network)


print(*remainder.links, sep="\n")


# %% The readable engine. The row that is emitted at a tick holds all digits but the last one.
number = 0b1011001
digits = f"{number:b}"
run = sb.run(remainder, inputs={"digit": [*digits, None]})
rows = [vv.get(matrix, "self", "delta") for matrix in run["self.result"]]
read = 0
for digit, row in zip(digits, rows[1:], strict=True):
    read = 2 * read + int(digit)
    print(f"{digit!r}: {read:3d} = 3 * {read // 3:2d} + {read % 3}   {row}")
    assert row == {STATES[read % 3]: {"result": 1}}


# %% Compiled, for all numbers of ten digits at once.
low = sb.lower(remainder, record="self.result")


def states(digits):
    """The control row `[tick, state]` while one-hot digits `[tick, symbol]` are read."""
    trace = low({"digit": digits}, digits.shape[0] + 1)
    names = [("self", "result", "self", "delta", state, "result") for state in STATES]
    return jnp.stack([trace.number(name) for name in names], axis=1)


numbers = np.arange(1024)
bits = numbers[:, None] >> np.arange(10)[::-1] & 1
found = jax.jit(jax.vmap(states))(np.eye(2)[bits])[:, -1]
np.testing.assert_array_equal(found, np.eye(3)[numbers % 3])
print(f"right for all {len(numbers)} numbers of ten binary digits")


# %% Look at it.
image = states(np.eye(2)[[int(digit) for digit in digits]]).T
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
axes.imshow(image, cmap="Blues", vmin=-0.15, vmax=1.1)
axes.set_yticks(range(3), [f"self.delta <- {state}" for state in STATES])
axes.set_xticks(np.arange(len(digits)) + 0.5, digits)
axes.tick_params(length=0)
axes.set(title=f"{number} = 3 · {number // 3} + {number % 3}", xlabel="binary digit read")
axes.spines[:].set_visible(False)
figure.savefig("state_machine.png", dpi=120)
