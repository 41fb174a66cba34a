"""Where a runner stands, and how it came there: immutable, so that nothing is ever half done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snakebird.lowering import State
from snakebird.running._form import Form
from snakebird.running._record import Record


@dataclass(frozen=True)
class Event:
    """Something that came from outside before tick `tick`: `kind` says what, `content` with what.

    * `send`: a source and its messages; `edit`: links; `set`: a path and a value;
    * `replace`: a machine.
    """

    tick: int
    kind: str
    content: tuple[Any, ...]


@dataclass(frozen=True)
class Queue:
    """Messages that wait for a source, the first one next."""

    items: tuple[Any, ...] = ()
    used: int = 0

    def __len__(self) -> int:
        return len(self.items) - self.used

    @property
    def waiting(self) -> tuple[Any, ...]:
        """The messages that have not been delivered."""
        return self.items[self.used :]

    def ahead(self, count: int) -> list[Any]:
        """The next messages, at most `count`."""
        return list(self.items[self.used : self.used + count])

    def after(self, count: int) -> "Queue":
        """The queue once `count` more have been delivered."""
        return Queue(self.items, min(self.used + count, len(self.items)))

    def with_more(self, values: tuple[Any, ...]) -> "Queue":
        """The queue with more messages at its end."""
        return Queue(self.waiting + values)


Past = tuple[Any, Any] | None
"""Events and records, the latest first: `(item, what came before)`."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of history: where it started, and what happened since."""

    start: "Moment"
    past: Past = None

    @property
    def items(self) -> list[Event | Record]:
        """Events and records in the order they happened."""
        found, past = [], self.past
        while past is not None:
            item, past = past
            found.append(item)
        return found[::-1]


@dataclass(frozen=True, eq=False)
class Moment:
    """Where a runner stands between two chunks."""

    form: Form
    state: State
    tick: int = 0
    queues: Mapping[str, Queue] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()

    def bare(self) -> "Moment":
        """The same moment without its history."""
        return replace(self, segments=())

    def noting(self, item: Event | Record) -> "Moment":
        """The moment with one more item in its history, if it keeps any."""
        if not self.segments:
            return self
        *earlier, last = self.segments
        return replace(self, segments=(*earlier, replace(last, past=(item, last.past))))

    def trimmed(self, keep: int) -> "Moment":
        """The moment with old segments dropped; at least the last `keep` ticks stay."""
        if self.tick - self.segments[-1].start.tick < keep:
            return self
        return replace(self, segments=(self.segments[-1], Segment(self.bare())))

    @property
    def items(self) -> list[Event | Record]:
        """All of the history that is kept, in order."""
        return [item for segment in self.segments for item in segment.items]
