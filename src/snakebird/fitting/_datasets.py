"""Short real series that come with the package; `datasets/README.md` says where they are from."""

from importlib.resources import as_file, files

from snakebird.errors import UnknownNameError, suggest
from snakebird.fitting._trajectories import Trajectories

DATASETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "influenza_1978": ("day", ("population",)),
    "lynx_hare": ("year", ()),
    "yeast_1913": ("hour", ()),
}
"""The column of times and the conditions of each data set."""


def load_dataset(name: str) -> Trajectories:
    """A real data set by its name, one experiment of that name.

    * `lynx_hare`: thousands of pelts of hares and lynxes a year, Hudson's Bay Company, 1900-1920;
    * `influenza_1978`: boys in bed each day of an outbreak in a boarding school, of the condition
      `population`, 763;
    * `yeast_1913`: the amount of yeast in a culture each hour, Carlson 1913.

    Raises `UnknownNameError` for another name.

    >>> load_dataset("lynx_hare")
    Trajectories: 1 experiment, columns hare, lynx
      experiment  times         points  missing
      lynx_hare   1900 .. 1920      21        0
    """
    if name not in DATASETS:
        raise UnknownNameError(
            f"no data set is named {name!r}", "load_dataset", suggest(name, DATASETS)
        )
    time, conditions = DATASETS[name]
    with as_file(files("snakebird.fitting") / "datasets" / f"{name}.csv") as path:
        return Trajectories.read(path, time=time, conditions=conditions)
