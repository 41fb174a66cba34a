"""Whether a law's coefficients may be simple numbers: put there, and held against the data."""

from dataclasses import dataclass

import jax
import numpy as np
from scipy.stats import chi2

from snakebird.synthesis.laws._law import Law
from snakebird.synthesis.laws._ranked import Ranked, law_of, standard_errors
from snakebird.synthesis.laws._simple import Simple, simplest_within

_DEVIATIONS = 3.0
"""Within how many standard errors a simple number is looked for."""
_FAMILIES = ("integer", "decimal", "fraction")
_LEVEL = 0.05
"""Below this probability a law with simple numbers is refused."""


@dataclass(frozen=True)
class Simplified:
    """A law with simple numbers in place of its coefficients.

    `increase` is by how much minus twice the log likelihood grew when all else was fitted again;
    `p` the probability of more than that if the numbers were the true ones.
    """

    law: Law
    numbers: tuple[Simple, ...]
    increase: float
    p: float

    @property
    def accepted(self) -> bool:
        """Whether the data allow the simple numbers."""
        return self.p > _LEVEL

    def __repr__(self) -> str:
        word = "allow" if self.accepted else "refuse"
        law = "; ".join(str(self.law).splitlines())
        return (
            f"{law}  (the data {word} it: -2 log L rises by {self.increase:.2f}, p = {self.p:.2f})"
        )


def simplified(one: Ranked) -> Simplified:
    """The law with the simplest numbers within three standard errors, tested in the equation.

    All coefficients are held at the simple numbers, start values and parameters fitted again; the
    likelihood-ratio test (S. S. Wilks, Annals of Mathematical Statistics 9, 1938) says whether the
    data allow it.
    """
    refit, judged = one.refit, one.judged
    columns, support = refit.columns, judged.candidate.support
    scale = np.array([columns.scale[divmod(p, len(columns))] for p in support])
    values = judged.phi[refit.coefficient[: len(support)]] * scale
    spread = _DEVIATIONS * standard_errors(judged, refit) * scale
    numbers = tuple(
        simplest_within(float(v), float(v - s), float(v + s), families=_FAMILIES)
        for v, s in zip(values, spread, strict=True)
    )
    exact = np.array([float(number.number) for number in numbers])
    with jax.enable_x64(True):
        held = refit.held(judged, exact / scale)
    increase = max(held.loss - judged.loss, 0.0)
    law = law_of(held, refit, numbers)
    return Simplified(law, numbers, increase, float(chi2.sf(increase, len(support))))
