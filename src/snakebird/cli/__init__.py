"""The command `snakebird`."""

from snakebird.cli._main import main as main
