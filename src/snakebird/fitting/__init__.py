"""Data, and one training loop for everything that is learned from them."""

from snakebird.fitting._datasets import load_dataset as load_dataset
from snakebird.fitting._ensemble import Ensemble as Ensemble, ensemble as ensemble
from snakebird.fitting._experiment import Experiment as Experiment
from snakebird.fitting._fit import fit as fit, fit_many as fit_many
from snakebird.fitting._identify import (
    Statement as Statement,
    identifiability as identifiability,
)
from snakebird.fitting._noise import (
    Gaussian as Gaussian,
    LogNormal as LogNormal,
    NegativeBinomial as NegativeBinomial,
    Noise as Noise,
    Poisson as Poisson,
    Relative as Relative,
)
from snakebird.fitting._profile import Profile as Profile, profile as profile
from snakebird.fitting._result import Fit as Fit
from snakebird.fitting._split import (
    hold_out as hold_out,
    split_by_experiment as split_by_experiment,
    split_in_time as split_in_time,
)
from snakebird.fitting._train import Step as Step
from snakebird.fitting._trajectories import Padded as Padded, Trajectories as Trajectories
from snakebird.fitting._uncertainty import (
    Bands as Bands,
    Posterior as Posterior,
    laplace as laplace,
)
