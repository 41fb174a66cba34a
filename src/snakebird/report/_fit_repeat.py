"""How to repeat a fit: the command that made it, or the lines of Python."""

from collections.abc import Iterator, Mapping
from typing import Any

from snakebird.fitting import Fit
from snakebird.report._repeat import command_line, repeat

_OPTIONS = ("data", "out", "seed", "starts", "budget")


def repeat_fit(fit: Fit, laws: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The section, from what the report's file of settings says."""
    command = config.get("command")
    hidden = ("versions", "command", "model")
    settings = {name: value for name, value in config.items() if name not in hidden}
    if isinstance(command, Mapping) and "problem" in command:
        line = command_line("snakebird fit", str(command["problem"]), command, _OPTIONS)
        line += "" if command.get("discover", True) else " --no-discover"
        return repeat(line, {**settings, "seed": command.get("seed")}, shell=True)
    about = "With the model and the data above, and the options that were given beside these:"
    return repeat("\n".join(_lines(fit, laws, config)), settings, about=about, shell=False)


def _lines(fit: Fit, laws: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    yield "import snakebird as sb"
    yield "from snakebird.report import write_report"
    yield ""
    seed = f", seed={config['seed']}" if "seed" in config else ""
    stages = list(dict.fromkeys(step.stage for step in fit.history))
    noise = ", ".join(_noise(fit))
    yield "fit = sb.fit("
    yield f"    model, data, noise={{{noise}}},"
    yield f"    stages={stages}, starts={len(fit.scores)}{seed},"
    yield ")"
    found = [name for name in fit.holes if laws.get(name)]
    for name in found:
        yield f'{_identifier(name)} = sb.discover(fit, "{name}")'
    given = f", laws=[{', '.join(map(_identifier, found))}]" if found else ""
    yield f'write_report(fit, "again"{given})'


def _identifier(name: str) -> str:
    return "laws_of_" + "".join(c if c.isalnum() else "_" for c in name)


def _noise(fit: Fit) -> Iterator[str]:
    for name, kind in zip(fit.data.names, fit.problem.noise, strict=True):
        size = "" if kind.size is None else f"{float(kind.size):.6g}"
        yield f'"{name}": sb.fitting.{type(kind).__name__}({size})'
