"""The ladder: what a search for programs must find from examples, by level.

Levels 0 to 3 are arithmetic, finite state, counting, and maps over an open vocabulary; level 4
needs a queue or a stack; level 5 is what gradients are worst at.
"""

from benchmarks.ladder._counting import COUNTING
from benchmarks.ladder._memory import MEMORY
from benchmarks.ladder._numbers import NUMBERS
from benchmarks.ladder._task import Task as Task

TASKS: dict[str, Task] = {task.id: task for task in (*NUMBERS, *COUNTING, *MEMORY)}
"""All tasks by their id."""
