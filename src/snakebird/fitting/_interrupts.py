"""Signals that ask a long run to stop."""

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interrupts(asked: Callable[[str], None]) -> Iterator[None]:
    """Tell the name of the first SIGINT or SIGTERM; a second one raises `KeyboardInterrupt`."""
    seen: list[int] = []

    def note(number: int, frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)
        asked(signal.Signals(number).name)

    old = {}
    with contextlib.suppress(ValueError):  # only the main thread may listen
        old = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            if handler is not None:  # one that Python did not set, and cannot set again
                signal.signal(number, handler)
