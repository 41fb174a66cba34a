# slow
"""The law of growth of a yeast culture, from nineteen measurements of 1913.

T. Carlson weighed a culture each hour (Biochemische Zeitschrift 57, 1913, 313-334). Nothing is
written down here but that growth depends on how much there is; the rest is a hole. You see which
laws the data allow and how sure they are, and what eleven hours alone would have said. Draws
`yeast_laws.png`.
"""

# %% A culture that grows at a rate that is not known.
import equinox as eqx

import snakebird as sb
from snakebird.report import plot_pareto
from snakebird.synthesis.laws import polynomials


class Growth(eqx.Module):
    """Biomass, and how fast it grows."""

    rate: sb.Hole

    def __call__(self, t, y, args):
        return {"biomass": self.rate(y["biomass"])}


data = sb.load_dataset("yeast_1913")
model = Growth(sb.Hole("biomass", "rate"))
library = polynomials("biomass", 4)


# %% All nineteen hours: P. F. Verhulst's law of 1838, and how often it would be chosen.
laws = sb.discover(sb.fit(model, data, starts=2), library=library)
print(laws)
print({term: share for (_, term), share in laws.stability().items()})
assert set(map(str, laws.best.coefficients["rate"])) == {"biomass", "biomass**2"}
assert laws.sure
plot_pareto(laws).savefig("yeast_laws.png", dpi=120)


# %% The first eleven hours alone do not yet say how growth ends, and the table tells.
early, late = sb.fitting.split_in_time(data, fraction=0.6)
first = sb.discover(sb.fit(model, early, starts=2), library=library)
print(first)
for one in list(first)[:2]:
    ahead = one.fit.predict(late.times)["biomass"][-1]
    print(
        f"{one.law}: {ahead:.0f} after the last hour; measured: {late[0].values['biomass'][-1]:.0f}"
    )
