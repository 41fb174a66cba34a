"""A picture of your own: a function from a run, or a fit, to a figure of matplotlib."""

import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv


def matrix_picture(machine):
    """The network matrix as an image: inputs down, outputs across, the sign as a color."""
    rows = sorted({(link.to, link.input) for link in machine.links})
    columns = sorted({link.source for link in machine.links})
    weights = np.zeros((len(rows), len(columns)))
    for link in machine.links:
        at = rows.index((link.to, link.input)), columns.index(link.source)
        weights[at] += float(link.weight)
    limit = np.abs(weights).max()
    figure, axes = plt.subplots(layout="constrained")
    image = axes.imshow(weights, cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set_xticks(range(len(columns)), [vv.show_path(c) for c in columns], rotation=90)
    axes.set_yticks(range(len(rows)), [vv.show_path(r) for r in rows])
    figure.colorbar(image, label="weight")
    return figure


@sb.machine
def repeats(char: sb.Tokens("abc.")):
    counts = sb.accumulate(char)
    return {"again": sb.relu(sb.max_norm(counts) - 1)}


figure = matrix_picture(repeats)
figure.savefig("matrix.png")
assert len(figure.axes) == 2
plt.close(figure)
