"""Differential equations with holes, and equations inside machines."""

from snakebird.equations._algebraic import IndexOne as IndexOne
from snakebird.equations._delay import solve_delayed as solve_delayed
from snakebird.equations._delayed import Delayed as Delayed
from snakebird.equations._doses import Doses as Doses
from snakebird.equations._events import solve_until as solve_until
from snakebird.equations._forcing import Forcing as Forcing
from snakebird.equations._grid import Grid as Grid
from snakebird.equations._hole import (
    Hole as Hole,
    Network as Network,
    Polynomial as Polynomial,
    RadialBasis as RadialBasis,
    holes as holes,
    redrawn as redrawn,
    with_holes as with_holes,
)
from snakebird.equations._machine_model import MachineModel as MachineModel
from snakebird.equations._neuron import solve_neuron as solve_neuron
from snakebird.equations._parameters import (
    Bounded as Bounded,
    Fixed as Fixed,
    Free as Free,
    Parameter as Parameter,
    Positive as Positive,
    resolve as resolve,
)
from snakebird.equations._posed import Split as Split
from snakebird.equations._random import solve_random as solve_random
from snakebird.equations._solution import Failure as Failure, Solution as Solution
from snakebird.equations._solve import choose_solver as choose_solver, solve as solve
from snakebird.equations._solvers import (
    Diffrax as Diffrax,
    Direction as Direction,
    Explicit as Explicit,
    Solver as Solver,
)
from snakebird.equations._superfluid_machine import (
    superfluid_hole as superfluid_hole,
    superfluid_machine as superfluid_machine,
)
