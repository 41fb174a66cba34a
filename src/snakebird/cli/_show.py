"""`snakebird show`, `check` and `list`: machines and neuron types in words and pictures."""

import inspect
from pathlib import Path

from snakebird.errors import GrowthError, InputError
from snakebird.lowering import Lowered, lower
from snakebird.machines import Machine, explain, load, table, to_source
from snakebird.neurons import REGISTRY, find


def show(path: Path, *, links: bool, diagram: Path | None) -> int:
    """Print a machine, or draw it."""
    machine = load(path)
    if diagram is not None:
        draw(machine, diagram)
        print(f"wrote {diagram}")
    if links:
        print(table(machine))
    elif diagram is None:
        print(to_source(machine).rstrip())
    return 0


def draw(machine: Machine, path: Path) -> None:
    """Draw a machine into a file, .svg or .mmd; raises `InputError` for another suffix."""
    from snakebird.report import to_mermaid, to_svg

    drawers = {".svg": to_svg, ".mmd": to_mermaid}
    if path.suffix.lower() not in drawers:
        raise InputError(
            f"the suffix {path.suffix!r} says no format", f"--diagram {path}",
            "name the file .svg or .mmd",
        )  # fmt: skip
    try:
        path.write_text(drawers[path.suffix.lower()](machine), "utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write the file: {error.strerror}", f"--diagram {path}", "give another file"
        ) from None


def check(path: Path) -> int:
    """Validate a machine, explain it, and say into what it compiles."""
    machine = load(path)
    print(explain(machine))
    print()
    try:
        print(lowered_text(lower(machine, record="all")))
    except GrowthError as error:
        print(f"compiled: {error.what}; snakebird run makes room by itself as it runs")
    print("this machine is sound")
    return 0


def lowered_text(low: Lowered) -> str:
    """Kinds, blocks and widths of a lowered machine."""
    plan = low.plan
    lines = [f"compiled: {len(plan.kinds)} kinds of neurons, {len(plan.blocks)} blocks of streams"]
    for kind in plan.kinds:
        names = ", ".join(kind.names[:6]) + (", ..." if len(kind.names) > 6 else "")
        type_ = plan.template.neurons[kind.names[0]].type.name
        lines.append(
            f"  {len(kind.names)} x {type_}: {kind.inputs.size} numbers in, "
            f"{kind.outputs.size} out ({names})"
        )
    for k, block in enumerate(plan.blocks, 1):
        width = block.space.size
        lines.append(
            f"  block {k}: {block.outputs} outputs and {block.inputs} inputs, {width} wide"
        )
    return "\n".join(lines)


def list_neurons(name: str | None) -> int:
    """Print all neuron types, or all about one."""
    if name is not None:
        kind = find(name)
        print(kind.signature)
        print()
        print(inspect.cleandoc(kind.__doc__ or "Nothing is written about it."))
        return 0
    width = max(map(len, REGISTRY))
    for key in sorted(REGISTRY):
        text = inspect.cleandoc(REGISTRY[key].__doc__ or "")
        print(f"{key:<{width}}  {text.splitlines()[0] if text else ''}".rstrip())
    return 0
