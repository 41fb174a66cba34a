"""Closed-form laws for what a fit has learned."""

from snakebird.synthesis.laws._discover import (
    discover as discover,
    discover_many as discover_many,
)
from snakebird.synthesis.laws._law import Law as Law
from snakebird.synthesis.laws._library import (
    Library as Library,
    default_library as default_library,
    exponentials as exponentials,
    hill as hill,
    monod as monod,
    polynomials as polynomials,
    saturating as saturating,
    terms as terms,
    trigonometric as trigonometric,
)
from snakebird.synthesis.laws._machine_symbols import hole_expressions as hole_expressions
from snakebird.synthesis.laws._ranked import Laws as Laws, Ranked as Ranked
from snakebird.synthesis.laws._simple import (
    Simple as Simple,
    simple_numbers as simple_numbers,
    simplest_within as simplest_within,
)
from snakebird.synthesis.laws._simplify import (
    Simplified as Simplified,
    simplified as simplified,
)
from snakebird.synthesis.laws._superfluid import (
    Reading as Reading,
    Readings as Readings,
    read_hole as read_hole,
)
from snakebird.synthesis.laws._terms import Inner as Inner, Term as Term
