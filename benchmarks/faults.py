"""Faults of every kind, tried on long runs: what survives ends equal to a run without a fault.

`SNAKEBIRD_KILLS` says how often each kind of run is killed, 100 times by default.
"""

import errno
import multiprocessing as mp
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

KILLS = int(os.environ.get("SNAKEBIRD_KILLS", "100"))
AT_ONCE = 2
TICKS = (100_000, 1_000_000)
LIVES = 12
"""A run that was killed so often is let live."""


_UNKNOWN = 255
"""What the server of forks says where it could not see how a process ended."""


class Tried(NamedTuple):
    """What came of one try."""

    equal: bool
    kills: int = 0


def faults() -> dict[str, list[dict[str, Any]]]:
    """Rows of faults, tried, survived and lost; and of memory by ticks."""
    return {"faults": [*_killed(), *_hindered()], "memory": memory()}


def _row(fault: str, run: str, tries: list[Tried], means: str) -> dict[str, Any]:
    survived = sum(one.equal for one in tries)
    return {
        "fault": fault,
        "run": run,
        "tried": len(tries),
        "kills": sum(one.kills for one in tries),
        "survived": survived,
        "lost": len(tries) - survived,
        "survived means": means,
    }


# Real processes, killed by the system ---------------------------------------------------------


def _killed() -> Iterator[dict[str, Any]]:
    """`kill -9` at random moments, again and again until the run is done.

    The processes are forked from one that has imported all and begun nothing. What was compiled in
    the run without a fault is read by the others, which spend their time on the run itself.
    """
    same = {
        "fit": "parameters, scores, noise and history equal to the last bit",
        "meta.fit": "parameters and history equal to the last bit",
        "synthesize": "the same program",
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(place / "compiled")
        processes = mp.get_context("forkserver")
        processes.set_forkserver_preload(["tests.faults.runs"])
        for kind, means in same.items():
            own = place / kind
            own.mkdir()
            tries = _tries(processes, kind, own)
            yield _row("kill -9 at a random moment", kind, tries, means)


def _tries(processes: Any, kind: str, place: Path) -> list[Tried]:
    whole, length = place / "whole", 0.0
    for _ in range(2):  # the second one finds everything compiled, as those that are killed
        begun = time.monotonic()
        assert _live(processes, kind, whole, None, compiles=True)
        length = time.monotonic() - begun
    print(f"  {kind}: {length:.1f} s without a fault", flush=True)

    def one(number: int) -> Tried:
        tried = _life(processes, kind, place / str(number), whole, length, random.Random(number))
        print(f"  {kind} {number}: {tried}", flush=True)
        return tried

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(KILLS)))


def _life(
    processes: Any, kind: str, folder: Path, whole: Path, length: float, chance: random.Random
) -> Tried:
    """A run that is killed once within its time, and then as chance has it."""
    kills, moment = 1, chance.uniform(0, length)
    while _live(processes, kind, folder, moment):  # it was done before that
        shutil.rmtree(folder)
        moment /= 2
    while not _live(processes, kind, folder, _later(chance, length, kills)):
        kills += 1
    equal = _result(folder).read_text() == _result(whole).read_text()
    return Tried(equal, kills)


def _later(chance: random.Random, length: float, kills: int) -> float | None:
    return chance.uniform(0, 4 * length) if kills < LIVES else None


def _live(
    processes: Any, kind: str, folder: Path, moment: float | None, *, compiles: bool = False
) -> bool:
    """One process, killed at a moment if there is one; whether it got done."""
    process = processes.Process(target=_run, args=(kind, folder, compiles))
    process.start()
    process.join(moment)
    if process.exitcode is None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode == _UNKNOWN:
        return _result(folder).exists()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{kind} in {folder} ended with {process.exitcode}")
    return process.exitcode == 0


def _result(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.txt")


def _run(kind: str, folder: Path, compiles: bool) -> None:
    """What a process does: the run, gone on from where there is something."""
    import jax

    from snakebird.fitting._keeping import before
    from tests.faults.runs import WHOLE

    # A process that is killed may leave half of a compiled program: only the first ones write any.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0 if compiles else 1e9)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    path = folder / WHOLE[kind].checkpoint
    found = WHOLE[kind].run(folder, not compiles and (path.exists() or before(path).exists()))
    draft = _result(folder).with_suffix(".tmp")
    draft.write_text(repr(found), "utf-8")
    draft.replace(_result(folder))


# Faults of the disk, the clock and of other runs, in this process ------------------------------


def _hindered() -> Iterator[dict[str, Any]]:
    """Faults at every write, in checkpoints and of the clock, of runs that cost little."""
    from tests.faults.injection import system
    from tests.faults.runs import QUICK

    for name, kind in QUICK.items():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = Path(folder)
            with system() as seen:
                whole = kind.run(place / "whole", False)
            for fault, tried, means in FAULTS:
                own = place / fault.replace(" ", "-").replace("/", "-")
                own.mkdir()
                tries = [Tried(one()) for one in tried(kind, own, whole, seen.calls)]
                yield _row(fault, ALONE[name], tries, means)


Tries = Iterator[Callable[[], bool]]


def _dying(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
    from snakebird.fitting._keeping import before
    from tests.faults.injection import cut

    def one(at: int) -> bool:
        folder = place / str(at)
        cut(kind, folder, at)
        path = folder / kind.checkpoint
        return kind.run(folder, path.exists() or before(path).exists()) == whole

    return (lambda at=at: one(at) for at in range(calls))


def _full(lasting: bool) -> Callable[..., Tries]:
    def tries(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
        from tests.faults.injection import full, system

        def one(at: int) -> bool:
            folder, until = place / str(at), 10**9 if lasting else at + 1
            try:
                with system(full(at=at, until=until)):
                    found = kind.run(folder, False)
            except kind.error:
                # Refused before any work; a disk that is full from the start allows no more.
                return kind.run(folder, False) == whole
            return found == whole and kind.run(folder, True) == whole

        return (lambda at=at: one(at) for at in range(calls))

    return tries


def _read_only(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
    from tests.faults.injection import cut, system

    def refuse(number: int, name: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def one(resume: bool) -> bool:
        folder, told = place / str(resume), False
        if resume:
            cut(kind, folder, calls - 12, opening=True)
        with system(refuse):
            try:
                kind.run(folder, resume)
            except kind.error as error:
                told = "Read-only" in error.what
        return told and kind.run(folder, resume) == whole

    return (lambda resume=resume: one(resume) for resume in (False, True))


def _garbled(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
    from tests.faults.injection import cut, garble

    cut(kind, place, calls - 12, opening=True)
    kept = {path: path.read_bytes() for path in place.iterdir()}
    path = place / kind.checkpoint

    def one(data: bytes) -> bool:
        for other, own in kept.items():
            other.write_bytes(own)
        path.write_bytes(data)
        return kind.run(place, True) == whole

    chance = random.Random(1)
    return (lambda data=data: one(data) for _ in range(6) for data in garble(kept[path], chance))


def _second(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
    from tests.faults.injection import another, cut

    def one() -> bool:
        cut(kind, place, calls - 12, opening=True)
        with another(place) as holder:
            told = 0
            for resume in (False, True):
                try:
                    kind.run(place, resume)
                except kind.error as error:
                    told += f"process {holder.pid}" in error.what
        return told == 2 and kind.run(place, True) == whole

    return (one for _ in range(5))


def _clocks(kind: Any, place: Path, whole: Any, calls: int) -> Tries:
    from unittest.mock import patch

    from tests.faults.injection import cut

    def one(jump: float) -> bool:
        with patch.object(time, "time", lambda real=time.time: max(0.0, real() + jump)):
            cut(kind, place, calls - 12, opening=True)
        with patch.object(time, "time", lambda real=time.time: max(0.0, real() - jump)):
            return kind.run(place, True) == whole

    return (lambda jump=jump: one(jump) for jump in (-1e10, -1e5, -10.0, 10.0, 1e5, 1e9))


ALONE = {
    "fit": "fit, its training left out",
    "meta.fit": "meta.fit",
    "synthesize": "synthesize, its candidates given",
}
EQUAL = "gone on from, the same result"
FAULTS: tuple[tuple[str, Callable[..., Tries], str], ...] = (
    ("death at each call that writes, in turn", _dying, EQUAL),
    ("one write refused by a full disk, each in turn", _full(False), "result there; " + EQUAL),
    ("a disk that is full from one write on", _full(True), "result there; " + EQUAL),
    ("a read-only folder", _read_only, "told; " + EQUAL),
    ("a checkpoint cut short or with a bit turned", _garbled, "the one before used; " + EQUAL),
    ("a second run in the folder", _second, "refused, with the process; " + EQUAL),
    ("clocks that jump by up to 300 years", _clocks, EQUAL),
)


# Memory ---------------------------------------------------------------------------------------


def memory() -> list[dict[str, Any]]:
    """The memory of a process that runs a machine for a long time and records nothing."""
    process, receive = _measuring()
    rows = [receive.recv() for _ in TICKS]
    process.join()
    for row in rows:
        row["MB more than at the first"] = row["MB"] - rows[0]["MB"]
    return rows


def _measuring() -> tuple[Any, Any]:
    processes = mp.get_context("spawn")
    receive, send = processes.Pipe(duplex=False)
    process = processes.Process(target=_ticks, args=(send,))
    process.start()
    return process, receive


def _ticks(send: Any) -> None:
    import snakebird as sb
    from snakebird.running import Runner

    @sb.machine
    def counts(char: sb.Tokens("abcdefgh")):
        seen = sb.accumulate(char)
        return {"most": sb.max_norm(seen)}

    runner = Runner(counts, chunk=1000, history=False)
    for ticks in TICKS:
        begun = time.monotonic()
        while runner.tick < ticks:
            runner.send("char", "abcdefgh" * 125).advance(1000)
        send.send({"ticks": runner.tick, "MB": resident(), "s": time.monotonic() - begun})


def resident() -> float:
    """Megabytes of this process in memory now, or at most where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
