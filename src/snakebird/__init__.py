"""Differentiable programs a person can read.

The root is lazy: a name is looked up in its room when it is first used, so that importing the
package, or asking the command for help, does not import JAX.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

# Words of every day -> the room that exports each. One line a name, sorted: the neurons, which
# programs are written in, and about forty more. All else is in its room, as `sb.fitting.Noise`.
_EXPORTS: dict[str, str] = {
    "Bounded": "equations",
    "Builder": "machines",
    "Examples": "synthesis",
    "Fixed": "equations",
    "Free": "equations",
    "Grid": "equations",
    "Hole": "equations",
    "Layers": "synthesis",
    "Link": "machines",
    "Machine": "machines",
    "Neuron": "neurons",
    "NeuronType": "neurons",
    "Numbers": "machines",
    "Polynomial": "equations",
    "Positive": "equations",
    "Runner": "running",
    "Space": "vvalues",
    "Stepwise": "synthesis",
    "Tokens": "machines",
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
    "clip": "neurons",
    "clone_update": "neurons",
    "compare": "neurons",
    "cons": "neurons",
    "constant": "neurons",
    "cosine": "neurons",
    "csv_source": "neurons",
    "delay": "neurons",
    "discover": "synthesis",
    "dropout": "neurons",
    "erase_update": "neurons",
    "fit": "fitting",
    "fixed": "machines",
    "gate": "neurons",
    "guard": "neurons",
    "identity": "neurons",
    "image_blur": "neurons",
    "image_shift": "neurons",
    "image_turn": "neurons",
    "image_wave": "neurons",
    "inner": "neurons",
    "insert_update": "neurons",
    "instant": "machines",
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
    "move_update": "neurons",
    "neuron": "neurons",
    "noise": "neurons",
    "outer": "neurons",
    "output": "neurons",
    "product": "neurons",
    "prove": "synthesis",
    "queue": "neurons",
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
    "solve_neuron": "equations",
    "source": "neurons",
    "stack": "neurons",
    "step": "neurons",
    "stochastic_sum": "neurons",
    "superfluid": "neurons",
    "synthesize": "synthesis",
    "tanh": "neurons",
    "timer": "neurons",
    "to_python": "synthesis",
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
    rooms = () if name.startswith("_") else sorted({*_EXPORTS.values()})
    homes = [room for room in rooms if hasattr(_import_module(f"snakebird.{room}"), name)]
    if homes:
        return f"{message} at the top; it is `sb.{homes[0]}.{name}`"
    if near := get_close_matches(name, __dir__(), n=3):
        message += "; did you mean " + " or ".join(f"`sb.{known}`" for known in near) + "?"
    return message
