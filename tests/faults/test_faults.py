"""Every fault a folder may meet, for each kind of run: what comes out is what comes out without."""

import errno
import os
import random
import resource
import signal
import time
import warnings
from pathlib import Path

import pytest

from snakebird.fitting import _lock
from snakebird.fitting._keeping import FolderWarning, before
from tests.faults.injection import another, cut, full, garble, system
from tests.faults.runs import QUICK, Kind, Result, history_of


@pytest.fixture(scope="module", params=QUICK)
def kind(request) -> Kind:
    return QUICK[request.param]


@pytest.fixture(scope="module")
def whole(kind, tmp_path_factory) -> tuple[Result, list, int]:
    """The result without a fault, its history, and how often it asked the system to write."""
    folder = tmp_path_factory.mktemp("whole")
    with system() as seen:
        found = kind.run(folder, False)
    return found, history_of(folder), seen.calls


def spread(count: int, number: int) -> list[int]:
    """Some of the first `count` numbers, both ends among them."""
    return sorted({round(k * (count - 1) / (number - 1)) for k in range(number)})


def test_killed_at_any_write_a_run_ends_as_it_would_have(kind, whole, tmp_path):
    found, history, calls = whole
    begun = 0
    for at in spread(calls, 13):
        folder = tmp_path / str(at)
        cut(kind, folder, at)
        resume = (folder / kind.checkpoint).exists() or before(folder / kind.checkpoint).exists()
        begun += resume
        assert kind.run(folder, resume) == found
        assert history_of(folder) == history
        assert not [*folder.glob(".*")]
    assert begun >= 11


def test_where_a_single_write_fails_nothing_is_lost(kind, whole, tmp_path):
    found, history, calls = whole
    told, refused = 0, []
    for at in spread(calls, 13):
        folder = tmp_path / str(at)
        with system(full(at=at, until=at + 1)), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                assert kind.run(folder, False) == found
            except kind.error as error:
                refused.append(error.what)
                continue
        told += [one.category for one in caught] == [FolderWarning]
        assert kind.run(folder, True) == found
        assert history_of(folder) == history
    assert set(refused) == {"cannot write here: No space left on device"}
    assert len(refused) <= 5
    assert told >= 7


def test_on_a_disk_that_stays_full_a_run_gives_its_result(kind, whole, tmp_path):
    found, history, calls = whole
    for at in (calls // 2, calls - 4):
        folder = tmp_path / str(at)
        message = "cannot write in .*: No space left on device; the run goes on"
        with system(full(at=at)), pytest.warns(FolderWarning, match=message) as caught:
            assert kind.run(folder, False) == found
        assert len(caught) == 1
        assert kind.run(folder, True) == found
        assert history_of(folder) == history


def test_writes_that_the_system_breaks_off_leave_no_part(kind, whole, tmp_path):
    """The system itself refuses what makes any file longer than so many bytes."""
    found, history, _ = whole
    cut(kind, tmp_path, whole[2] // 2)
    size = (tmp_path / kind.checkpoint).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FolderWarning)
            assert kind.run(tmp_path, True) == found
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kind.run(tmp_path, True) == found
    assert history_of(tmp_path) == history


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_checkpoint_on_a_full_device(kind, whole, tmp_path):
    cut(kind, tmp_path, whole[2] - 12, opening=True)
    draft = tmp_path / f".{kind.checkpoint}.tmp"
    draft.unlink(missing_ok=True)
    draft.symlink_to("/dev/full")
    with pytest.warns(FolderWarning, match="No space left on device; the run goes on"):
        assert kind.run(tmp_path, True) == whole[0]
    draft.symlink_to("/dev/full")
    with pytest.raises(kind.error, match=r"(?s)here: No space left.*choose another folder"):
        kind.run(tmp_path, False)
    assert not draft.exists()


def test_folders_that_cannot_be_written(kind, tmp_path):
    (tmp_path / "file").touch()

    def read_only(number: int, name: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.raises(kind.error) as caught:
        kind.run(tmp_path / "file" / "run", False)
    assert caught.value.args[0] == (
        "cannot write here: Not a directory\n"
        f"  at {tmp_path / 'file' / 'run'}\n"
        "  hint: choose another folder"
    )
    with system(read_only), pytest.raises(kind.error, match="here: Read-only file system"):
        kind.run(tmp_path / "run", False)


def test_of_a_garbled_checkpoint_the_one_before_is_used(kind, whole, tmp_path):
    found, history, calls = whole
    cut(kind, tmp_path, calls - 12, opening=True)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    path = tmp_path / kind.checkpoint
    for garbled in garble(kept[kind.checkpoint], random.Random(0)):
        for name, data in kept.items():
            (tmp_path / name).write_bytes(data)
        path.write_bytes(garbled)
        with pytest.warns(FolderWarning, match="is not whole; going on from the checkpoint before"):
            assert kind.run(tmp_path, True) == found
        assert history_of(tmp_path) == history


def test_where_no_checkpoint_is_whole_that_is_told(kind, whole, tmp_path):
    cut(kind, tmp_path, whole[2] - 12, opening=True)
    path = tmp_path / kind.checkpoint
    for one in (path, before(path)):
        one.write_bytes(one.read_bytes()[:-9])
    for _ in range(2):  # and nothing has changed by then
        with pytest.raises(kind.error) as caught:
            kind.run(tmp_path, True)
        assert caught.value.args[0] == (
            f"this is no whole checkpoint\n  at {path}\n  hint: leave out resume to begin anew"
        )
    assert kind.run(tmp_path, False) == whole[0]


def test_where_there_is_no_checkpoint_that_is_told(kind, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(kind.error, match=r"(?s)there is no checkpoint.*leave out resume"):
            kind.run(folder, True)
    assert [*tmp_path.iterdir()] == []


def test_a_history_that_was_damaged_is_mended(kind, whole, tmp_path):
    found, history, calls = whole
    cut(kind, tmp_path, calls - 12, opening=True)
    path = tmp_path / "history.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\xff" + lines[1][1:], *lines[2:], b'{"cut": ']))
    with pytest.warns(FolderWarning, match="the others are left out"):
        result = kind.run(tmp_path, True)
    assert {**result, "history": 0} == {**found, "history": 0}
    assert history_of(tmp_path) == [history[0], *history[2:]]


def test_a_second_run_in_the_folder_is_refused(kind, whole, tmp_path):
    cut(kind, tmp_path, whole[2] - 12, opening=True)
    with another(tmp_path) as process:
        kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
        for resume in (False, True):
            with pytest.raises(kind.error) as caught:
                kind.run(tmp_path, resume)
            assert caught.value.args[0] == (
                f"another run is using this folder: process {process.pid}\n"
                f"  at {tmp_path}\n"
                "  hint: wait until it is done, end it, or choose another folder"
            )
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == kept
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / ".lock").exists()
        assert kind.run(tmp_path, True) == whole[0]
    assert not (tmp_path / ".lock").exists()


def test_two_runs_of_one_process_are_refused_too(kind, tmp_path):
    held = _lock.take(tmp_path)
    with pytest.raises(
        kind.error, match=f"another run is using this folder: process {os.getpid()}"
    ):
        kind.run(tmp_path, False)
    _lock.free(held, tmp_path)
    kind.run(tmp_path, False)


@pytest.mark.parametrize("clock", [0.0, -1e9, 4e9])
def test_clocks_that_jump_change_nothing(kind, whole, tmp_path, monkeypatch, clock):
    at = iter(range(10**9))
    jumping = lambda: max(0.0, 1.7e9 + clock * (next(at) % 2))
    monkeypatch.setattr(time, "time", jumping)
    cut(kind, tmp_path, whole[2] - 12, opening=True)
    assert kind.run(tmp_path, True) == whole[0]
    monkeypatch.setattr(time, "time", lambda: 0.0)  # of 1970, which no archive can tell
    assert kind.run(tmp_path / "1970", False) == whole[0]
