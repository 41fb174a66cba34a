"""A part of an equation that is not known: named numbers in, named numbers out, trained."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.equations._parameters import Fixed
from snakebird.errors import EquationError, UnknownNameError, suggest


class Scaling(eqx.Module):
    """What a hole's inputs and outputs are measured in, so that its model sees numbers near one."""

    center: Any
    width: Any
    size: Any


class Hole(eqx.Module):
    """An unknown function of named inputs, learned from data.

    `inputs` and `outputs` are names, or one string of them with spaces between. Called with one
    number an input, it gives one number where it has one output and an array of shape [outputs]
    otherwise; called with arrays, such as fields on a grid, it works entry by entry.

    `model` is any callable from an array of shape [inputs] to one of shape [outputs]; by default a
    small tanh network drawn with `key`. `positive` keeps all outputs above zero; `conserved` makes
    them sum to zero, so that what one loses another gains; `increasing` and `decreasing` name
    inputs in which every output is monotone (for the default model).

    One hole used in several equations is shared between them.

    >>> import jax
    >>> hole = Hole("x y", "rate", key=jax.random.key(0))
    >>> hole(1.0, 2.0).shape
    ()
    """

    model: Any
    scaling: Fixed
    inputs: tuple[str, ...] = eqx.field(static=True)
    outputs: tuple[str, ...] = eqx.field(static=True)
    positive: bool = eqx.field(static=True)
    conserved: bool = eqx.field(static=True)

    def __init__(
        self,
        inputs: str | Sequence[str],
        outputs: str | Sequence[str],
        model: Callable[[Any], Any] | None = None,
        *,
        positive: bool = False,
        conserved: bool = False,
        increasing: str | Sequence[str] = (),
        decreasing: str | Sequence[str] = (),
        key: PRNGKeyArray | None = None,
    ):
        self.inputs, self.outputs = _names(inputs, "inputs"), _names(outputs, "outputs")
        self.positive, self.conserved = positive, conserved
        signs = _signs(self.inputs, _names(increasing), _names(decreasing))
        if isinstance(model, type):
            raise EquationError(
                f"the model is the class {model.__name__}, not one of its instances",
                f"Hole({' '.join(self.inputs)!r}, ...)",
                f"call it: {model.__name__}(...)",
            )
        if conserved and len(self.outputs) < 2:
            raise EquationError(
                f"one output, {', '.join(self.outputs)!r}, cannot be conserved",
                f"Hole({' '.join(self.inputs)!r}, ...)",
                "name two outputs or more, or drop conserved=True",
            )
        if model is not None and any(signs):
            raise EquationError(
                "increasing= and decreasing= belong to the default model",
                f"Hole({' '.join(self.inputs)!r}, ...)",
                "leave out model=, or build the sign into your model",
            )
        if model is None:
            key = jax.random.key(0) if key is None else key
            model = Network.drawn(len(self.inputs), self.free_outputs, key, signs=signs)
        self.model = model
        self.scaling = Fixed(_unscaled(len(self.inputs), len(self.outputs)))

    @property
    def free_outputs(self) -> int:
        """How many numbers the model gives: one less where the outputs sum to zero."""
        return len(self.outputs) - self.conserved

    def __call__(self, *values: Any) -> Any:
        if len(values) != len(self.inputs):
            raise EquationError(
                f"{len(values)} values for {len(self.inputs)} inputs",
                f"hole of {', '.join(self.inputs)}",
                f"call it as hole({', '.join(self.inputs)})",
            )
        given = jnp.broadcast_arrays(*(jnp.asarray(value) for value in values))
        out = self.many(jnp.stack(given, axis=-1))
        return out[..., 0] if len(self.outputs) == 1 else jnp.moveaxis(out, -1, 0)

    def many(self, x: Float[Array, "*points inputs"]) -> Any:
        """All inputs as one array, `[..., inputs]`; all outputs as one, `[..., outputs]`."""
        flat = x.reshape(-1, x.shape[-1])
        return jax.vmap(self.array)(flat).reshape(*x.shape[:-1], len(self.outputs))

    def array(self, x: Float[Array, " inputs"]) -> Any:
        """All inputs of one point as one array, all outputs as one."""
        model, scaling = _representable((self.model, self.scaling))
        scaling = scaling.value if isinstance(scaling, Fixed) else scaling
        out = jnp.asarray(model((x - scaling.center) / scaling.width))
        if out.shape == ():
            out = out[None]
        if out.shape != (self.free_outputs,):
            raise EquationError(
                f"the model gives an array of shape {out.shape}",
                f"hole of {', '.join(self.inputs)}",
                f"it should give ({self.free_outputs},): {', '.join(self.outputs)}",
            )
        if self.positive:
            out = jax.nn.softplus(out)
        if self.conserved:
            out = jnp.concatenate([out, -jnp.sum(out, keepdims=True)])
        return out * scaling.size

    def with_model(self, model: Any) -> "Hole":
        """The same hole with another model, which sees the inputs as they are and may be negative.

        The outputs still sum to zero where they did.
        """
        plain = Fixed(_unscaled(len(self.inputs), len(self.outputs)))
        new = object.__new__(Hole)
        for name, value in (*vars(self).items(), ("model", model), ("scaling", plain)):
            object.__setattr__(new, name, False if name == "positive" else value)
        return new

    def scaled(self, center: Any, width: Any, size: Any) -> "Hole":
        """The same hole, its model measuring inputs and outputs in these units."""
        given = Fixed(Scaling(*(jnp.asarray(x, float) for x in (center, width, size))))
        return eqx.tree_at(lambda h: h.scaling, self, given)


class Network(eqx.Module):
    """A tanh network. Along inputs with a sign, all weights have signs, so the output is monotone.

    (J. Sill, Monotonic networks, NeurIPS 1997.)

    >>> Network.drawn(2, 1, jax.random.key(0), width=4)(jnp.ones(2)).shape
    (1,)
    """

    weights: list[Array]
    biases: list[Array]
    signs: tuple[int, ...] = eqx.field(static=True)

    @staticmethod
    def drawn(
        inputs: int,
        outputs: int,
        key: PRNGKeyArray,
        *,
        width: int = 8,
        depth: int = 2,
        signs: Sequence[int] = (),
    ) -> "Network":
        """A network with `depth` hidden layers of `width`, drawn at random."""
        sizes = (inputs, *[width] * depth, outputs)
        pairs = list(pairwise(sizes))
        rng = generator(key)
        weights = [rng.standard_normal((b, a)) / np.sqrt(a) for a, b in pairs]
        weights[-1] = 0.3 * weights[-1]
        biases = [np.zeros(b) for _, b in pairs]
        as_jax = lambda arrays: [jnp.asarray(x, float) for x in arrays]
        return Network(as_jax(weights), as_jax(biases), tuple(signs))

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        signed = any(self.signs)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if signed:
                weight = _with_signs(weight, self.signs if layer == 0 else ())
            x = weight @ x + bias
            if layer < len(self.weights) - 1:
                x = jnp.tanh(x)
        return x


class Polynomial(eqx.Module):
    """All monomials to a degree, each output a sum of them with trained coefficients.

    >>> Polynomial(2, 1, degree=3)(jnp.ones(2)).shape
    (1,)
    """

    coefficients: Float[Array, "outputs terms"]
    powers: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(self, inputs: int, outputs: int, degree: int):
        self.powers = tuple(
            power for power in np.ndindex(*[degree + 1] * inputs) if sum(power) <= degree
        )
        self.coefficients = jnp.zeros((outputs, len(self.powers)))

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        powers = jnp.array(self.powers)
        terms = jnp.prod(jnp.where(powers == 0, 1.0, x ** jnp.maximum(powers, 1)), axis=1)
        return self.coefficients @ terms


class RadialBasis(eqx.Module):
    """A sum of Gaussian bumps on a grid over [-2, 2] in each (scaled) input, heights trained.

    >>> RadialBasis(1, 1, bumps=5)(jnp.ones(1)).shape
    (1,)
    """

    heights: Float[Array, "outputs bumps"]
    centers: Fixed
    width: float = eqx.field(static=True)

    def __init__(self, inputs: int, outputs: int, *, bumps: int = 5):
        line = np.linspace(-2, 2, bumps)
        grid = np.stack(np.meshgrid(*[line] * inputs, indexing="ij"), -1).reshape(-1, inputs)
        self.centers, self.width = Fixed(jnp.asarray(grid)), float(4 / (bumps - 1))
        self.heights = jnp.zeros((outputs, len(grid)))

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        far = jnp.sum(((x - jnp.asarray(self.centers)) / self.width) ** 2, axis=-1)
        return self.heights @ jnp.exp(-far / 2)


def is_hole(x: Any) -> bool:
    """Whether this is a hole, for walks over a model."""
    return isinstance(x, Hole)


def holes(model: Any) -> dict[str, Hole]:
    """The holes of a model by the path to each, `.unknown` written `unknown`."""
    leaves = jax.tree_util.tree_flatten_with_path(model, is_leaf=is_hole)[0]
    return {jax.tree_util.keystr(path).lstrip("."): leaf for path, leaf in leaves if is_hole(leaf)}


def with_holes(model: Any, change: Callable[[str, Hole], Hole]) -> Any:
    """The model with every hole changed."""
    return jax.tree_util.tree_map_with_path(
        lambda path, x: change(jax.tree_util.keystr(path).lstrip("."), x) if is_hole(x) else x,
        model,
        is_leaf=is_hole,
    )


def redrawn(hole: Hole, key: PRNGKeyArray) -> Hole:
    """The hole with its weights drawn anew: matrices by their number of inputs, the rest small."""
    leaves, tree = jax.tree.flatten(hole.model, is_leaf=lambda x: isinstance(x, Fixed))
    rng = generator(key)

    def draw(x: Any) -> Any:
        if not eqx.is_inexact_array(x):
            return x
        spread = 1 / np.sqrt(x.shape[-1]) if x.ndim >= 2 else 0.1
        return jnp.asarray(spread * rng.standard_normal(x.shape), x.dtype)

    model = jax.tree.unflatten(tree, [draw(x) for x in leaves])
    return eqx.tree_at(lambda h: h.model, hole, model)


def generator(key: PRNGKeyArray) -> np.random.Generator:
    """NumPy's random numbers from a key: JAX would compile each shape that is drawn."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _representable(tree: Any) -> Any:
    """A tree without double numbers where JAX does not have them, as after a fit."""
    if jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        return tree

    def single(x: Any) -> Any:
        double = getattr(x, "dtype", None) == np.float64
        return jax.lax.convert_element_type(x, np.float32) if double else x

    return jax.tree.map(single, tree)


def _unscaled(inputs: int, outputs: int) -> Scaling:
    ones = lambda n: jnp.asarray(np.ones(n), float)
    return Scaling(jnp.asarray(np.zeros(inputs), float), ones(inputs), ones(outputs))


def _with_signs(weight: Array, signs: Sequence[int]) -> Array:
    if not signs:
        return jnp.abs(weight)
    row = jnp.array(signs)
    return jnp.where(row == 0, weight, row * jnp.abs(weight))


def _signs(inputs: Sequence[str], up: Sequence[str], down: Sequence[str]) -> tuple[int, ...]:
    for name in (*up, *down):
        if name not in inputs:
            raise UnknownNameError(f"no input is called {name!r}", "Hole", suggest(name, inputs))
    return tuple(int(name in up) - int(name in down) for name in inputs)


def _names(names: str | Sequence[str], what: str = "") -> tuple[str, ...]:
    found = tuple(names.split()) if isinstance(names, str) else tuple(names)
    if what and (not found or len(set(found)) < len(found)):
        raise EquationError(
            f"the {what} are {', '.join(found) or 'none'}", "Hole", "give each a name of its own"
        )
    return found
