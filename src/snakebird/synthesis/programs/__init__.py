"""From examples to a program: grow, train, shrink, snap, verify, prove, print."""

from snakebird.synthesis.programs._examples import (
    Draw as Draw,
    Example as Example,
    Examples as Examples,
    Integers as Integers,
    OneOf as OneOf,
    Reals as Reals,
    Stepwise as Stepwise,
    TokenDraw as TokenDraw,
)
from snakebird.synthesis.programs._found import (
    Attempt as Attempt,
    Evidence as Evidence,
    Found as Found,
)
from snakebird.synthesis.programs._methods import Method as Method, Task as Task
from snakebird.synthesis.programs._prove import Proof as Proof, prove as prove
from snakebird.synthesis.programs._standalone import to_python as to_python
from snakebird.synthesis.programs._synthesize import repair as repair, synthesize as synthesize
from snakebird.synthesis.programs._templates import (
    Layers as Layers,
    Recurrent as Recurrent,
    Superfluid as Superfluid,
)
from snakebird.synthesis.programs._verify import (
    Failure as Failure,
    Verdict as Verdict,
    verify as verify,
)
