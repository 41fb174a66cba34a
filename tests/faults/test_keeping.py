"""Seals, archives and locks by themselves."""

import errno
import io
import json
import signal
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from snakebird.errors import FitError
from snakebird.fitting import _lock
from snakebird.fitting._interrupts import interrupts
from snakebird.fitting._keeping import (
    FolderWarning,
    Keeper,
    archive,
    arrays_of,
    sealed,
    unsealed,
    write_whole,
)
from snakebird.fitting._watch import fingerprint, read as read_fit
from snakebird.meta._folder import read as read_outer
from tests.faults.injection import full, system

ARRAYS = st.dictionaries(
    st.text("abcdefg.", min_size=1).filter(lambda name: not name.endswith(".npy")),
    hnp.arrays(
        st.sampled_from(["<f8", "<i8", "?", "<U5"]), hnp.array_shapes(min_dims=0, max_side=3)
    ),
    max_size=3,
)
JSON = st.dictionaries(st.text(), st.integers() | st.text() | st.none(), min_size=1)
KEPT = ARRAYS.map(archive) | JSON.map(lambda value: json.dumps(value).encode())


@given(ARRAYS)
def test_archives_hold_arrays_and_are_as_numpy_writes_them(arrays):
    back = arrays_of(sealed(archive(arrays)))
    assert back.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(back[name], value)
        assert back[name].dtype == value.dtype
    assert archive(arrays) == archive(back)


@given(KEPT)
def test_what_is_sealed_is_still_what_it_was(data):
    back = unsealed(sealed(data))
    assert back is not None
    if data.startswith(b"{"):
        assert back == data
        seal, *rest = json.loads(sealed(data), object_pairs_hook=list)
        assert rest == json.loads(data, object_pairs_hook=list)
        assert seal[0] == "sha256"
    else:
        assert arrays_of(back).keys() == arrays_of(data).keys()


@given(KEPT, st.data())
def test_a_single_bit_breaks_a_seal(data, draw):
    whole = sealed(data)
    at = draw.draw(st.integers(0, len(whole) - 1))
    bit = 1 << draw.draw(st.integers(0, 7))
    assert unsealed(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]) is None
    assert unsealed(whole[:at]) is None
    assert unsealed(whole + b"\n") is None


@given(st.binary(max_size=200) | KEPT, st.data())
def test_what_is_no_archive_is_told_and_runs_nothing(data, draw):
    at = draw.draw(st.integers(0, len(data)))
    garbled = data[:at] + draw.draw(st.binary(max_size=9)) + data[at:]
    for read in (read_fit, read_outer):
        with pytest.raises(FitError, match=r"(?s)this is no checkpoint of .*leave out resume"):
            read(garbled, "run/checkpoint.npz")


def test_a_fingerprint_tells_functions_apart_but_not_where_they_stand_in_memory():
    def draws(name: str) -> Any:
        def draw() -> None: ...

        draw.__qualname__ = name
        return draw

    one, same, other = draws("draw"), draws("draw"), draws("another")
    assert repr(one) != repr(same)
    assert fingerprint(one, np.ones(2)) == fingerprint(same, np.ones(2))
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(np.ones(2)) != fingerprint(np.ones(3))


def test_objects_are_not_unpickled():
    file = io.BytesIO()
    harmless: Any = np.array([object()])
    np.savez(file, mark=harmless)
    with pytest.raises(ValueError, match="this is no archive of arrays"):
        arrays_of(file.getvalue())


def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path):
    path = tmp_path / "checkpoint.npz"
    write_whole(path, b"first", keep=True)
    write_whole(path, b"second", keep=True)
    for at in range(4):
        with system(full(at=at, until=at + 1)), pytest.raises(OSError, match="No space"):
            write_whole(path, b"third", keep=True)
        assert path.read_bytes() == b"second"
        assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    write_whole(path, b"third", keep=True)
    assert (tmp_path / "checkpoint.before.npz").read_bytes() == b"second"


def test_a_lock_that_was_removed_is_taken_anew(tmp_path):
    first = _lock.take(tmp_path)
    with pytest.raises(_lock.TakenError, match="process "):
        _lock.take(tmp_path)
    (tmp_path / _lock.FILE).unlink()
    second = _lock.take(tmp_path)
    _lock.free(second, tmp_path)
    first.close()
    assert [*tmp_path.iterdir()] == []


def test_who_holds_a_folder_on_another_computer_is_told(tmp_path):
    held = _lock.take(tmp_path)
    (tmp_path / _lock.FILE).write_text("17 elsewhere")
    with pytest.raises(_lock.TakenError, match=r"^process 17 on elsewhere$"):
        _lock.take(tmp_path)
    (tmp_path / _lock.FILE).write_text("")
    with pytest.raises(_lock.TakenError, match=r"^another process$"):
        _lock.take(tmp_path)
    _lock.free(held, tmp_path)


def test_systems_and_disks_without_locks_go_without(tmp_path, monkeypatch):
    import fcntl

    def unknown(*args):
        raise OSError(errno.ENOLCK, "no locks here")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", unknown)
        _lock.free(_lock.take(tmp_path), tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    _lock.free(_lock.take(tmp_path), tmp_path)


def test_a_full_disk_that_has_room_again_is_told_once_each_time(tmp_path):
    keeper = Keeper.begin(tmp_path, FitError)
    keeper.save("checkpoint.json", b'{"a": 0}', first=True)

    def hindered() -> None:
        keeper.note(b'"late"')
        keeper.tell()
        keeper.save("checkpoint.json", b'{"a": 1}')

    for number in (1, 2):
        with system(full(at=0)), pytest.warns(FolderWarning, match="cannot write in") as caught:
            hindered()
        assert len(caught) == 1
        keeper.save("checkpoint.json", b'{"a": 2}')
        assert (tmp_path / "history.jsonl").read_bytes() == b'"late"\n' * number
    keeper.close()
    again, data = Keeper.resume(tmp_path, FitError, "checkpoint.json")
    again.close()
    assert data == b'{"a": 2}'


def test_signals_that_python_does_not_handle_are_left(monkeypatch):
    real = signal.signal
    monkeypatch.setattr(signal, "signal", lambda number, handler: real(number, handler) and None)
    before = signal.getsignal(signal.SIGTERM)
    with interrupts(lambda name: None):
        pass
    real(signal.SIGTERM, before)
    real(signal.SIGINT, signal.default_int_handler)
