# slow
"""A program from a file of examples: who is in the shop?

A sensor at a door says "in" or "out", and somebody counted the people by hand on a few mornings.
There is no function that knows the answers, only these notes, some with a gap. The longest are
held out; the program that fits all others is then asked about them. At last a note is wrong, and
the message shows which two cannot both be.
"""

# %% The notes, a tick an event; None is a tick in which nothing happened, or nobody counted.
import json
from pathlib import Path

import snakebird as sb

MORNINGS = [
    (["in", "in", "out"], [1, 2, 1]),
    (["in", "out", "in", "in"], [1, 0, 1, 2]),
    (["in", None, "in", "out"], [1, None, 2, 1]),
    (["in", "in", "in", "out", "out"], [1, 2, 3, 2, 1]),
    ([None, "in", "in", "in", "in"], [0, 1, 2, 3, 4]),
    (["in", "out", None, "in", "out"], [1, 0, 0, 1, 0]),
    (["in", "in", "out", "out", "in"], [1, 2, 1, 0, 1]),
    (["in", "in", None, "in"], [1, 2, 2, 3]),
    (["in", "in", "in", "out", "in", "out"], [1, 2, 3, 2, 3, 2]),
    (["in", "in", "out", None, "out", "in"], [1, 2, 1, 1, 0, 1]),
]


def line(door, people):
    """A morning as a line of the file."""
    return json.dumps({"inputs": {"door": door}, "outputs": {"people": people}})


notes = "\n".join(line(door, people) for door, people in MORNINGS)
Path("mornings.jsonl").write_text(notes, "utf-8")
examples = sb.Examples.read("mornings.jsonl")
print(examples)


# %% The program that fits them.
found = sb.synthesize(examples)
print(found)
assert found.exact


# %% It goes on for as long as it is asked to.
day = ["in"] * 300 + ["out"] * 260
assert sb.run(found.machine, inputs={"door": day})["output.people"][-1] == 40


# %% Two mornings that cannot both be right.
wrong = f"{notes}\n{line(['in', 'in'], [1, 3])}"
Path("wrong.jsonl").write_text(wrong, "utf-8")
try:
    sb.Examples.read("wrong.jsonl")
except ValueError as error:
    print(error)
