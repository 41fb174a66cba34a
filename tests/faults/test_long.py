"""Real runs that the system kills, and machines that run for a million ticks."""

import multiprocessing as mp
import os
import random
import signal
import time
from pathlib import Path

import pytest

import snakebird as sb
from snakebird.fitting._keeping import before
from snakebird.running import Runner
from tests.faults.runs import WHOLE, main


def live(kind: str, folder: Path, moment: float | None, resume: bool) -> bool:
    """A run in a process of its own, killed at a moment if there is one; whether it got done."""
    words = (kind, str(folder), str(folder) + ".txt", *["resume"][:resume])
    process = mp.get_context("spawn").Process(target=main, args=words)
    process.start()
    process.join(moment)
    if process.exitcode is None:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", WHOLE)
def test_killed_at_random_moments_a_run_ends_as_it_would_have(kind, tmp_path):
    begun, chance = time.monotonic(), random.Random(5)
    assert live(kind, tmp_path / "whole", None, False)
    length = time.monotonic() - begun
    for number in range(3):
        folder, kills = tmp_path / str(number), 0
        path, moment = folder / WHOLE[kind].checkpoint, chance.uniform(0.3, 1) * length
        while not live(kind, folder, moment, path.exists() or before(path).exists()):
            kills += 1
            moment = chance.uniform(0.3, 1) * length if kills < 3 else None
        assert (tmp_path / f"{number}.txt").read_text() == (tmp_path / "whole.txt").read_text()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say")
def test_memory_stays_what_it_is_over_a_million_ticks():
    @sb.machine
    def counts(char: sb.Tokens("abcdefgh")):
        return {"most": sb.max_norm(sb.accumulate(char))}

    runner = Runner(counts, chunk=1000, history=False)
    for ticks in (100_000, 1_000_000):
        before_ = resident()
        while runner.tick < ticks:
            runner.send("char", "abcdefgh" * 125).advance(1000)
    assert runner.trees("output.most") == []
    assert runner.outputs["output"]["most"] == 1_000_000 / 8
    assert resident() - before_ < 20e6
