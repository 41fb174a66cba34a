# slow
"""How an outbreak of influenza spreads, learned from fourteen days in one school.

In 1978 influenza went through a boarding school of 763 boys; each day it was noted how many were
in bed. That the sick recover at some rate is written down as a rule. How fast the healthy fall
ill, given how many are sick, is left open: a hole that only has to be positive and to grow with
the number of the sick. You see what the data say about it beside the textbook's straight line,
with the part shaded that the data say nothing about. Draws `influenza_fit.png` and
`influenza_hole.png`.
"""

# %% The model: healthy boys fall ill at a rate that is not known, the sick recover.
import equinox as eqx
import jax
import numpy as np

import snakebird as sb
from snakebird.report import plot_fit, plot_hole
from snakebird.synthesis import Law


class Outbreak(eqx.Module):
    """Shares of the school: healthy ones, and sick ones."""

    recovery: sb.Positive
    risk: sb.Hole

    def __call__(self, t, y, args):
        falling_ill = self.risk(y["sick"]) * y["healthy"]
        return {"healthy": -falling_ill, "sick": falling_ill - self.recovery * y["sick"]}

    def observe(self, t, y, args):
        """What was noted: boys in bed."""
        return {"in_bed": args["population"] * y["sick"]}


# %% Fit it. Only the sick were counted; on the eve of the first day all the others were healthy.
data = sb.load_dataset("influenza_1978")
model = Outbreak(
    sb.Positive(0.5),
    sb.Hole("sick", "risk", positive=True, increasing="sick", key=jax.random.key(0)),
)
start = {"healthy": sb.Fixed(1.0), "sick": sb.Positive(0.004)}
fit = sb.fit(model, data, y0=start, stages=["trajectories"], starts=4)
print(fit)


# %% The textbook's rule is that the risk is in proportion to the sick: a straight line.
few = 0.1
with jax.enable_x64(True):  # the precision it was trained in
    slope = float(fit.holes["risk"](few)) / few
textbook = Law(("sick",), ("risk",), {"risk": f"{slope}*sick"})
print(f"while few are sick, each sick boy infects {slope:.1f} a day; textbooks on this school: 1.7")
print(f"he is in bed for {1 / fit.parameters['recovery']:.1f} days")
misses = fit.predict()["in_bed"] - data[0].values["in_bed"]
assert np.sqrt(np.mean(misses**2)) < 30
assert 1 < slope < 3


# %% Look at it.
plot_fit(fit).savefig("influenza_fit.png", dpi=120)
plot_hole(fit, law=textbook).savefig("influenza_hole.png", dpi=120)
