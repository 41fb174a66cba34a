"""Every reader of files fed with garbled files, guided by which code they reach.

Each reader runs in a process of its own, so that a crash or a hang of one is a row of the table.
`SNAKEBIRD_INPUTS` is how many inputs each reader is given, `SNAKEBIRD_READERS` which of them.
Where atheris is not installed, the edits run without its guidance, and the row says so.
"""

import faulthandler
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

INPUTS = int(os.environ.get("SNAKEBIRD_INPUTS", "200000"))
SLOW = {"machine": 2, "runner": 4}
"""Readers that take long are given fewer inputs: one in so many."""

LEFT_OUT = ("parquet",)
"""The library that reads Parquet ends the whole process on some garbled files."""

HANG = 10
"""After how many seconds an input counts as a hang."""

LONGEST = 4096
"""How many bytes an input may have."""

GUIDED = (
    "snakebird.machines.files", "snakebird.vvalues._text", "snakebird.vvalues._tree",
    "snakebird.fitting._tables", "snakebird.fitting._layouts", "snakebird.fitting._experiment",
    "snakebird.fitting._trajectories", "snakebird.fitting._keeping", "snakebird.fitting._watch",
    "snakebird.synthesis.programs._example", "snakebird.synthesis.programs._example_files",
    "snakebird.synthesis.programs._examples", "snakebird.synthesis.programs._values",
    "snakebird.synthesis.programs._contradiction", "snakebird.synthesis.programs._checkpoint",
    "snakebird.cli._readers", "snakebird.cli._user", "snakebird.neurons._sources",
    "snakebird.running._file", "snakebird.running._exact", "snakebird.meta._folder",
    "snakebird.machines._validate", "snakebird.machines._machine",
)  # fmt: skip
"""The modules that guide the search; to instrument all of JAX would only slow it."""


def fuzzing() -> list[dict[str, Any]]:
    """A row for each reader; raises nothing, failures stand in the rows."""
    from tests.fuzz.readers import READERS

    asked = os.environ.get("SNAKEBIRD_READERS")
    names = asked.split(",") if asked else [name for name in READERS if name not in LEFT_OUT]
    rows = []
    for name in names:
        row = one(name, max(1, INPUTS // SLOW.get(name, 1)))
        print(row, flush=True)
        rows.append(row)
    return rows


def one(name: str, inputs: int) -> dict[str, Any]:
    """The row of one reader, from a process of its own."""
    from tests.fuzz.readers import READERS

    with tempfile.TemporaryDirectory(dir=_quick_folder()) as folder:
        told = Path(folder) / "told.json"
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.fuzzing", name, str(inputs), folder],
            capture_output=True,
            env={**os.environ, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"},
        )
        seconds = time.monotonic() - begun
        log = done.stderr.decode("utf-8", "replace")
        found = json.loads(told.read_text()) if told.exists() else {"inputs": 0, "slowest": 0.0}
        failures = found.get("failures", [])
        if not found.get("ended"):
            last = Path(folder) / READERS[name].file
            data = repr(last.read_bytes()) if last.exists() else ""
            failures.append({"error": f"ended with {done.returncode}: {log[-300:]}", "data": data})
    for failure in failures:
        print(f"{name}: {failure['error']}\n  {failure['data'][:600]}", flush=True)
    return {
        "reader": name,
        "inputs": found["inputs"],
        "read": found.get("read", 0),
        "coverage edges": _last(log, r"cov: (\d+)"),
        "corpus entries": _last(log, r"corp: (\d+)"),
        "slowest input, ms": 1e3 * found["slowest"],
        "failures": len(failures),
        "seconds": seconds,
    }


def _quick_folder() -> str | None:
    """A folder in memory where there is one, since every input is written to a file."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _last(log: str, pattern: str) -> int | str:
    found = re.findall(pattern, log)
    return int(found[-1]) if found else "no atheris"


# One reader, in a process of its own ------------------------------------------------------------


class Driver:
    """Tries one reader on inputs, and keeps what went wrong and how long the slowest took."""

    def __init__(self, name: str, inputs: int, folder: Path):
        from tests.fuzz.readers import READERS

        self.reader, self.most, self.folder = READERS[name], inputs, folder
        self.inputs, self.read, self.slowest = 0, 0, 0.0
        self.failures: dict[str, dict[str, str]] = {}
        self.seeds = [seed[:LONGEST] for seed in self.reader.seeds() if len(seed) <= LONGEST]
        self.seeds = self.seeds or list(self.reader.seeds())

    def test(self, data: bytes) -> None:
        """Try one input; after the last one the process ends."""
        from tests.fuzz.reading import try_reading

        begun = time.perf_counter()
        try:
            self.read += try_reading(self.reader, data, self.folder) == "read"
        except Exception as error:
            self._failed(f"{type(error).__name__}: {error}", data)
        seconds = time.perf_counter() - begun
        if self.inputs and seconds > HANG:
            self._failed(f"a hang: {seconds:.1f} s", data)
        # The first input pays for imports and compilation.
        self.slowest = max(self.slowest, seconds) if self.inputs else 0.0
        self.inputs += 1
        if self.inputs % 1000 == 0 or self.inputs == self.most:
            self.tell(self.inputs >= self.most)

    def _failed(self, error: str, data: bytes) -> None:
        if len(self.failures) < 20:
            self.failures.setdefault(error[:60], {"error": error[:500], "data": repr(data)[:3000]})

    def tell(self, ended: bool) -> None:
        """Write down what is known so far."""
        known = {name: getattr(self, name) for name in ("inputs", "read", "slowest")}
        known |= {"failures": list(self.failures.values()), "ended": ended}
        (self.folder / "told.json").write_text(json.dumps(known))

    def edit(self, data: bytes, size: int, seed: int) -> bytes:
        """Another input, from one that reached new code, or from a valid file."""
        from tests.fuzz.edits import edited, with_wrong_leaves

        random = Random(seed)
        data = random.choice(self.seeds) if random.random() < 0.2 else data
        spoil = with_wrong_leaves if self.reader.json and random.random() < 0.7 else edited
        return spoil(data, random)[:size]


def _unguided(driver: Driver) -> None:
    for number in range(driver.most):
        faulthandler.dump_traceback_later(3 * HANG, exit=True)
        driver.test(driver.edit(driver.seeds[0], LONGEST, number))
    faulthandler.cancel_dump_traceback_later()


def _guided(driver: Driver, atheris: Any) -> None:
    """Search with atheris, from the valid files; every other edit is its own."""
    corpus = driver.folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(driver.seeds):
        (corpus / f"seed{number}").write_bytes(seed)

    def mutate(data: bytes, size: int, seed: int) -> bytes:
        return atheris.Mutate(data, size) if seed % 5 == 0 else driver.edit(data, size, seed)

    options = [
        f"-runs={driver.most}", f"-max_len={LONGEST}", f"-timeout={3 * HANG}", "-seed=1",
        "-rss_limit_mb=6000", "-print_final_stats=1", f"-artifact_prefix={driver.folder}/",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], driver.test, custom_mutator=mutate)
    atheris.Fuzz()


def main(name: str, inputs: str, folder: str) -> None:
    """Try one reader and write down what came of it."""
    atheris: Any = None
    if importlib.util.find_spec("atheris"):
        import atheris

        with atheris.instrument_imports(include=list(GUIDED), enable_loader_override=False):
            _import_readers()
    driver = Driver(name, int(inputs), Path(folder))
    with suppress(SystemExit):
        _guided(driver, atheris) if atheris else _unguided(driver)
    driver.tell(driver.inputs >= driver.most)


def _import_readers() -> None:
    for module in GUIDED:
        importlib.import_module(module)


if __name__ == "__main__":
    main(*sys.argv[1:])
