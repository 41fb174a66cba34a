"""Writes a planned machine as statements, one choice of inlined neurons at a time."""

import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from textwrap import indent
from typing import Any

from snakebird import vvalues as vv
from snakebird.machines._link import Link
from snakebird.machines.building._builder import ONE
from snakebird.machines.building._stream import Node
from snakebird.machines.printing._layout import WIDTH, Doc, Group, Joined, Sum, call, flat, render
from snakebird.machines.printing._literals import (
    Literals,
    is_default,
    is_identifier,
    is_plain_name,
    quote,
)
from snakebird.machines.printing._plan import Plan
from snakebird.machines.printing._terms import sum_of
from snakebird.neurons import Neuron, accumulator


class Writer:
    """Writes the source once, for one choice of what is inlined."""

    def __init__(self, plan: Plan, type_names: Mapping[int, str]):
        self.plan, self.machine, self.type_names = plan, plan.machine, type_names
        self.literals = Literals()
        self.lines: list[str] = []
        self.made: list[str] = []  # inlined neurons, in the order in which a builder makes them
        self.trees: list[str] = []  # constants written as dicts, made after what they are fed to
        self.waiting: dict[int, list[str]] = {}
        self.whole = self._all_fixed()

    def write(self, fetched: list[str]) -> str:
        """The whole source; `fetched` are the lines that fetch neuron types."""
        head = self._head()
        for name in [*self.plan.parameters, *self.plan.order]:
            if name not in self.plan.inlined:
                self._neuron(name)
        if self.machine.matrix_from is not None:
            self._say(call("sb.carries_matrix", [self._port(self.machine.matrix_from)]))
        if self.plan.returned:
            self._return()
        body = self.lines or ["pass"]
        standard = [line for line in self.literals.imports if line.startswith("from fractions")]
        others = self.literals.imports.difference(standard) | {"import snakebird as sb"}
        imports = [*standard, *([""] if standard else []), *sorted(others)]
        blocks = ["\n".join(imports), *(["\n".join(fetched)] if fetched else [])]
        return "\n\n".join(blocks) + "\n\n\n" + head + "\n" + indent("\n".join(body), "    ")

    def misnamed(self) -> set[str]:
        """The inlined neurons that a builder would give another name than they have."""
        inlined = self.plan.inlined
        taken = {name for name in self.machine.neurons if name not in inlined}
        wrong = set()
        for name in self.made:
            base = found = self.machine.neurons[name].type.name
            k = 1
            while found in taken:
                k += 1
                found = f"{base}_{k}"
            taken.add(found)
            wrong |= {name} if found != name else set()
        return wrong

    def _all_fixed(self) -> bool:
        usual = {id(k) for name in self.machine.neurons for k in self.plan.loops(name).values()}
        links = [link for link in self.machine.links if id(link) not in usual]
        return bool(links) and not any(link.trainable for link in links)

    def _head(self) -> str:
        name = self.machine.name
        function = name if is_plain_name(name) and name not in self.type_names.values() else ""
        options: list[Doc] = [] if function else [f"name={quote(name)}"]
        options += ["fixed=True"] if self.whole else []
        decorator = flat(call("@sb.machine", options)) if options else "@sb.machine"
        given = sorted((self._parameter(name) for name in self.plan.parameters), key=lambda p: p[0])
        signature = Group(f"def {function or 'built'}(", tuple(doc for _, doc in given), "):")
        return decorator + "\n" + render(signature)

    def _parameter(self, name: str) -> tuple[bool, Doc]:
        """A parameter, and whether it has a default: those come last."""
        given = self.machine.neurons[name].parameters
        parts: list[Doc] = [name]
        if (wanted := self._annotation(given)) is not None:
            parts += [": ", wanted]
        if is_default(given["default"], {}):
            return False, Joined(tuple(parts))
        spaced = " = " if len(parts) > 1 else "="
        return True, Joined((*parts, spaced, self._value(name, "default", given["default"])))

    def _annotation(self, given: Mapping[str, Any]) -> Doc | None:
        tokens, space = given["tokens"], given["space"]
        if tokens:
            letters = all(len(token) == 1 for token in tokens)
            text = quote("".join(tokens)) if letters else self.literals.write(list(tokens))
            return call("sb.Tokens", [text])
        if space == vv.Space([()]):
            return None
        if space.items and all(len(path) == 1 and not shape for path, shape in space.items):
            return call("sb.Numbers", [quote(path[0]) for path in space.paths])
        return self.literals.write(space)

    def _neuron(self, name: str) -> None:
        """The statements that make a neuron, start it, and feed what leads back to it."""
        plan = self.plan
        if name not in plan.parameters:
            doc, late = self._call(name)
            self._say(Joined((f"{plan.variables[name]} = ", doc)))
            if late:
                last = max(plan.position[link.source[0]] for link in late)
                self.waiting.setdefault(max(last, plan.position[name]), []).append(name)
        self._start(name)
        for waiting in self.waiting.pop(plan.position[name], []):
            sums = self._sums(waiting, plan.split(waiting)[1])
            self._make_trees()
            self._say(call(f"{plan.variables[waiting]}.feed", _by_name(sums)))

    def _call(self, name: str) -> tuple[Doc, list[Link]]:
        neuron = self.machine.neurons[name]
        early, late = self.plan.split(name)
        named = [] if self._named_by_itself(name) else [f"name={quote(name)}"]
        loops = [] if self.plan.loops_implied(name) else ["loops=False"]
        function, parameters = self._function(name, neuron)
        trees, self.trees = self.trees, []
        sums = self._sums(name, early)
        self.made += [name] if name in self.plan.inlined else []
        self._make_trees()
        self.trees = trees
        inputs = self._arguments(name, sums)
        if neuron.type is accumulator and not loops and set(sums) == {"delta"}:
            function, inputs = "sb.accumulate", list(sums.values())
        return call(function, [*inputs, *parameters, *loops, *named]), late

    def _named_by_itself(self, name: str) -> bool:
        return name in self.plan.inlined or self.plan.variables[name] == name

    def _function(self, name: str, neuron: Neuron) -> tuple[str, list[Doc]]:
        kind = neuron.type
        function = self.type_names[id(kind)]
        if function == "sb.call_neuron":
            ports = [f"inputs={flat(self.literals.write(kind.inputs))}"]
            ports += [f"outputs={flat(self.literals.write(kind.outputs))}"]
            self._note(name, "function", neuron.parameters["function"])
            return flat(call(function, ["...", *ports])), []
        parameters: list[Doc] = []
        for key, value in neuron.parameters.items():
            if key in neuron.trainable or not is_default(value, kind.defaults[key]):
                doc = self._value(name, key, value)
                doc = call("sb.trainable", [doc]) if key in neuron.trainable else doc
                parameters.append(Joined((f"{key}=", doc)))
        return function, parameters

    def _value(self, name: str, key: str, value: Any) -> Doc:
        doc = self.literals.write(value)
        self._note_lost(name, key)
        return doc

    def _note_lost(self, name: str, key: str) -> None:
        for lost in self.literals.unwritten:
            self._note(name, key, lost)
        self.literals.unwritten.clear()

    def _note(self, name: str, key: str, lost: Any) -> None:
        self.lines.append(f"# {key} of {quote(name)} is a Python object: {_short(lost)}")

    def _sums(self, name: str, links: Iterable[Link]) -> dict[str, Doc]:
        """The sum for each input, in the order in which a call is written and taken."""
        declared = self.machine.neurons[name].type.inputs
        ports = _by_input(links)
        last = [port for port in ports if port not in declared]
        last.sort(key=lambda port: not is_identifier(port))
        order = [*(port for port in declared if port in ports), *last]
        return {port: self._sum(ports[port]) for port in order}

    def _arguments(self, name: str, sums: Mapping[str, Doc]) -> list[Doc]:
        """Sums by position as long as no declared input is skipped, then by name."""
        declared = self.machine.neurons[name].type.inputs
        count = len(list(takewhile(lambda port: port in sums, declared)))
        first = [sums[port] for port in declared[:count]]
        return first + _by_name({p: doc for p, doc in sums.items() if p not in declared[:count]})

    def _sum(self, links: Iterable[Link]) -> Doc:
        links = sorted(links, key=lambda link: self.plan.position[link.source[0]])
        if len(links) == 1 and self.plan.is_dict(links[0]):
            name = links[0].source[0]
            self.trees.append(name)
            return self._value(name, "value", self.machine.neurons[name].parameters["value"])
        one = ONE if self.plan.one else None
        doc = sum_of(links, self._port, self.literals, one, fixed=not self.whole)
        self._note_lost(links[0].to, "a weight")
        return doc

    def _port(self, path: vv.Path) -> Doc:
        """An output as an expression; inlined neurons as the call that makes them."""
        name, *rest = path
        head: Doc = self.plan.variables[name]
        if name in self.plan.inlined:
            head = self._call(name)[0]
        if not rest:
            return Joined((head, ".all"))
        outputs = self.machine.neurons[name].type.outputs
        if outputs == (rest[0],) and (len(rest) == 1 or rest[1] != rest[0]):
            del rest[0]
        elif is_identifier(rest[0]) and not rest[0].startswith("__") and rest[0] not in _NODE_NAMES:
            head = Joined((head, f".{rest.pop(0)}"))
        below = "".join(f"[{quote(key)}]" for key in rest)
        return Joined((head, below)) if below else head

    def _start(self, name: str) -> None:
        start = self.machine.start.get(name, {})
        start = start if isinstance(start, Mapping) else {vv.NUMBER: start}
        values = {port: v for port, v in start.items() if next(vv.stored(v), None) is not None}
        free = sorted(path[1:] for path in self.machine.free_start if path[0] == name)
        if not values and not free:
            return
        items: list[Doc] = []
        if all(is_identifier(port) and port != "free" for port in values):
            items += [Joined((f"{p}=", self._value(name, p, v))) for p, v in values.items()]
        else:
            items.append(self._value(name, "start", values))
        if free and free == sorted((port,) for port in values):
            items.append("free=True")
        elif free:
            paths = [path[0] if len(path) == 1 else path for path in free]
            items.append(Joined(("free=", self.literals.write(paths))))
        self._say(call(f"{self.plan.variables[name]}.starts", items))

    def _return(self) -> None:
        ports = _by_input(self.plan.incoming["output"])
        sums = {port: self._sum(links) for port, links in ports.items()}
        self._make_trees()
        doc: Doc = Group("{", tuple(Joined((f"{quote(p)}: ", d)) for p, d in sums.items()), "}")
        if set(sums) == {"result"}:
            doc = sums["result"]
            if isinstance(doc, Sum) and len(flat(doc)) > WIDTH - len("return "):
                doc = Group("(", (doc,), ")", comma=False)
        self._say(Joined(("return ", doc)))

    def _make_trees(self) -> None:
        self.made += self.trees
        self.trees = []

    def _say(self, doc: Doc) -> None:
        self.lines.append(render(doc))


_NODE_NAMES = frozenset(dir(Node)) | {"_builder", "_neuron", "_name", "_base", "_own_terms"}


def _by_input(links: Iterable[Link]) -> dict[str, list[Link]]:
    ports: dict[str, list[Link]] = {}
    for link in links:
        ports.setdefault(link.input, []).append(link)
    return ports


def _by_name(sums: Mapping[str, Doc]) -> list[Doc]:
    plain = {port: doc for port, doc in sums.items() if is_identifier(port)}
    odd = tuple(Joined((f"{quote(p)}: ", doc)) for p, doc in sums.items() if p not in plain)
    named: list[Doc] = [Joined((f"{port}=", doc)) for port, doc in plain.items()]
    return [*named, Group("**{", odd, "}")] if odd else named


def _short(value: Any) -> str:
    """An object in a few words that are the same in every run."""
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(value).split()))
    return text if len(text) <= 60 else text[:57] + "..."
