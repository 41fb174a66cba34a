"""Many initial value problems side by side, and their derivatives, on flat arrays.

A *lane* is one problem: a state vector, a span of time, a vector of parameters. All lanes advance
in one loop, each with its own step size. The accepted steps are recorded; derivatives replay them
and never see a rejected one.
"""

from snakebird.equations.lanes._forward import (
    MAX_STEPS as MAX_STEPS,
    NOT_FINITE as NOT_FINITE,
    OK as OK,
    TOO_SMALL as TOO_SMALL,
    Field as Field,
    Outcome as Outcome,
    Settings as Settings,
    Span as Span,
)
from snakebird.equations.lanes._solve import (
    SMALL as SMALL,
    Lanes as Lanes,
    solve_forward as solve_forward,
    solve_jacobian as solve_jacobian,
    solve_reverse as solve_reverse,
)
