# slow
"""Hares and lynxes in Canada, 1900 to 1920: what the lynx eats is learned, not written down.

Hares multiply and lynxes die at rates that are trained; how many hares are eaten, given the
numbers of both, is left open: a hole that serves both equations. It is trained on the 21 years of
pelts that the Hudson's Bay Company bought. You see the curves through the data, and what the hole
has learned where the data led it, beside the product of both numbers that Lotka and Volterra
wrote there. Writes the folder `lynx_hare`; open `report.html` in it.
"""

# %% The model. Both numbers are in thousands of pelts, time is in years.
import equinox as eqx
import jax
import numpy as np

import snakebird as sb
from snakebird.report import plot_extrapolation, plot_hole, write_report
from snakebird.synthesis import Law


class LynxHare(eqx.Module):
    """Hares that multiply and are eaten, lynxes that eat and die."""

    births: sb.Positive
    deaths: sb.Positive
    gain: sb.Positive
    eaten: sb.Hole

    def __call__(self, t, y, args):
        eaten = self.eaten(y["hare"], y["lynx"])
        return {
            "hare": self.births * y["hare"] - eaten,
            "lynx": self.gain * eaten - self.deaths * y["lynx"],
        }


# %% Fit it. Numbers of animals scatter in proportion, so their noise is that of logarithms.
data = sb.load_dataset("lynx_hare")
model = LynxHare(
    sb.Positive(0.5), sb.Positive(0.8), sb.Positive(0.8),
    sb.Hole("hare lynx", "eaten", positive=True, increasing="hare lynx", key=jax.random.key(0)),
)  # fmt: skip
fit = sb.fit(model, data, noise=sb.fitting.LogNormal(), starts=2)
print(fit)

# %% What was learned is near the product of both numbers, and less where there are many hares.
with jax.enable_x64(True):  # the precision it was trained in
    seen = data[0].values
    eaten = np.array(
        [fit.holes["eaten"](*pair) for pair in zip(seen["hare"], seen["lynx"], strict=True)]
    )
product = seen["hare"] * seen["lynx"]
alike = np.corrcoef(np.log(eaten), np.log(product))[0, 1]
print(f"the hole and the product of both numbers go together: correlation {alike:.2f}")
assert alike > 0.8


# %% Write it all down, and look beyond the data.
lotka_volterra = Law(
    ("hare", "lynx"), ("eaten",), {"eaten": f"{np.median(eaten / product)}*hare*lynx"}
)
print("open", write_report(fit, "lynx_hare"))
plot_hole(fit, law=lotka_volterra).savefig("lynx_hare/hole.png", dpi=120)
plot_extrapolation(fit, 1940.0).savefig("lynx_hare/until_1940.png", dpi=120)
