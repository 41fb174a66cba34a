"""What holds for the whole test run: double precision, no windows, and how long to search.

`pytest --hypothesis-profile=thorough` runs the laws over thousands of examples.
"""

import os
import sys
from collections.abc import Iterator

# Read by JAX when it is first imported, which is after this file.
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest
from hypothesis import HealthCheck, settings

_common = settings(
    deadline=None,  # the first example of a property also pays for compilation
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _common, max_examples=100)
settings.register_profile("thorough", _common, max_examples=5000, derandomize=False)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _room_for_compiled_programs() -> Iterator[None]:
    """A test run compiles more programs than a process may hold at a time."""
    yield
    if "jax" in sys.modules:
        from snakebird.lowering._compiled import make_room

        make_room()
