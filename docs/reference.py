"""Writes docs/reference, a page a room, from the docstrings: `python docs/reference.py`.

The source is read, not run, so that pages do not depend on what is installed. With `--check`
nothing is written; pages that are not what they would be are named, with exit code 1.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "snakebird"
PAGES = DOCS / "reference"

ROOMS = {
    "vvalues": "V-values: vectors whose coordinates are named by paths.",
    "neurons": "What a neuron is, and the catalogue.",
    "machines": "Networks as data, how they are built, and the readable engine.",
    "machines.motives": "Known parts of networks, ready to be used in machines.",
    "lowering": "From machines to flat arrays, and back.",
    "running": "A machine that stays alive.",
    "equations": "Differential equations with holes and parameters.",
    "fitting": "Data, training, noise, and how sure a fit is.",
    "synthesis": "From trained to readable: laws of holes, programs from examples.",
    "synthesis.laws": "Libraries of terms, and what else there is for laws.",
    "meta": "Learning to learn.",
    "meta.tasks": "Families of tasks.",
    "meta.rules": "Learning rules.",
    "meta.oracles": "The best that can be done, to compare rules with.",
    "report": "Everything drawn.",
    "testing": "Checks for parts of your own.",
    "errors": "Everything that is raised.",
}
"""The modules that have a page, with what they are about."""

WHOLE = {"vvalues", "machines.motives", "synthesis.laws", "meta", "meta.tasks", "meta.rules"}
WHOLE |= {"meta.oracles", "report", "testing", "errors"}
"""Modules whose public names are all documented; of the others, those that `snakebird` exports."""

IN_ROOMS = {
    "equations": """
        choose_solver Delayed Diffrax Doses Explicit Failure Forcing IndexOne
        MachineModel Network Parameter RadialBasis Solution solve_delayed solve_random
        solve_until Split superfluid_hole superfluid_machine
    """,
    "fitting": """
        Bands Ensemble ensemble Experiment Fit fit_many Gaussian hold_out
        identifiability laplace LogNormal NegativeBinomial Noise Poisson Posterior
        profile Profile Relative split_by_experiment split_in_time Statement Step
    """,
    "running": """
        Record
    """,
    "machines": """
        clone Editor explain from_json insert Node Run Stream table Tick to_json
        to_source
    """,
    "neurons": """
        find
    """,
    "synthesis": """
        discover_many Found Integers Law Laws Method OneOf Proof read_hole Reals Recurrent
        Superfluid Task TokenDraw
    """,
    "lowering": """
        Lowered Trace
    """,
}
"""Names of the others that users find in the room alone."""

ELSEWHERE = {"meta.oracles": "meta._oracles"}
"""Modules that users know by another name."""

WIDTH = 88
Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.Module


@dataclass(frozen=True)
class Entry:
    """A public name: how it is written, where it is defined, and by what."""

    shown: str
    module: str
    node: Definition

    @property
    def name(self) -> str:
        """The last part of what is written."""
        return self.shown.rpartition(".")[2]

    @property
    def called(self) -> bool:
        """Whether a user calls it: a function, or a class that is not an error."""
        kinds = (ast.FunctionDef, ast.ClassDef)
        return isinstance(self.node, kinds) and not self.name.endswith("Error")

    @property
    def doc(self) -> str:
        """The docstring; of an assignment, the text below it, which the reader has found."""
        return docstring(self.module, self.node)


def main() -> int:
    """Write the pages, or check them; the exit code."""
    pages = render()
    old = {path.name: path.read_text("utf-8") for path in PAGES.glob("*.md")}
    stale = sorted(name for name in pages.keys() | old.keys() if pages.get(name) != old.get(name))
    if "--check" in sys.argv:
        sys.stderr.writelines(f"docs/reference/{name} is stale\n" for name in stale)
        return int(bool(stale))
    PAGES.mkdir(exist_ok=True)
    for name in stale:
        if name in pages:
            (PAGES / name).write_text(pages[name], "utf-8")
        else:
            (PAGES / name).unlink()
    return 0


def render() -> dict[str, str]:
    """Every page by its file name, the index among them."""
    pages = {f"{room}.md": "\n".join(page(room)) + "\n" for room in ROOMS}
    return {"README.md": "\n".join(index()) + "\n", **pages}


def index() -> Iterator[str]:
    """The lines of the first page: rooms and their names."""
    yield "# Reference"
    yield ""
    yield "Written from the docstrings by `python docs/reference.py`; do not edit these pages."
    for room, about in ROOMS.items():
        found = entries(room)
        marks = anchors(found)
        pairs = zip(found, marks, strict=True)
        names = [f"[`{entry.name}`]({room}.md#{mark})" for entry, mark in pairs]
        yield ""
        yield f"**[{room}]({room}.md)**: {about}"
        yield ", ".join(names)


def page(room: str) -> Iterator[str]:
    """The lines of the page of a room."""
    yield f"# {room}"
    yield ""
    yield ROOMS[room]
    yield ""
    yield "Written from the docstrings by `python docs/reference.py`; do not edit this page."
    for entry in entries(room):
        yield ""
        yield from section(entry)


def section(entry: Entry) -> Iterator[str]:
    """The lines about one name."""
    source = path_of(entry.module).relative_to(DOCS.parent).as_posix()
    yield f"## {entry.shown}"
    yield ""
    for text in signatures(entry):
        yield from ("```text", text, "```", "")
    yield from body(entry.doc)
    if isinstance(entry.node, ast.ClassDef):
        yield from members(entry.node)
    yield ""
    yield f"[{Path(source).name}](../../{source})"


def anchors(found: list[Entry]) -> list[str]:
    """Where headings of names can be jumped to; of equal ones the later have a number."""
    plain = [re.sub(r"[^\w-]", "", entry.shown.lower()) for entry in found]
    return [f"{a}-{plain[:k].count(a)}" if a in plain[:k] else a for k, a in enumerate(plain)]


# Names and where they are defined.


def entries(room: str) -> list[Entry]:
    """The public names of a room, in the order of the alphabet."""
    exported = root_exports()
    home = f"snakebird.{ELSEWHERE.get(room, room)}"
    found = []
    for name in sorted(public(home), key=lambda name: (name.lower(), name)):
        module, node = resolve(home, name)
        if isinstance(node, ast.Module):
            continue
        if exported.get(name) == room:
            found.append(Entry(f"sb.{name}", module, node))
        elif name in names_in(room) or (
            room in WHOLE and name not in exported and name not in names_in(room.partition(".")[0])
        ):
            found.append(Entry(f"sb.{room}.{name}", module, node))
    return found


def names_in(room: str) -> list[str]:
    """What is documented on the page of a room that is not whole, beside exports."""
    return IN_ROOMS.get(room, "").split()


def root_exports() -> dict[str, str]:
    """Public name -> room, as the table in the package's `__init__` has it."""
    for node in tree("snakebird").body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_EXPORTS":
            assert node.value is not None
            return ast.literal_eval(node.value)
    raise LookupError("the package's __init__ has no table of exports")


def public(module: str) -> list[str]:
    """What a module offers: what it imports as itself, or defines."""
    names = []
    for node in statements(tree(module)):
        if isinstance(node, ast.ImportFrom):
            names += [a.asname for a in node.names if a.asname in (a.name, a.name.lstrip("_"))]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign) and is_neuron(node):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in dict.fromkeys(names) if name and not name.startswith("_")]


def resolve(module: str, name: str) -> tuple[str, Definition]:
    """The module that defines a name, and its definition; follows imports."""
    for node in reversed(list(statements(tree(module)))):  # overloads come before what they are of
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return imported(node.module or "", alias.name)
        elif (
            (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
            or (
                isinstance(node, ast.Assign)
                and name in [getattr(t, "id", "") for t in node.targets]
            )
            or (isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name)
        ):
            return module, node
    raise LookupError(f"{module} has no {name}")


def imported(module: str, name: str) -> tuple[str, Definition]:
    """What `from module import name` gives, which may be a module itself."""
    inner = f"{module}.{name}"
    return (inner, tree(inner)) if path_of(inner).exists() else resolve(module, name)


def statements(module: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module, also those below `if TYPE_CHECKING`."""
    for node in module.body:
        yield from node.body if isinstance(node, ast.If) else (node,)


def is_neuron(node: ast.Assign) -> bool:
    """Whether a public name is assigned what a function of neurons gives."""
    return isinstance(node.value, ast.Call)


def path_of(module: str) -> Path:
    """The file of a module; one that does not exist for what is none."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree(module: str) -> ast.Module:
    """The parsed source of a module."""
    return ast.parse(path_of(module).read_text("utf-8"))


# Docstrings and signatures.


def docstring(module: str, node: Definition) -> str:
    """The docstring of a definition, or the text that stands below an assignment."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return ast.get_docstring(node) or ""
    body = list(statements(tree(module)))
    after = body[body.index(node) + 1 :][:1]
    for text in after:
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            return str(text.value.value)
    return ""


def body(doc: str) -> Iterator[str]:
    """A docstring as Markdown: examples in fences, the rest as it is."""
    inside = False
    for line in doc.splitlines():
        starts = line.lstrip().startswith(">>>")
        if starts and not inside:
            yield "```text"
            inside = True
        elif inside and not line.strip():
            yield "```"
            inside = False
        yield line.rstrip()
    if inside:
        yield "```"


def signatures(entry: Entry) -> Iterator[str]:
    """How a name is called, with overloads; nothing for what is not called."""
    node = entry.node
    if isinstance(node, ast.FunctionDef):
        yield signature(node.name, node)
    elif isinstance(node, ast.ClassDef):
        yield constructor(entry.module, node)


def signature(name: str, node: ast.FunctionDef, bound: bool = False) -> str:
    """A function's arguments and what it returns, on one line or one argument a line."""
    shown = arguments(node.args)[int(bound) :]
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return wrapped(name, shown, gives)


def wrapped(name: str, shown: list[str], gives: str = "") -> str:
    """A call on one line if it fits there."""
    line = f"{name}({', '.join(shown)}){gives}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in shown), f"){gives}"])


def arguments(given: ast.arguments) -> list[str]:
    """The arguments of a function as texts, with `/` and `*` where they stand."""
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    shown = [argument(a, d) for a, d in zip(plain, defaults, strict=True)]
    if given.posonlyargs:
        shown.insert(len(given.posonlyargs), "/")
    if given.vararg:
        shown.append("*" + argument(given.vararg, None))
    elif given.kwonlyargs:
        shown.append("*")
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    shown += [argument(a, d) for a, d in pairs]
    return shown + (["**" + argument(given.kwarg, None)] if given.kwarg else [])


def argument(given: ast.arg, default: ast.expr | None) -> str:
    """One argument with its type and default."""
    kind = f": {ast.unparse(given.annotation)}" if given.annotation else ""
    if default is None:
        return given.arg + kind
    return (
        f"{given.arg}{kind} = {ast.unparse(default)}"
        if kind
        else (f"{given.arg}={ast.unparse(default)}")
    )


def constructor(module: str, node: ast.ClassDef) -> str:
    """How an instance of a class is made: by its `__init__`, or by its fields."""
    if (init := own_or_inherited(module, node)) is not None:
        return wrapped(node.name, arguments(init.args)[1:])
    return wrapped(node.name, fields(module, node))


def own_or_inherited(module: str, node: ast.ClassDef) -> ast.FunctionDef | None:
    """The `__init__` of a class or of the nearest of its bases that has one."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return item
    found = (own_or_inherited(*base) for base in bases(module, node))
    return next((init for init in found if init is not None), None)


def bases(module: str, node: ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef]]:
    """The bases of a class that are of this package."""
    for base in node.bases:
        try:
            home, above = resolve(module, ast.unparse(base))
        except (LookupError, FileNotFoundError):
            continue
        if isinstance(above, ast.ClassDef):
            yield home, above


def fields(module: str, node: ast.ClassDef) -> list[str]:
    """The fields of a dataclass or a module of Equinox, those of its bases first."""
    found: dict[str, str] = {}
    for base in bases(module, node):
        found |= {text.split(":")[0]: text for text in fields(*base)}
    for item in node.body:
        if isinstance(item, ast.AnnAssign):
            found[ast.unparse(item.target)] = field(item)
    return [text for text in found.values() if text]


def field(item: ast.AnnAssign) -> str:
    """A field as an argument; nothing for one that is not given."""
    kind = ast.unparse(item.annotation)
    name = ast.unparse(item.target)
    if name.startswith("_") or "ClassVar" in kind or "AbstractVar" in kind:
        return ""
    default = item.value
    if isinstance(default, ast.Call) and ast.unparse(default.func).endswith("field"):
        given = {word.arg: word.value for word in default.keywords}
        if isinstance(off := given.get("init"), ast.Constant) and off.value is False:
            return ""
        made = given.get("default_factory")
        default = given.get("default") or (ast.Call(made, [], []) if made else None)
    return f"{name}: {kind}" + (f" = {ast.unparse(default)}" if default else "")


def members(node: ast.ClassDef) -> Iterator[str]:
    """The documented methods and properties of a class."""
    for item in node.body:
        if not isinstance(item, ast.FunctionDef) or not (doc := ast.get_docstring(item)):
            continue
        if item.name.startswith("_") and item.name != "__call__":
            continue
        marks = {ast.unparse(mark) for mark in item.decorator_list}
        yield ""
        if marks & {"property", "cached_property"}:
            yield f"### {node.name}.{item.name}"
        else:
            yield f"### {node.name}.{item.name}()"
            static = "staticmethod" in marks
            yield from ("", "```text", signature(item.name, item, bound=not static), "```")
        yield ""
        yield from body(doc)


if __name__ == "__main__":
    raise SystemExit(main())
