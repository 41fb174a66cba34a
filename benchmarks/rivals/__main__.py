"""Print what the rivals take: median compile time and median run time of each."""

import time
from collections.abc import Callable
from statistics import median

import jax

from benchmarks.rivals import dmm_lite, sparse_numpy, superfluid

COMPILES, RUNS = 3, 200


def main() -> None:
    """Measure every rival and print one line for each."""
    print(f"{'rival':<36}{'compile, s':>12}{'run, ms':>12}")
    for machine in (dmm_lite, superfluid):
        for form in ("tuned", "plain"):
            compiling, running = _training(machine.make_step, form)
            name = f"{machine.__name__.rpartition('.')[2]}, {form}, one training step"
            print(f"{name:<36}{compiling:>12.2f}{1e3 * running:>12.3f}")
    tick = sparse_numpy.make_tick()
    running = median(_seconds(*tick) for _ in range(RUNS))
    print(f"{'sparse_numpy, one tick':<36}{'-':>12}{1e3 * running:>12.3f}")


def _training(make_step: Callable, form: str) -> tuple[float, float]:
    """Median seconds to trace and compile a training step, and to run it."""
    compiling = []
    for _ in range(COMPILES):
        jax.clear_caches()
        step, *numbers = make_step(form=form)
        compiling.append(_seconds(lambda f, *given: f.lower(*given).compile(), step, *numbers))
    jax.block_until_ready(step(*numbers))
    return median(compiling), median(_seconds(step, *numbers) for _ in range(RUNS))


def _seconds(call: Callable, *given: object) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call(*given))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
