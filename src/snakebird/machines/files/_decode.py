"""The text of a machine file as a machine; every complaint says where."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import FileFormatError, SnakebirdError, suggest
from snakebird.machines._depth import DEEPEST, deeper
from snakebird.machines._link import Link
from snakebird.machines._machine import Machine
from snakebird.machines.files._blame import first_to_blame
from snakebird.machines.files._encode import FORMAT, VERSION, fits
from snakebird.machines.files._locate import JsonPath, line_of, repeated_key, show_json_path
from snakebird.machines.files._made import MAKERS, Allowed, function_of, maker
from snakebird.neurons import REGISTRY, Neuron, NeuronType, Trainable

_LONGEST = 300  # digits of a whole number: more are no finite double either
_FRACTION = re.compile(rf"[-+]?[0-9]{{1,{_LONGEST}}}/[0-9]{{1,{_LONGEST}}}")
_TOO_DEEP = f"this is nested deeper than {DEEPEST} levels"
_KIND_HINT = "give a file that sb.save wrote"
_NUMBER_HINT = 'write a finite number, or a fraction like "1/3"'


def from_json(text: str | bytes, where: str = "", *, allow: Allowed = ()) -> Machine:
    """The machine of a file's text; nothing in it is run, but Python functions that you allow.

    `where` names the file in messages, `allow` the modules whose functions it may call, or such
    functions. Raises `FileFormatError` for whatever else it is, with the place:
    `links[3].weight, line 17`.
    """
    return _Reader(text, where, tuple(allow)).machine()


class _Reader:
    """Reads one text; `fail` complains about the value at a path."""

    def __init__(self, text: str | bytes, where: str, allow: Allowed = ()):
        self.file, self.allow = where, allow
        self.text = self._decoded(text) if isinstance(text, bytes) else text
        self.data = self._parsed()

    def fail(
        self, path: JsonPath, what: str, hint: str = "", line: int | None = None
    ) -> FileFormatError:
        """The error for the value at a path."""
        line = line_of(self.text, path) if line is None else line
        return self._fail(what, f"{show_json_path(path)}, line {line}", hint)

    def _fail(self, what: str, where: str, hint: str) -> FileFormatError:
        where = ": ".join(part for part in (self.file, where) if part)
        return FileFormatError(what, where, hint or _KIND_HINT)

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            what = f"this is not a text file: byte {error.start} is 0x{raw[error.start]:02x}"
            raise self._fail(what, "", _KIND_HINT) from None

    def _parsed(self) -> Any:
        if not self.text.strip():
            raise self._fail("the file is empty", "", _KIND_HINT)
        twice = False

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal twice
            found = dict(items)
            twice = twice or len(found) < len(items)
            return found

        whole = lambda digits: int(digits) if len(digits) <= _LONGEST else math.inf
        try:
            data = json.loads(self.text, object_pairs_hook=pairs, parse_int=whole)
        except json.JSONDecodeError as error:
            at = f"line {error.lineno}, column {error.colno}"
            raise self._fail(f"this is not JSON: {error.msg}", at, _KIND_HINT) from None
        except RecursionError:
            raise self._fail(_TOO_DEEP, "", _KIND_HINT) from None
        if deeper(data):
            raise self._fail(_TOO_DEEP, "", _KIND_HINT)
        if twice and (repeated := repeated_key(self.text)):
            path, line = repeated
            raise self.fail(
                path, f"the key {path[-1]!r} stands twice", "leave one of them out", line
            )
        return data

    def machine(self) -> Machine:
        """The machine, read from the top."""
        self._header()
        return self.machine_at(self.data, (), ("format", "version"))

    def machine_at(self, data: Any, path: JsonPath = (), header: tuple[str, ...] = ()) -> Machine:
        """The machine of an object, that of a nested one too."""
        optional = ("name", "start", "free_start", "matrix_from")
        data = self.object_at(data, path, (*header, "neurons", "links"), optional)
        name = self.text_at(data.get("name", ""), (*path, "name"))
        neurons = {
            name: self.neuron(given, (*path, "neurons", name))
            for name, given in self.object_at(data["neurons"], (*path, "neurons")).items()
        }
        links = [
            self.link(given, (*path, "links", k))
            for k, given in enumerate(self.list_at(data["links"], (*path, "links")))
        ]
        start = self.object_at(data.get("start", {}), (*path, "start"))
        start = {key: self.value(given, (*path, "start", key)) for key, given in start.items()}
        free = self.list_at(data.get("free_start", []), (*path, "free_start"))
        free = [self.path_at(given, (*path, "free_start", k)) for k, given in enumerate(free)]
        carrier = data.get("matrix_from")
        carrier = None if carrier is None else self.path_at(carrier, (*path, "matrix_from"))
        make: Callable[..., Machine] = lambda **given: Machine(neurons, name=name, **given)
        try:
            return make(links=links, start=start, matrix_from=carrier, free_start=free)
        except SnakebirdError as error:
            raise self._blame(path, error, make, neurons, links, start, free, carrier) from None

    def _header(self) -> None:
        begin = f'a machine file begins {{"format": "{FORMAT}", "version": 1'
        data = self.data
        if not isinstance(data, dict) or "format" not in data:
            raise self.fail((), "this is JSON, but not a machine file", begin)
        if data["format"] != FORMAT:
            raise self.fail(
                ("format",), f"found {_short(data['format'])}, expected {FORMAT!r}", begin
            )
        version = data.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.fail(
                ("version",), f"found {_short(version)}, expected a version number", begin
            )
        if version > VERSION:
            raise self.fail(
                ("version",),
                f"made by a newer Snakebird (format version {version}), "
                f"this one reads up to {VERSION}",
                "upgrade: pip install --upgrade snakebird",
            )

    def _blame(
        self,
        at: JsonPath,
        error: SnakebirdError,
        make: Callable[..., Machine],
        neurons: Mapping[str, Neuron],
        links: list[Link],
        start: Mapping[str, Any],
        free: list[vv.Path],
        carrier: vv.Path | None,
    ) -> FileFormatError:
        """Complain about the one part that does not fit; all together if each alone does."""
        parts: list[tuple[str, Sequence[Any], Callable[[Sequence[Any]], Any]]] = [
            ("neurons", [*neurons], lambda some: Machine({name: neurons[name] for name in some})),
            ("links", range(len(links)), lambda some: make(links=[links[k] for k in some])),
            ("start", [*start], lambda some: make(start={name: start[name] for name in some})),
            ("free_start", range(len(free)), lambda some: make(free_start=[free[k] for k in some])),
        ]
        for name, keys, some_of in parts:
            if blamed := first_to_blame(keys, some_of):
                key, cause = blamed
                return self.fail((*at, name, key), cause.what, cause.hint)
        try:
            make(matrix_from=carrier, start=start)
        except SnakebirdError as cause:
            return self.fail((*at, "matrix_from"), cause.what, cause.hint)
        return self.fail((*at, "links"), error.what, error.hint)

    def neuron(self, data: Any, path: JsonPath) -> Neuron:
        """A neuron of a registered type, or one that a function makes."""
        if isinstance(data, dict) and "make" in data:
            return self.made(data, path)
        data = self.object_at(data, path, ("type",), ("parameters", "trainable"))
        name = self.text_at(data["type"], (*path, "type"))
        if name not in REGISTRY:
            own = (
                "a type of your own: import its file before loading; for a command, --neurons FILE"
            )
            hint = f"{suggest(name, REGISTRY)}; {own}"
            raise self.fail((*path, "type"), f"no neuron type is named {name!r}", hint)
        kind = REGISTRY[name]
        given = self.object_at(data.get("parameters", {}), (*path, "parameters"))
        for key in given:
            self._known(key, kind, (*path, "parameters", key))
        values = {
            key: self.parameter(value, kind, key, (*path, "parameters", key))
            for key, value in given.items()
        }
        for k, key in enumerate(self.list_at(data.get("trainable", []), (*path, "trainable"))):
            at = (*path, "trainable", k)
            self._known(self.text_at(key, at), kind, at)
            values[key] = Trainable(values.get(key, kind.defaults[key]))
        try:
            return kind.with_parameters(**values)
        except SnakebirdError as error:
            raise self.fail((*path, "parameters"), error.what, error.hint) from None

    def made(self, data: Any, path: JsonPath) -> Neuron:
        """A neuron that a function of Snakebird makes of arguments."""
        data = self.object_at(data, path, ("make", "with"))
        name = self.text_at(data["make"], (*path, "make"))
        if name not in MAKERS:
            what = f"nothing that makes neurons is named {name!r}"
            raise self.fail((*path, "make"), what, suggest(name, MAKERS))
        given = self.object_at(data["with"], (*path, "with"))
        given = {k: self.argument(value, (*path, "with", k)) for k, value in given.items()}
        try:
            return maker(name)(**given)
        except SnakebirdError as error:
            raise self.fail((*path, "with"), error.what, error.hint) from None
        except (TypeError, ValueError, AttributeError) as error:
            what = f"{name} cannot take this: {str(error).splitlines()[0]}"
            raise self.fail((*path, "with"), what, _KIND_HINT) from None

    def argument(self, data: Any, path: JsonPath) -> Any:
        """An argument: a machine, a mapping as pairs, a function by name, or what is plain."""
        if isinstance(data, list):
            return tuple(self.argument(item, (*path, k)) for k, item in enumerate(data))
        kind = next(iter(data)) if isinstance(data, dict) and len(data) == 1 else None
        if kind == "machine":
            return self.machine_at(data["machine"], (*path, "machine"))
        if kind == "pairs":
            return dict(self._pairs(data["pairs"], (*path, "pairs")))
        if kind == "function":
            at = (*path, "function")
            try:
                return function_of(self.text_at(data["function"], at), self.allow)
            except FileFormatError as error:
                raise self.fail(at, error.what, error.hint) from None
        return self.plain(data, path)

    def _pairs(self, data: Any, path: JsonPath) -> Iterable[tuple[Any, Any]]:
        for k, pair in enumerate(self.list_at(data, path)):
            at = (*path, k)
            if len(self.list_at(pair, at)) != 2:
                raise self.fail(at, f"found {_short(pair)}, expected a key and its value")
            key = self.text_at(pair[0], (*at, 0)) if not isinstance(pair[0], list) else None
            key = self.texts_at(pair[0], (*at, 0)) if key is None else key
            yield key, self.argument(pair[1], (*at, 1))

    def _known(self, key: str, kind: NeuronType, path: JsonPath) -> None:
        if key not in kind.defaults:
            raise self.fail(
                path, f"{kind.name} has no parameter {key!r}", suggest(key, kind.defaults)
            )

    def parameter(self, data: Any, kind: NeuronType, key: str, path: JsonPath) -> Any:
        """A parameter: a V-value where the type has numbers, else a name, flag, count or space."""
        if kind.numeric(key):
            return self.value(data, path)
        value = self.plain(data, path)
        if not fits(kind.defaults[key], value):
            wanted = f"something like the default, {kind.defaults[key]!r}"
            raise self.fail(path, f"found {_short(data)}, expected {wanted}")
        return value

    def plain(self, data: Any, path: JsonPath) -> Any:
        """What is no V-value: null, a flag, a number, a text, a list, a space."""
        if data is None or isinstance(data, (bool, str)):
            return data
        if isinstance(data, (int, float)):
            return self.value(data, path)
        if isinstance(data, list):
            return tuple(self.plain(item, (*path, k)) for k, item in enumerate(data))
        if set(data) == {"value"}:
            return self.value(data["value"], (*path, "value"))
        if set(data) == {"space"}:
            items = self.list_at(data["space"], (*path, "space"))
            return vv.Space(dict(self.slot(s, (*path, "space", k)) for k, s in enumerate(items)))
        raise self.fail(path, f"found {_short(data)}", 'write {"space": [...]} or {"value": ...}')

    def slot(self, data: Any, path: JsonPath) -> tuple[vv.Path, tuple[int, ...]]:
        """One path of a space, with the shape of its leaf."""
        if isinstance(data, list):
            return self.texts_at(data, path), ()
        data = self.object_at(data, path, ("path", "shape"))
        shape = self.list_at(data["shape"], (*path, "shape"))
        for k, size in enumerate(shape):
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise self.fail(
                    (*path, "shape", k), f"found {_short(size)}, expected a whole number"
                )
        return self.texts_at(data["path"], (*path, "path")), tuple(shape)

    def link(self, data: Any, path: JsonPath) -> Link:
        """One link."""
        data = self.object_at(data, path, ("to", "from", "weight"), ("instant", "trainable"))
        to = self.texts_at(data["to"], (*path, "to"))
        if len(to) != 2:
            what = f"found {_short(data['to'])}, expected a neuron and one of its inputs"
            raise self.fail((*path, "to"), what, 'write ["neuron", "input"]')
        source = self.path_at(data["from"], (*path, "from"))
        weight = self.value(data["weight"], (*path, "weight"))
        if not vv.is_exact(weight):
            found = _short(data["weight"])
            raise self.fail((*path, "weight"), f"found {found}, expected a number", _NUMBER_HINT)
        instant = self.flag_at(data.get("instant", False), (*path, "instant"))
        free = self.flag_at(data.get("trainable", True), (*path, "trainable"))
        return Link(to[0], to[1], source, weight, instant, free)

    def value(self, data: Any, path: JsonPath) -> Any:
        """A V-value: a number, a fraction as a text, a list as an array, an object as a tree."""
        self._check_value(data, path)
        try:
            return vv.from_json(data)
        except SnakebirdError as error:
            raise self.fail(path, error.what, error.hint) from None

    def _check_value(self, data: Any, path: JsonPath, inside: bool = False) -> None:
        if isinstance(data, dict) and not inside:
            for key, branch in data.items():
                self._check_value(branch, (*path, key))
        elif isinstance(data, list):
            for k, item in enumerate(data):
                self._check_value(item, (*path, k), inside=True)
        elif isinstance(data, str) and not inside and _FRACTION.fullmatch(data):
            if int(data.split("/")[1]) == 0:
                raise self.fail(path, f"found {data}, a division by zero", _NUMBER_HINT)
        elif not isinstance(data, (int, float)) or isinstance(data, bool):
            raise self.fail(path, f"found {_short(data)}, expected a number", _NUMBER_HINT)
        elif not math.isfinite(data):
            found = "NaN" if math.isnan(data) else "a number without bounds"
            raise self.fail(path, f"found {found}, expected a finite number", _NUMBER_HINT)

    def object_at(
        self,
        data: Any,
        path: JsonPath,
        needed: Iterable[str] = (),
        optional: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """An object; with `needed` or `optional`, one with these keys and no others."""
        if not isinstance(data, dict):
            raise self.fail(path, f"found {_short(data)}, expected an object {{...}}")
        known = [*needed, *(optional or ())]
        for key in data if known else ():
            if key not in known:
                raise self.fail(
                    (*path, key), f"the key {key!r} is not known here", suggest(key, known)
                )
        for key in needed:
            if key not in data:
                raise self.fail(path, f"the key {key!r} is missing", f'write "{key}": ...')
        return data

    def list_at(self, data: Any, path: JsonPath) -> list[Any]:
        """A list."""
        if not isinstance(data, list):
            raise self.fail(path, f"found {_short(data)}, expected a list [...]")
        return data

    def text_at(self, data: Any, path: JsonPath) -> str:
        """A text."""
        if not isinstance(data, str):
            raise self.fail(path, f"found {_short(data)}, expected a text")
        return data

    def flag_at(self, data: Any, path: JsonPath) -> bool:
        """True or false."""
        if not isinstance(data, bool):
            raise self.fail(path, f"found {_short(data)}, expected true or false")
        return data

    def texts_at(self, data: Any, path: JsonPath) -> vv.Path:
        """A list of texts."""
        return tuple(self.text_at(v, (*path, k)) for k, v in enumerate(self.list_at(data, path)))

    def path_at(self, data: Any, path: JsonPath) -> vv.Path:
        """The path of an output."""
        found = self.texts_at(data, path)
        if not found:
            raise self.fail(path, "found an empty list, expected a neuron and one of its outputs")
        return found


def _short(data: Any) -> str:
    """A JSON value in few characters."""
    text = json.dumps(data, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(data)
    return text if len(text) <= 40 else text[:37] + "..."
