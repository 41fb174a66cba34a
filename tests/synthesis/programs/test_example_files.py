"""Examples in files: what comes back, and where the mistakes in them are."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from snakebird.errors import FileFormatError, InputError, SnakebirdError, UnknownNameError
from snakebird.synthesis.programs._example_files import read_examples, write_examples
from snakebird.synthesis.programs._examples import Example, Examples

DECIMALS = st.builds(Fraction, st.integers(-(10**6), 10**6), st.sampled_from([1, 2, 8, 25, 1000]))
TOKENS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3).filter(
    lambda text: text != ":number"
)
TREES = st.dictionaries(TOKENS, st.one_of(DECIMALS, st.dictionaries(TOKENS, DECIMALS)), max_size=3)
PLAIN = st.text("ab ,\"'\n\r;é-", min_size=1, max_size=3)


def rows_of(values: st.SearchStrategy) -> st.SearchStrategy:
    """Some examples, as rows of a tick each with two inputs and an output."""
    rows = st.lists(st.tuples(values, values, values), min_size=1, max_size=4)
    return st.lists(rows, min_size=1, max_size=3)


def examples_of(runs: list) -> list[Example]:
    columns = [list(zip(*rows, strict=True)) for rows in runs]
    return [Example({"x": x, "w": w}, {"y": y}) for x, w, y in columns]


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "runs.jsonl"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def fails(kind: type[SnakebirdError], what: str, where: str, hint: str, path, **options) -> None:
    """Reading fails with three parts that contain these texts; `FILE` in `where` is the path."""
    with pytest.raises(kind) as caught:
        Examples.read(path, **options)
    error = caught.value
    assert type(error) is kind
    assert what in error.what
    assert where.replace("FILE", str(path)) in error.where
    assert hint in error.hint


# What comes back --------------------------------------------------------------------------------

SHARED = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED
@given(runs=rows_of(st.one_of(DECIMALS, TOKENS, TREES, st.none())))
def test_what_is_written_as_json_lines_comes_back(runs, tmp_path):
    items = examples_of(runs)
    write_examples(items, tmp_path / "runs.jsonl")
    assert list(read_examples(tmp_path / "runs.jsonl", exact=True)) == items


@SHARED
@given(runs=rows_of(st.one_of(st.fractions(), PLAIN, st.none())))
def test_what_is_written_as_a_table_comes_back(runs, tmp_path):
    items = examples_of(runs)
    write_examples(items, tmp_path / "runs.csv")
    assert list(read_examples(tmp_path / "runs.csv", exact=True)) == items


@SHARED
@given(runs=rows_of(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_come_back_to_their_last_digit(runs, tmp_path):
    items = examples_of(runs)
    for name in ("runs.csv", "runs.jsonl"):
        write_examples(items, tmp_path / name)
        assert list(read_examples(tmp_path / name, exact=False)) == items


def test_json_lines_have_a_long_and_a_short_form(file):
    path = file(
        '{"inputs": {"char": "aba"}, "outputs": {"seen": [0, null, {"a": {"b": -2.50}}]}}\n\n'
        '{"inputs": {"char": ["c", null]}, "outputs": {"seen": [0, 1.0]}}\n'
    )
    examples = Examples.read(path)
    assert examples[0].inputs == {"char": ("a", "b", "a")}
    assert examples[0].outputs == {"seen": (0, None, {"a": {"b": Fraction(-5, 2)}})}
    assert examples[1].outputs == {"seen": (0, 1)}
    assert [example.where for example in examples] == [f"{path}, line 1", f"{path}, line 3"]
    short = Examples.read(file('{"input": "ab", "output": [1, 2]}'))
    assert (short[0].inputs, short[0].outputs) == ({"x": ("a", "b")}, {"result": (1, 2)})


def test_decimals_are_fractions_when_answers_must_be_exact_and_else_floats(file):
    path = file('{"input": [0.1, 3, 1e-1], "output": [0.3, 2, 5.0]}')
    exact, near = Examples.read(path), Examples.read(path, tolerance=0.01)
    assert exact[0].inputs["x"] == (Fraction(1, 10), 3, Fraction(1, 10))
    assert near[0].inputs["x"] == (0.1, 3, 0.1)
    assert [type(v) for v in near[0].outputs["result"]] == [float, int, float]
    assert near.tolerance == 0.01


def test_a_table_has_a_tick_a_row_and_rows_of_one_example_belong_together(file):
    path = file(
        "example,in:a,in:char,out:y\nfirst,1,x,\nsecond,2,,0.5\nfirst,1/3, ,4\n", "runs.csv"
    )
    first, second = Examples.read(path)
    assert first == Example({"a": (1, Fraction(1, 3)), "char": ("x", " ")}, {"y": (None, 4)})
    assert second == Example({"a": (2,), "char": (None,)}, {"y": (Fraction(1, 2),)})
    assert second.where == f"{path}, line 3"


def test_a_table_without_a_column_of_examples_or_with_a_blank_one_is_one_example(file):
    plain = Examples.read(file("in:x,out:y\n1,1\n2,3\n", "plain.csv"))
    blank = Examples.read(file("\ufeffexample, in:x ,out:y\r\n,1,1\r\n,2,3\r\n", "blank.csv"))
    assert plain.items == blank.items == (Example({"x": (1, 2)}, {"y": (1, 3)}),)


def test_tokens_may_be_declared_for_all_inputs_or_for_each(file):
    path = file('{"inputs": {"x": "ab", "w": ["c", 1]}, "outputs": {"y": "zz"}}')
    assert len(Examples.read(path, tokens="abc")) == 1
    assert len(Examples.read(path, tokens={"w": ["c"]})) == 1
    fails(
        InputError,
        "the token 'b' is not among the 2 that may arrive",
        "FILE, line 1, input 'x', tick 1",
        "or add it to tokens=",
        path,
        tokens=iter(["a", "c"]),
    )
    fails(
        UnknownNameError,
        "no input is named 'chars'",
        "tokens",
        "known here: 'w', 'x'",
        path,
        tokens={"chars": "ab"},
    )


# Mistakes ---------------------------------------------------------------------------------------

OK = '{"input": [1], "output": [1]}'


@pytest.mark.parametrize(
    ("text", "what", "where", "hint"),
    [
        ("", "there are no examples", "FILE", "write at least one"),
        ("\n \n", "there are no examples", "FILE", "write at least one"),
        (OK + '\n{"input": [1,}', "no JSON: ", "FILE, line 2, column 14", "one example a line"),
        ("[1]", "found a list, expected an object", "FILE, line 1", 'write {"inputs"'),
        ('{"input": [1], "input": [2]}', "the key 'input' stands twice", "FILE, line 1", "one"),
        ('{"input": [1e999999999]}', "more than 400 digits", "FILE, line 1", "one example a line"),
        ('{"input": ' + "[" * 99999, "nested too deeply", "FILE, line 1", "one example a line"),
    ],
)
def test_broken_lines_are_found(file, text, what, where, hint):
    fails(FileFormatError, what, where, hint, file(text))


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ('{"input": [1, 2], "output": [1]}', "streams of different lengths", "FILE, line 1"),
        ('{"input": [NaN], "output": [1]}', "found nan", "FILE, line 1, input 'x', tick 0"),
        ('{"input": [true, [1]], "output": [1, 1]}', "found [1] (list)", "FILE, line 1, input 'x'"),
        ('{"input": [1], "output": [null]}', "nothing is asked", "FILE, line 1"),
        (OK + '\n{"inputs": {"a": [1]}, "output": [1]}', "the inputs are a", "FILE, line 2"),
        (
            OK + "\n" + OK.replace("[1]}", "[2]}"),
            "examples 1 and 2 contradict each other",
            "FILE, line 1; FILE, line 2; common inputs x: 1",
        ),
    ],
)
def test_examples_that_no_program_can_follow_are_found_in_the_file(file, text, what, where):
    path = file(text)
    with pytest.raises(InputError) as caught:
        Examples.read(path)
    assert what in caught.value.what
    assert where.replace("FILE", str(path)) in caught.value.where


@pytest.mark.parametrize(
    ("text", "what", "where", "hint"),
    [
        ("", "no column begins with `in:`", "line 1", "in:x,out:y"),
        ("in:x\n1\n", "no column begins with `out:`", "line 1", "in:x,out:y"),
        ("in:x,out:y\n", "there are no examples", "FILE", "write at least one"),
        ("in:x,y\n1,1\n", "column 2 is named 'y'", "line 1", "write in:y or out:y"),
        ("in:x,in:x,out:y\n", "two columns are named 'in:x'", "line 1", "rename one"),
        ("in:x,out:y\n1,1\n2\n", "a row has 1 cells, the header 2", "line 3", "one cell a column"),
        ('in:x,out:y\n1,1\n"2,1\n', "no CSV: ", "line 3", ""),
        ("in:x,out:y\n1,1e999999\n", "more than 400 digits", "line 2, column 'out:y'", "shorter"),
    ],
)
def test_broken_tables_are_found(file, text, what, where, hint):
    fails(FileFormatError, what, where, hint, file(text, "runs.csv"))


def test_a_cell_that_is_not_a_finite_number_is_found(file):
    for cell in ("nan", "-inf"):
        fails(
            InputError,
            "expected a finite number",
            "FILE, line 2, column 'in:x'",
            "write None where there is nothing",
            file(f"in:x,out:y\n{cell},1\n", "runs.csv"),
        )


def test_files_that_are_none_are_found(file, tmp_path):
    file(OK)
    fails(FileFormatError, "no such file", "FILE", "'runs.jsonl'", tmp_path / "run.jsonl")
    fails(
        FileFormatError, "'.json' is no file", "FILE", "did you mean '.jsonl'", file("", "a.json")
    )
    fails(FileFormatError, "cannot read this: not UTF-8", "FILE", ".csv", file(b"\xff", "b.csv"))
    (tmp_path / "folder.csv").mkdir()
    fails(FileFormatError, "cannot read this: ", "FILE", ".jsonl", tmp_path / "folder.csv")


@pytest.mark.parametrize(
    ("value", "name", "what", "hint"),
    [
        (Fraction(1, 3), "runs.jsonl", "1/3 has no finite decimal", "write a .csv file"),
        ({"a": 1}, "runs.csv", "a table cannot hold a tree", "write a .jsonl file"),
        ("12", "runs.csv", "the token '12' would be read as a number", "write a .jsonl file"),
        ("", "runs.csv", "the token '' would be read as a number, or as nothing", ".jsonl"),
        (1, "runs.txt", "'.txt' is no file of examples", "known here: '.csv', '.jsonl'"),
        (1, "nowhere/runs.csv", "cannot write the file: No such file", "another path"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_it_is_written(tmp_path, value, name, what, hint):
    with pytest.raises(InputError) as caught:
        Examples.of([([value], [1])]).write(tmp_path / name)
    assert what in caught.value.what
    assert str(tmp_path / name) in caught.value.where
    assert hint in caught.value.hint
    assert not (tmp_path / name).exists()
