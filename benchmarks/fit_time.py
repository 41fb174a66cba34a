"""Time to a finished fit of Lotka-Volterra, from a fresh process: ours, and by hand.

`python -m benchmarks.fit_time DATA.json` fits the data of a file by `sb.fit` and prints JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
NOISE = 0.005
SEEDS = range(5)
SCRIPT = str(HERE / "rivals" / "adam_bfgs.py")
MEANS: dict[str, list[str]] = {
    "sb.fit": ["-m", "benchmarks.fit_time", "{data}"],
    "sb.fit, starts=1": ["-m", "benchmarks.fit_time", "{data}", "1"],
    "Adam and BFGS, started at the data": [SCRIPT, "{data}", "{seed}", "fixed"],
    "Adam and BFGS, start trained too": [SCRIPT, "{data}", "{seed}", "free"],
}


def ours(path: str, starts: str = "6") -> None:
    """Fit the data of a file with a hole and print the solution at its times."""
    import jax

    import snakebird as sb
    from benchmarks.recovery import LotkaVolterra

    given = json.loads(Path(path).read_text())
    seen = dict(zip("xy", np.array(given["seen"]).T, strict=True))
    model = LotkaVolterra(sb.Hole("x y", "dx dy", key=jax.random.key(0)))
    fit = sb.fit(model, sb.Trajectories.of(given["times"], seen), starts=int(starts))
    values = np.stack(list(fit.predict().values()), axis=1)
    print(json.dumps({"values": values.tolist()}))


def timed(arguments: list[str]) -> tuple[float, np.ndarray]:
    """Wall seconds of a fresh process, imports and compilation included, and what it printed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=HERE.parent, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begun, np.array(json.loads(done.stdout)["values"])


def fit_time() -> list[dict[str, Any]]:
    """Rows: medians over seeds of the seconds, and root mean square errors.

    The loss on the data alone favors who overfits it; the distance from the noiseless solution
    tells which fit is better.
    """
    from benchmarks.recovery import measured, truth

    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in MEANS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.json"
        for seed in SEEDS:
            one = measured(NOISE, seed)[0]
            path.write_text(json.dumps({"times": one.times.tolist(), "seen": one.table.tolist()}))
            exact = truth(one.times)
            for name, arguments in MEANS.items():
                seconds, values = timed([x.format(data=path, seed=seed) for x in arguments])
                found[name].append((seconds, _rms(values - one.table), _rms(values - exact)))
    by_hand = np.array(found["Adam and BFGS, start trained too"])
    rows = []
    for name, runs in found.items():
        table = np.array(runs)
        seconds, data, truth_ = np.median(table, axis=0)
        rows.append(
            {"fit": name, "seeds": len(runs), "seconds": float(seconds)}
            | {"of by hand": float(np.median(table[:, 0] / by_hand[:, 0]))}
            | {"error on the data": float(data), "error against the truth": float(truth_)}
            | {"worst against the truth": float(table[:, 2].max())}
        )
    return rows


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


if __name__ == "__main__":
    ours(*sys.argv[1:])
