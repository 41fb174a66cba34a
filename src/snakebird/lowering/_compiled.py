"""Room for compiled programs: each takes memory maps, of which a process has only so many."""

import gc
from pathlib import Path

import jax

MAPS, MOST = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")

PART = 0.5
"""A process that holds this part of the maps it may have forgets what was compiled."""


def make_room() -> bool:
    """Forget what JAX compiled if the process is about to run out of memory maps; True if it did.

    On Linux a process may hold 65,530 maps, unless it is set otherwise; a compiled program takes
    some ten to a hundred of them, and where there are no more the next compilation ends the
    process. Long searches compile thousands of programs, and call this between them. What is
    needed again is compiled again. Elsewhere than on Linux nothing is done.
    """
    try:
        most = int(MOST.read_text())
        held = MAPS.read_bytes().count(b"\n")
    except (OSError, ValueError):
        return False
    if held < PART * most:
        return False
    jax.clear_caches()
    gc.collect()
    return True
