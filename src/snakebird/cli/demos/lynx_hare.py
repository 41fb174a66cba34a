"""Hares and lynxes in Canada, 1900 to 1920: how many hares are eaten, given how many of each?

Hares multiply and lynxes die at rates that are trained. What is eaten is a hole. Numbers are in
thousands of pelts, time is in years.
"""

import equinox as eqx
import jax

import snakebird as sb


class LynxHare(eqx.Module):
    """Hares that multiply and are eaten, lynxes that eat and die."""

    births: sb.Positive
    deaths: sb.Positive
    gain: sb.Positive
    eaten: sb.Hole

    def __call__(self, t, y, args):
        """Rates of change a year."""
        eaten = self.eaten(y["hare"], y["lynx"])
        return {
            "hare": self.births * y["hare"] - eaten,
            "lynx": self.gain * eaten - self.deaths * y["lynx"],
        }


eaten = sb.Hole("hare lynx", "eaten", positive=True, increasing="hare lynx", key=jax.random.key(0))
model = LynxHare(sb.Positive(0.5), sb.Positive(0.8), sb.Positive(0.8), eaten)
data = sb.load_dataset("lynx_hare")
options = {"noise": sb.fitting.LogNormal()}  # counts of animals scatter in proportion
