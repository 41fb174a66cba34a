"""A source of your own that reads a file: a function that makes a neuron, in a machine a node."""

import json
from pathlib import Path

import numpy as np

import snakebird as sb


def json_lines(path, timer):
    """An `array_source` of the objects in a file, one a line and tick."""
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    keys = tuple(rows[0])
    values = np.array([[row[key] for key in keys] for row in rows], float)
    return sb.array_source(timer, values=values, keys=keys)


Path("sensors.jsonl").write_text('{"left": 1, "right": 2}\n{"left": 3, "right": 5}\n', "utf-8")


@sb.machine
def difference():
    sensors = json_lines("sensors.jsonl", sb.timer())
    return sensors["right"] - sensors["left"]


print(difference)
low = sb.lower(difference)
assert 2.0 in low(ticks=5).number("output.result").tolist()
