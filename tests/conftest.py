"""What holds for the whole test run: double precision, no windows, and how long to search.

`pytest --hypothesis-profile=thorough` runs the laws over thousands of examples.
"""

import os

# Read by JAX when it is first imported, which is after this file.
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["MPLBACKEND"] = "Agg"

from hypothesis import HealthCheck, settings

_common = settings(
    deadline=None,  # the first example of a property also pays for compilation
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _common, max_examples=100)
settings.register_profile("thorough", _common, max_examples=5000, derandomize=False)
settings.load_profile("default")
