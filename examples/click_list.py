# slow
"""A linked list in a stream: clicks come when they like, and each makes the list longer.

A list is a vector like any other, `{"this": head, "rest": tail}` with `{"end-list": 1}` at its end
(arXiv 1712.07447, section 6.3). The neuron `cons` holds the list by a link to itself, and puts
before it what its input `signal` brings. The clicks come from a source that takes them from a
queue, at most one a tick, and gives nothing when the queue is empty. There is no largest list: the
compiled machine makes more room when a list outgrows it.
"""

# %% The machine: a source, a list, and the sum of all clicks beside it.
from collections import deque

import snakebird as sb
from snakebird import vvalues as vv


@sb.machine
def click_list(click: sb.Numbers("x", "y")):
    """The list of all clicks, latest first, and the sum of their positions."""
    clicks = sb.cons(signal=click).starts(list=vv.END)
    return {"clicks": clicks, "sum": sb.accumulate(click)}


print(click_list)


# %% The readable engine, with a queue that others fill while it runs: a burst of three, one later.
queue = deque([{"x": 1, "y": 5}, {"x": 2, "y": 5}, {"x": 3, "y": 6}])


def arriving(tick):
    """What the source takes in a tick: at most one click, never waiting for one."""
    if tick == 6:
        queue.append({"x": 9, "y": 9})
    return queue.popleft() if queue else None


run = sb.run(click_list, 11, inputs={"click": arriving})
lengths = [len(vv.to_list(value)) for value in run["clicks.list"]]
print("length of the list, tick by tick:", lengths)
assert lengths == [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4]
assert run.last["output"]["sum"] == {"x": 15, "y": 25}

print(vv.show(run.last["output"]["clicks"]))
for click in vv.to_list(run.last["output"]["clicks"]):
    print(click)


# %% A runner is the same machine, compiled and alive: whoever has clicks sends them.
runner = sb.Runner(click_list)
runner.send("click", [{"x": 1, "y": 5}, {"x": 2, "y": 5}, {"x": 3, "y": 6}]).advance(6)
runner.send("click", {"x": 9, "y": 9}).advance(5)
assert vv.equal(runner.outputs["output"], run.last["output"])

for k in range(1, 21):  # the list outgrows its room, and gets more
    runner.send("click", {"x": k, "y": k})
runner.advance(22)
found = vv.to_list(runner.outputs["clicks"]["list"])
print(f"\nafter twenty more: {len(found)} clicks, the latest {found[0]}, the first {found[-1]}")
assert len(found) == 24
assert found[0] == {"x": 20, "y": 20}
assert found[-1] == {"x": 1, "y": 5}
