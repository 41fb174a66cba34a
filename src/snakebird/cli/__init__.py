"""The command `snakebird`."""

import os
import sys
from typing import NoReturn

from snakebird.cli._main import INTERRUPTED, main as main


def command() -> NoReturn:
    """Run the command and end the process with its exit code.

    After an interrupt a compilation may go on in another thread, which Python's orderly end would
    pull the ground from under; all that is to be kept is written by then.
    """
    code = main()
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
