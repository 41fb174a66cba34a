"""From trained to readable: closed-form laws, and programs from examples."""

from snakebird.synthesis import laws as laws, programs as programs
from snakebird.synthesis.laws import (
    Law as Law,
    Laws as Laws,
    discover as discover,
    discover_many as discover_many,
    read_hole as read_hole,
)
from snakebird.synthesis.programs import (
    Examples as Examples,
    Found as Found,
    Integers as Integers,
    Layers as Layers,
    Method as Method,
    OneOf as OneOf,
    Proof as Proof,
    Reals as Reals,
    Recurrent as Recurrent,
    Stepwise as Stepwise,
    Superfluid as Superfluid,
    Task as Task,
    TokenDraw as TokenDraw,
    prove as prove,
    repair as repair,
    synthesize as synthesize,
    to_python as to_python,
    verify as verify,
)
