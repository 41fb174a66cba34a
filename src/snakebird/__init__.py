"""Differentiable programs a person can read.

The root is lazy: a name is looked up in its room when it is first used, so that importing the
package, or asking the command for help, does not import JAX.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

# Public name -> the room that exports it. One line a name, sorted; `sb.testing` and the other
# rooms are found by themselves.
_EXPORTS: dict[str, str] = {
    "Bounded": "equations",
    "Builder": "machines",
    "Delayed": "equations",
    "Diffrax": "equations",
    "Doses": "equations",
    "Editor": "machines",
    "Examples": "synthesis",
    "Experiment": "fitting",
    "Explicit": "equations",
    "Failure": "equations",
    "Fit": "fitting",
    "Fixed": "equations",
    "Forcing": "equations",
    "Found": "synthesis",
    "Free": "equations",
    "Gaussian": "fitting",
    "Grid": "equations",
    "Hole": "equations",
    "IndexOne": "equations",
    "Integers": "synthesis",
    "Law": "synthesis",
    "Laws": "synthesis",
    "Layers": "synthesis",
    "Link": "machines",
    "LogNormal": "fitting",
    "Lowered": "lowering",
    "Machine": "machines",
    "MachineModel": "equations",
    "NegativeBinomial": "fitting",
    "Network": "equations",
    "Neuron": "neurons",
    "NeuronType": "neurons",
    "Node": "machines",
    "Noise": "fitting",
    "Numbers": "machines",
    "OneOf": "synthesis",
    "Poisson": "fitting",
    "Polynomial": "equations",
    "Positive": "equations",
    "Proof": "synthesis",
    "RadialBasis": "equations",
    "Reals": "synthesis",
    "Recurrent": "synthesis",
    "Relative": "fitting",
    "Run": "machines",
    "Runner": "running",
    "Solution": "equations",
    "Space": "vvalues",
    "Split": "equations",
    "Stepwise": "synthesis",
    "Stream": "machines",
    "Superfluid": "synthesis",
    "TokenDraw": "synthesis",
    "Tokens": "machines",
    "Trace": "lowering",
    "Trajectories": "fitting",
    "absolute": "neurons",
    "accumulate": "machines",
    "accumulator": "neurons",
    "add_update": "neurons",
    "allocate_update": "neurons",
    "array_source": "neurons",
    "as_neuron": "lowering",
    "call_neuron": "neurons",
    "carries_matrix": "machines",
    "choose_solver": "equations",
    "clip": "neurons",
    "clone": "machines",
    "clone_update": "neurons",
    "compare": "neurons",
    "cons": "neurons",
    "constant": "neurons",
    "cosine": "neurons",
    "csv_source": "neurons",
    "delay": "neurons",
    "discover": "synthesis",
    "discover_many": "synthesis",
    "dropout": "neurons",
    "ensemble": "fitting",
    "erase_update": "neurons",
    "fit": "fitting",
    "fit_many": "fitting",
    "fixed": "machines",
    "gate": "neurons",
    "guard": "neurons",
    "hold_out": "fitting",
    "identifiability": "fitting",
    "identity": "neurons",
    "image_blur": "neurons",
    "image_shift": "neurons",
    "image_turn": "neurons",
    "image_wave": "neurons",
    "inner": "neurons",
    "insert": "machines",
    "insert_update": "neurons",
    "instant": "machines",
    "laplace": "fitting",
    "leaky_accumulator": "neurons",
    "less_or_equal": "neurons",
    "lift": "lowering",
    "linked_source": "neurons",
    "load": "machines",
    "load_dataset": "fitting",
    "lower": "lowering",
    "machine": "machines",
    "machine_neuron": "lowering",
    "mask_sum": "neurons",
    "matrix_product": "neurons",
    "max_norm": "neurons",
    "maximum": "neurons",
    "memory": "neurons",
    "minimum": "neurons",
    "motives": "machines",
    "move_update": "neurons",
    "neuron": "neurons",
    "noise": "neurons",
    "outer": "neurons",
    "output": "neurons",
    "product": "neurons",
    "profile": "fitting",
    "prove": "synthesis",
    "queue": "neurons",
    "read_hole": "synthesis",
    "reciprocal": "neurons",
    "relu": "neurons",
    "repair": "synthesis",
    "run": "machines",
    "sample": "neurons",
    "save": "machines",
    "set_update": "neurons",
    "sigmoid": "neurons",
    "sine": "neurons",
    "softmax": "neurons",
    "solve": "equations",
    "solve_delayed": "equations",
    "solve_neuron": "equations",
    "solve_random": "equations",
    "solve_until": "equations",
    "source": "neurons",
    "split_by_experiment": "fitting",
    "split_in_time": "fitting",
    "stack": "neurons",
    "step": "neurons",
    "stochastic_sum": "neurons",
    "superfluid": "neurons",
    "superfluid_hole": "equations",
    "superfluid_machine": "equations",
    "synthesize": "synthesis",
    "tanh": "neurons",
    "timer": "neurons",
    "to_python": "synthesis",
    "to_source": "machines",
    "token_source": "neurons",
    "total": "neurons",
    "trace": "machines",
    "trainable": "neurons",
    "verify": "synthesis",
}


def __getattr__(name: str) -> _Any:
    if name == "__version__":
        from importlib.metadata import version

        value = version("snakebird")
    elif name in _EXPORTS:
        value = getattr(_import_module(f"snakebird.{_EXPORTS[name]}"), name)
    elif name in _rooms():
        value = _import_module(f"snakebird.{name}")
    else:
        raise AttributeError(_unknown(name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({"__version__", "__doc__", *_EXPORTS, *_rooms()})


def _rooms() -> set[str]:
    from pkgutil import iter_modules

    return {room.name for room in iter_modules(__path__) if not room.name.startswith("_")}


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    message = f"snakebird has no `{name}`"
    if near := get_close_matches(name, __dir__(), n=3):
        message += "; did you mean " + " or ".join(f"`sb.{known}`" for known in near) + "?"
    return message
