"""The other commands, and the command as a process: quick help, Ctrl-C, closed pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import snakebird

CALL = "import sys; from snakebird.cli import main; sys.exit(main())"


SOURCE = Path(snakebird.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "JAX_ENABLE_X64": "0"}


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CALL, *args],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_help_leaves_the_heavy_libraries_alone(tmp_path):
    code = (
        "import sys; from snakebird.cli import main; sys.argv = ['snakebird', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'equinox', 'matplotlib'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert "doctor" in done.stdout
    assert done.stderr.strip() == "[]"


def test_without_arguments_it_helps(command):
    assert command().out == command("--help").out
    assert command("--version").out == f"snakebird {snakebird.__version__}\n"
    assert command().code == 0


def test_ctrl_c_keeps_what_was_done(tmp_path, letters):
    process = start(tmp_path, "run", letters, "--ticks", "50000000", "--output", "out.jsonl")
    out = tmp_path / "out.jsonl"
    deadline = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size > 100_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["tick"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) % 1000 == 0
    assert err == (
        f"interrupted after {len(rows)} of 50000000 ticks; what was done stands in out.jsonl\n"
    )


def test_a_reader_that_has_seen_enough(tmp_path, letters):
    process = start(tmp_path, "run", letters, "--ticks", "100000")
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"tick": 1,')
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""
    assert process.wait(30) == 0


def test_show(command, letters):
    source = command("show", letters)
    assert source.code == 0
    assert source.out.startswith("import snakebird as sb\n")
    assert 'def repeats(char: sb.Tokens("abc. ")):' in source.out
    links = command("show", letters, "--links")
    assert "max_norm.x" in links.out


@pytest.mark.parametrize(("suffix", "start"), [(".svg", "<svg"), (".mmd", "flowchart")])
def test_show_draws(command, letters, suffix, start):
    done = command("show", letters, "--diagram", f"out{suffix}")
    assert done == (0, f"wrote out{suffix}\n", "")
    assert start in Path(f"out{suffix}").read_text("utf-8")[:200]


def test_check(command, letters, growing):
    done = command("check", letters)
    assert done.code == 0
    assert "1 x max_norm: 5 numbers in, 1 out (max_norm)" in done.out
    assert "5 wide" in done.out
    assert done.out.endswith("this machine is sound\n")
    done = command("check", growing)
    assert done.code == 0
    assert "never stop growing" in done.out


def test_list(command):
    done = command("list", "neurons")
    assert done.code == 0
    assert "\nmax_norm" in done.out
    one = command("list", "neurons", "compare")
    assert one.out.startswith("compare(x, y) -> true, false\n\nHow far")


def test_doctor(command):
    done = command("doctor")
    assert done.code == 0
    assert "devices" in done.out
    assert done.out.endswith("all is here\n")
