"""Data of your own: a function from files to `Trajectories`, with conditions and gaps."""

from pathlib import Path

import snakebird as sb

TABLE = """run;minute;degrees;product
cold;0;5;0.0
cold;10;5;0.21
cold;20;5;
warm;0;25;0.0
warm;10;25;0.74
warm;20;25;0.93
"""


def reaction(path):
    """How much product there is; a run for each temperature."""
    return sb.Trajectories.read(path, time="minute", experiment="run", conditions=("degrees",))


Path("reaction.csv").write_text(TABLE, "utf-8")
data = reaction("reaction.csv")
print(data)
assert data.names == ("product",)
assert data.conditions == ("degrees",)

# `snakebird fit model.py --data reaction.csv` calls a function of this kind that is named `data`.
train, check = sb.fitting.split_by_experiment(data, fraction=0.5)
assert len(train) == len(check) == 1
