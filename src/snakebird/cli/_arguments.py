"""Arguments of the command: read by tyro; what it cannot read is said in three lines."""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tyro.extras import subcommand_cli_from_dict

from snakebird.errors import InputError, suggest

Commands = Mapping[str, Callable[..., int]]


def parsed(args: Sequence[str], commands: Commands) -> Callable[[], int]:
    """The call that arguments ask for; raises `InputError` for those that ask for none."""
    try:
        with redirect_stderr(io.StringIO()):
            return subcommand_cli_from_dict(
                {name: _later(command) for name, command in commands.items()},
                prog="snakebird",
                description="Differentiable programs a person can read.",
                args=args,
            )
    except SystemExit as end:
        if end.code:
            raise mistake(args, commands) from None
        raise


def _later(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    @wraps(command)
    def later(*args: Any, **options: Any) -> Callable[[], int]:
        return partial(command, *args, **options)

    return later


def mistake(args: Sequence[str], commands: Commands) -> InputError:
    """What is wrong with arguments that could not be read: the first mistake in them."""
    name, *rest = args
    if name not in commands:
        kind = "option" if name.startswith("-") else "command"
        hint = f"commands: {', '.join(commands)}" if kind == "option" else suggest(name, commands)
        return InputError(f"no {kind} is named {name!r}", "snakebird", hint)
    where, found = f"snakebird {name}", _Found(commands[name])
    try:
        found.read(list(rest))
    except _Wrong as wrong:
        what, hint = wrong.args
        return InputError(what, where, hint or f"see {where} --help")
    return InputError("these arguments cannot be read", where, f"see {where} --help")


class _Wrong(Exception):
    """What is wrong, and a hint."""


class _Found:
    """The arguments of one command, compared with what it takes."""

    def __init__(self, command: Callable[..., int]):
        self.types = get_type_hints(command)
        known = signature(command).parameters.values()
        self.places = [p for p in known if p.kind is not Parameter.KEYWORD_ONLY]
        self.options = {"--" + p.name: p for p in known if p.kind is Parameter.KEYWORD_ONLY}

    def read(self, words: list[str]) -> None:
        """Go through all arguments; raises `_Wrong` at the first mistake."""
        places = list(self.places)
        while words:
            word = words.pop(0)
            if word.startswith("-") and not _is_value(word):
                self._option(word, words)
            elif not places:
                raise _Wrong(f"found {word!r}, where nothing more is expected", "")
            else:
                self._check(word, places[0].name.upper(), places.pop(0))
        for place in places:
            if place.default is Parameter.empty:
                raise _Wrong(f"{place.name.upper()} is missing", "")

    def _option(self, word: str, words: list[str]) -> None:
        name, equals, value = word.partition("=")
        option = self.options.get(name.replace("_", "-"))
        if option is None:
            bare = self.options.get(name.replace("--no-", "--"))
            if bare is not None and self.types[bare.name] is bool:
                return
            raise _Wrong(f"no option is named {name!r}", suggest(name, self.options))
        if self.types[option.name] is bool:
            if equals:
                raise _Wrong(f"{name} takes no value", f"write {name} alone")
            return
        if not equals:
            if not words or not _is_value(words[0]):
                raise _Wrong(f"{name} is given without a value", f"write {name} {name[2:].upper()}")
            value = words.pop(0)
        self._check(value, name, option)

    def _check(self, value: str, name: str, parameter: Parameter) -> None:
        kind = self.types[parameter.name]
        if get_origin(kind) is Literal and value not in get_args(kind):
            choices = get_args(kind)
            raise _Wrong(f"{name} cannot be {value!r}", suggest(value, choices))
        if int in (kind, *get_args(kind)):
            try:
                int(value)
            except ValueError:
                what = f"{name} {value}: expected a whole number"
                raise _Wrong(what, f"write digits only, like {name} 1000") from None
        if float in (kind, *get_args(kind)):
            try:
                float(value)
            except ValueError:
                raise _Wrong(f"{name} {value}: expected a number", f"write {name} 0.5") from None


def _is_value(word: str) -> bool:
    """Whether a word stands for itself: no option, but maybe `-` or a negative number."""
    return not word.startswith("-") or word == "-" or word[1].isdigit()
