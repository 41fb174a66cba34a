"""Hand-written rivals: what an expert would write for one machine, with no library in between.

Each module holds one machine twice: as plain Python data (neurons, links, start values), so that
the same machine can be built elsewhere, and as flat arrays and hand-made loops, so that the time
it takes that way is known. Nothing here imports Snakebird. ``python -m benchmarks.rivals`` prints
the medians.
"""

from benchmarks.rivals import (
    detector as detector,
    dmm_lite as dmm_lite,
    sparse_numpy as sparse_numpy,
    superfluid as superfluid,
)
