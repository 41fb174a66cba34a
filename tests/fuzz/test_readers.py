"""Whatever stands in a file: a value that can be written again, or an error in three lines."""

import json
import random
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

import snakebird as sb
from snakebird.errors import FileFormatError, InputError, SnakebirdError, ValueFormatError
from snakebird.machines import from_json
from tests.fuzz.edits import TEXTS, VALUES, edited, with_wrong_leaves
from tests.fuzz.readers import READERS
from tests.fuzz.reading import Defect, Reader, nothing_happens, try_reading

FEW = {"runner": 30, "fit checkpoint": 60, "machine": 80}
"""How many files of a kind are tried where each takes long; of others, a hundred."""

UNSAFE = ("parquet",)
"""Garbled Parquet ends the process inside polars; cut files and other bytes do not."""

every_reader = pytest.mark.parametrize("name", READERS)
every_text_reader = pytest.mark.parametrize("name", [n for n in READERS if n not in UNSAFE])
every_json_reader = pytest.mark.parametrize("name", [n for n, r in READERS.items() if r.json])


def search(name: str, inputs: st.SearchStrategy, folder: Path, *first: bytes) -> None:
    """Try a reader on many inputs, some of them first."""

    def tried(data: bytes) -> None:
        try_reading(READERS[name], data, folder)

    for data in first:
        tried(data)
    few = settings(
        max_examples=min(FEW.get(name, 100), settings().max_examples),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    few(given(inputs)(tried))()


def spoiled(reader: Reader, spoil) -> st.SearchStrategy[bytes]:
    seeds = reader.seeds()
    return st.builds(
        lambda seed, number: spoil(seed, Random(number)),
        st.sampled_from(seeds),
        st.integers(0, 2**32),
    )


@every_reader
def test_valid_files_are_read(name, tmp_path):
    if name == "parquet":
        pytest.importorskip("polars")
    for seed in READERS[name].seeds():
        wanted = "refused" if name == "problem" else "read"
        assert try_reading(READERS[name], seed, tmp_path) == wanted


@every_reader
def test_arbitrary_bytes(name, tmp_path):
    inputs = st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(str.encode),
        st.text('0123456789eE.+-/,;:"[]{}\t\r\n \\xtu', max_size=40).map(str.encode),
        st.lists(st.sampled_from((*VALUES, *TEXTS)), max_size=5).map(b",".join),
    )
    search(name, inputs, tmp_path, b"", b"\xef\xbb\xbf", b"\0", b"\n")


@every_text_reader
def test_edited_files(name, tmp_path):
    search(name, spoiled(READERS[name], edited), tmp_path)


@every_reader
def test_cut_files(name, tmp_path):
    cut = lambda seed, random: seed[: random.randrange(len(seed) + 1)]
    search(name, spoiled(READERS[name], cut), tmp_path)


@every_json_reader
def test_wrong_leaves(name, tmp_path):
    search(name, spoiled(READERS[name], with_wrong_leaves), tmp_path)


# What is large ---------------------------------------------------------------------------------

N = 100_000
LARGE = {
    "brackets": b"[" * N,
    "braces": b'{"a":' * N,
    "closed brackets": b"[" * N + b"]" * N,
    "digits": b"9" * N,
    "digits and more": b"9" * N + b"x\n",
    "an open quote": b'"' + b"a,b\n" * (N // 4),
    "a long line": b"a" * (10 * N),
    "zeros": b"\0" * N,
    "empty lines": b"\n" * (N // 4),
    "delimiters": b"," * N,
    "columns": b",".join(b"c%d" % k for k in range(N // 10)) + b"\n" + b"1," * (N // 10) + b"\n",
    "mixed line ends": b"t,x\r0,1\r\n1,2\n\r2,3",
}


@every_reader
@pytest.mark.parametrize("kind", LARGE)
def test_large_files(name, kind, tmp_path):
    try_reading(READERS[name], LARGE[kind], tmp_path)


ENDLESS = (
    "9" * 5000, '"1e1000000000"', '"1e-1000000000"', "1e999999999", "[" * 400 + "]" * 400,
    '"\\ud800"', '{"a": 1, "a": 2}',
)  # fmt: skip


@every_json_reader
@pytest.mark.parametrize("value", ENDLESS, ids=[value[:12] for value in ENDLESS])
def test_a_leaf_that_does_not_end(name, value, tmp_path):
    for seed in READERS[name].seeds():
        for at in ("null", "0.5", "2.5", "1", "3", '"1/3"', '"a"'):
            if at.encode() in seed:
                data = seed.replace(at.encode(), value.encode(), 1)
                try_reading(READERS[name], data, tmp_path)


# What was found --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("value", b'"1e1000000000"'),
        ("value", '"1e٩٩٩٩٩٩٩٩٩"'.encode()),
        ("value", b"1" * 4301),
        ("example table", b"in:x,out:y\n" + b"9" * 20_000 + b"x,1\n"),
        ("example table", b"in:x,out:y\n0." + b"3" * 390 + b",1\n"),
        ("example table", b"in:x,o\x1dt:y\n1,1\n"),
        ("example lines", b'{"inputs": {"x": [' + b'{"a":' * 400 + b"1" + b"}" * 400
         + b']}, "outputs": {"y": [1]}}'),
        ("csv source", b"\n\n\n"),
        ("fit history", b"[" * 100_000 + b"\n"),
        ("problem", b"\0"),
        ("problem", b"-" * 100_000 + b"1"),
        ("runner", b"1" * 5000),
    ],
)  # fmt: skip
def test_regressions(name, data, tmp_path):
    try_reading(READERS[name], data, tmp_path)


def test_the_error_of_a_large_machine_is_found_soon(monkeypatch):
    """The one wrong link of many is found by halves; alone each would take as long as all."""
    calls = []
    count = 600
    neurons = {f"n{k}": {"type": "relu"} for k in range(count)}
    links = [{"to": [f"n{k}", "x"], "from": ["n0", "result"], "weight": 1} for k in range(count)]
    links[-7]["to"] = ["nowhere", "x"]
    data = {"format": "snakebird machine", "version": 1, "neurons": neurons, "links": links}
    from snakebird.machines.files import _decode

    class Counted(_decode.Machine):
        def __init__(self, *args, **options):
            calls.append(1)
            super().__init__(*args, **options)

    monkeypatch.setattr(_decode, "Machine", Counted)
    with pytest.raises(FileFormatError) as caught:
        from_json(json.dumps(data), "m.json")
    assert "no neuron is named 'nowhere'" in caught.value.what
    assert f"links[{count - 7}]" in caught.value.where
    assert len(calls) < 40


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (b"\0", "source code string cannot contain null bytes"),
        (b"-" * 100_000 + b"1", "it is nested too deeply"),
        (b"# -*- coding: unknown -*-\n", "unknown encoding: unknown"),
    ],
)
def test_a_problem_that_is_no_source(source, what, tmp_path):
    from snakebird.cli._problem import FIT
    from snakebird.cli._user import run_file

    path = tmp_path / "problem.py"
    path.write_bytes(source)
    with pytest.raises(InputError) as caught:
        run_file(path, FIT)
    assert caught.value.what == f"this is not Python: {what}"
    assert caught.value.where == str(path)


def test_an_exact_number_too_long_for_text_is_refused_both_ways():
    from snakebird import vvalues as vv

    hint = "  hint: round it: write a float"
    what = "an exact number has more than 4300 digits, which text cannot hold\n"
    with pytest.raises(ValueFormatError) as caught:
        vv.dumps({"a": {"b": 10**4300}})
    assert str(caught.value) == f"{what}  at a.b\n{hint}"
    with pytest.raises(ValueFormatError) as caught:
        vv.loads("1" * 4301)
    assert str(caught.value) == f"{what}  at a number without quotes\n{hint}"
    assert vv.loads(vv.dumps({"a": 10**4300 - 1})) == {"a": 10**4300 - 1}


def test_a_fraction_whose_parts_text_can_hold_comes_back():
    from snakebird import vvalues as vv

    value = {"a": Fraction(-(10**4299) - 1, 10**4299 + 7)}
    assert vv.loads(vv.dumps(value)) == value
    assert vv.loads('"1e4299"') == 10**4299
    with pytest.raises(ValueFormatError, match=r'found "1e4300", expected a number'):
        vv.loads('"1e4300"')


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("\n\n", "a file without rows", 1),
        ("x,y\n1,one\n", "found ['1', 'one'], expected numbers", 2),
        ("x\n1\n1,2\n", "found ['1', '2'], expected 1 finite numbers", 3),
    ],
)
def test_a_table_that_is_no_source(text, what, line, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(FileFormatError) as caught:
        sb.csv_source(path)
    assert (caught.value.what, caught.value.where) == (what, f"{path}, line {line}")
    assert caught.value.hint.startswith("write ")


def test_a_mark_at_the_beginning_of_a_source_is_no_part_of_its_header(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbfx,y\n1,2\n")
    assert sb.csv_source(path).parameters["keys"] == ("x", "y")


def test_a_runner_with_a_number_that_is_too_long(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("1" * 5000)
    with pytest.raises(FileFormatError) as caught:
        sb.Runner.restore(path)
    assert caught.value.what == "a number is too long"
    assert caught.value.where == str(path)


def test_a_library_that_panics_is_an_error_of_one_line(tmp_path, monkeypatch):
    class Panic(BaseException):
        """Like that of polars, which is no `Exception`."""

    def panic(path):
        raise Panic("it broke\nin many places")

    monkeypatch.setattr(pytest.importorskip("polars"), "read_parquet", panic)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(FileFormatError) as caught:
        sb.Trajectories.read(path)
    assert caught.value.what == "polars cannot read the file: it broke"


def test_a_problem_that_may_not_be_read(tmp_path, monkeypatch):
    from snakebird.cli._problem import FIT
    from snakebird.cli._user import run_file

    def refused(path):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "problem.py"
    path.write_text("x = 1")
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(InputError) as caught:
        run_file(path, FIT)
    assert str(caught.value) == (
        f"cannot read the file: Permission denied\n  at {path}\n  hint: give another file"
    )


def test_examples_nested_too_deeply_are_refused(tmp_path):
    from snakebird.synthesis.programs import Examples

    path = tmp_path / "e.jsonl"
    path.write_text('{"inputs": {"x": [' + '{"a":' * 98 + "1" + "}" * 98 + ']}, "outputs": {}}')
    with pytest.raises(FileFormatError) as caught:
        Examples.read(path)
    assert str(caught.value) == (
        f"nested too deeply, more than 100 levels\n  at {path}, line 1\n"
        "  hint: write flatter values"
    )


# The check itself ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "match"),
    [
        (lambda path: exec("1"), "exec"),
        (lambda path: path.with_name("other").write_text("x"), "open for writing"),
        (lambda path: path.with_name("other").mkdir(), "os.mkdir"),
        (lambda path: __import__("tabnanny"), "import"),
    ],
)
def test_what_happens_beside_reading_is_seen(read, match, tmp_path, capsys):
    with pytest.raises(Defect, match=match):
        try_reading(Reader("file", read, tuple), b"", tmp_path)


def _raises(error: SnakebirdError):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    "error",
    [
        InputError("what", "where"),
        InputError("what", "", "hint"),
        InputError("two\nlines", "where\nand where", "hint"),
        InputError("a next line\x85", "where", "hint\u2028"),
    ],
)
def test_an_error_that_lacks_something_is_seen(error, tmp_path):
    with pytest.raises(Defect):
        try_reading(Reader("file", _raises(error), tuple), b"", tmp_path)


def test_a_value_that_does_not_come_back_is_seen(tmp_path):
    reader = Reader("file", Path.read_bytes, tuple, again=lambda value, path: (value, b"other"))
    with pytest.raises(Defect, match="after writing"):
        try_reading(reader, b"x", tmp_path)


@example(0)
@given(st.integers(0, 2**32))
def test_edits_give_bytes_and_depend_on_the_seed_alone(number):
    data = b'{"a": [1, 2.5, "x"]}'
    for spoil in (edited, with_wrong_leaves):
        assert spoil(data, Random(number)) == spoil(data, random.Random(number))


def test_nothing_is_seen_outside_of_reading(tmp_path):
    with nothing_happens():
        pass
    (tmp_path / "x").write_text("x")
