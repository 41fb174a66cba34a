"""The boxes of a drawing: what is written in each, and how large that makes it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from snakebird import vvalues as vv
from snakebird.machines import Link, Machine, is_one, weight_text
from snakebird.neurons import Neuron

HEAD, ROW, PAD = 42.0, 17.0, 9.0


@dataclass
class Box:
    """A neuron's rectangle; the heights of its ports are measured from its top."""

    name: str
    title: str
    subtitle: str
    kind: str
    ins: dict[str, float]
    outs: dict[str, float]
    width: float
    height: float
    column: int = 0
    x: float = 0.0
    y: float = 0.0
    numbers: dict[str, str] = field(default_factory=dict)


def text_width(text: str, size: float) -> float:
    """About how wide a text is drawn; wide scripts count double."""
    return size * sum(
        1.0 if ord(char) > 0x2E80 else 0.3 if char in "il.,:'| " else 0.58 for char in text
    )


def shared_ones(machine: Machine) -> set[str]:
    """Constants that only give plain numbers: these are written at the inputs instead."""
    found = {name for name, neuron in machine.neurons.items() if is_one(neuron)}
    found -= {link.source[0] for link in machine.links if len(link.source) != 2}
    read = {link.source[0] for link in machine.links}
    carrier = {machine.matrix_from[0]} if machine.matrix_from else set()
    return (found & read) - set(machine.start) - carrier - {p[0] for p in machine.free_start}


def make_box(machine: Machine, name: str, incoming: list[Link], shared: set[str]) -> Box:
    """The box of a neuron: its ports, and the plain numbers that enter them."""
    neuron = machine.neurons[name]
    ins = list(neuron.type.inputs) + [k.input for k in incoming]
    given = neuron.type.outputs or ()
    used = [k.source[1] for k in machine.links if k.source[0] == name and len(k.source) > 1]
    outs = list(dict.fromkeys([*given, *used]))
    ins = list(dict.fromkeys(ins))
    rows = max(len(ins), len(outs), 1)
    subtitle = _subtitle(neuron)
    left = max((text_width(port, 11) for port in ins), default=0)
    right = max((text_width(port, 11) for port in outs), default=0)
    heads = [text_width(name, 14) + 24, text_width(subtitle, 11) + 24, left + right + 38, 84]
    heights = [HEAD + PAD + ROW * (k + 0.5) - 4 for k in range(rows)]
    numbers: dict[str, list[str]] = {}
    for link in incoming:
        if link.source[0] in shared:
            weight = weight_text(link)
            signed = weight if weight.startswith("-") else f"+{weight}"
            numbers.setdefault(link.input, []).append(signed)
    return Box(
        name,
        _short(name, 26),
        subtitle,
        _kind(machine, name),
        dict(zip(ins, heights, strict=False)),
        dict(zip(outs, heights, strict=False)),
        min(max(heads), 260.0),
        HEAD + PAD * 2 + ROW * rows - 4,
        numbers={port: " ".join(texts) for port, texts in numbers.items()},
    )


def _kind(machine: Machine, name: str) -> str:
    """What a neuron is in the machine, for its color."""
    neuron = machine.neurons[name]
    if machine.matrix_from is not None and machine.matrix_from[0] == name:
        return "matrix"
    if neuron.type.external:
        return "source"
    if neuron.type.name == "output":
        return "output"
    if any(link.to == name == link.source[0] for link in machine.links):
        return "memory"
    return "constant" if neuron.type.always_active else "plain"


def _subtitle(neuron: Neuron) -> str:
    kind, given = neuron.type, neuron.parameters
    if kind.name == "constant":
        return _short(vv.show(given["value"], limit=3), 30)
    if kind.external and given.get("tokens"):
        tokens = given["tokens"]
        return f"{kind.name}, {len(tokens)} token{'s' if len(tokens) > 1 else ''}"
    return kind.name


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def leaves_at(box: Box, link: Link) -> float:
    """How far below its top a link leaves a box: at its port, or beside the title for all."""
    return box.outs[link.source[1]] if len(link.source) > 1 else HEAD / 2


def label_of(links: Iterable[Link]) -> str:
    """What stands beside links: the parts of the stream they carry, and weights that are not 1."""
    texts = []
    for link in links:
        weight = weight_text(link)
        part = _short("".join(f"[{key}]" for key in link.source[2:]), 18)
        texts.append(" ".join(t for t in (weight if weight != "1" else "", part) if t) or "1")
    return "" if texts == ["1"] else _short(", ".join(texts), 30)


def chip_width(text: str) -> float:
    """How wide the number at an input is drawn, its margin included."""
    return text_width(text, 11) + 14
