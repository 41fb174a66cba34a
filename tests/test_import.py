"""The package root: lazy, complete, and without effect on JAX."""

import subprocess
import sys

import pytest

import snakebird as sb


def run_python(code: str) -> None:
    """Run in a fresh interpreter; what it raises is the failure."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stderr, pytrace=False)


def test_import_leaves_jax_alone():
    run_python("import sys, snakebird; assert 'jax' not in sys.modules")


def test_help_leaves_jax_alone():
    run_python(
        "import sys\n"
        "from snakebird.cli import main\n"
        "sys.argv = ['snakebird', '--help']\n"
        "try:\n"
        "    code = main()\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "assert not code, code\n"
        "assert 'jax' not in sys.modules\n"
    )


def test_no_jax_flag_is_changed():
    run_python(
        "import jax, diffrax, equinox, optax\n"
        "before = dict(jax.config.values)\n"
        "import snakebird as sb\n"
        "for name in dir(sb):\n"
        "    getattr(sb, name)\n"
        "after = dict(jax.config.values)\n"
        "changed = {k: v for k, v in after.items() if before.get(k, v) != v}\n"
        "assert not changed, changed\n"
    )


@pytest.mark.parametrize("name", ["__version__", *sb._EXPORTS])
def test_every_export_is_there(name: str):
    assert getattr(sb, name) is not None
    assert name in dir(sb)


def test_no_export_hides_a_room():
    assert not sb._rooms() & set(sb._EXPORTS)


def test_a_name_of_a_room_is_told_where_it_is():
    with pytest.raises(AttributeError, match=r"no `Doses` at the top; it is `sb\.equations\.D"):
        sb.Doses  # noqa: B018


def test_an_unknown_name_suggests_near_ones():
    with pytest.raises(AttributeError, match=r"did you mean `sb\.errors`\?"):
        sb.errrors  # noqa: B018
