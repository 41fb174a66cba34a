# slow
"""A program that says whether it has seen an even or an odd number of ones, and a proof of it.

Examples of parity all look alike to a search that goes by small steps: half a parity explains
nothing of it. Here the memory that shows in the outputs need not be searched for, so the program is
there at once. It is verified on inputs up to sixty times as long as those it was made from, then
proven for all inputs, and printed a second time as Python that needs nothing but Python.
"""

# %% What the program should do, one tick at a time.
import snakebird as sb


def step(odd, bit):
    """The state after a bit, and the answer."""
    odd = (odd + bit) % 2
    return odd, odd


reference = sb.Stepwise(step, 0)
examples = sb.Examples.from_reference(reference, {"bit": sb.synthesis.OneOf(0, 1)})
print(examples)


# %% The program, and what speaks for it.
found = sb.synthesize(examples)
print(found)
assert found.exact


# %% A proof: every state that the program and the reference can reach together.
proof = sb.prove(found.machine, reference, {"bit": [0, 1]})
print(proof)
assert proof.holds


# %% The same as a function of its own.
print(found.python)
