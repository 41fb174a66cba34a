"""`snakebird demo`: train a machine, read it as a program, let it count the words of a text."""

import csv
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np

from snakebird import neurons as nr
from snakebird.cli._search import LATENCY, LETTERS, STOP, Search, simple
from snakebird.cli._show import draw
from snakebird.errors import InputError
from snakebird.machines import Machine, run, save, to_source
from snakebird.running import Runner

ROUNDS = 12
CUTS = {6: 0.02, 7: 0.04, 8: 0.06, 9: 0.08, 10: 0.1, 11: 0.12}
"""From these rounds on, links whose weight is smaller than this are taken out."""


def demo(folder: Path, seed: int) -> int:
    """The whole story; writes into a folder. Returns 0 if the machine counts right, else 1."""
    began = time.perf_counter()
    machine, exact = found(seed)
    print("\nthe program it found:\n")
    print(to_source(machine).rstrip())
    print(f"\nchecked on 20 random texts of 60 letters, tick by tick: {_says(exact)}")
    words = words_of(license_text())
    reader = with_words(machine, words)
    counts, right = count_words(reader, words)
    write(folder, reader, counts)
    print(f"\ndone in {time.perf_counter() - began:.0f} s")
    print(f"next: snakebird show {folder}/machine.json · snakebird check {folder}/machine.json")
    return 0 if exact and right else 1


def found(seed: int) -> tuple[Machine, bool]:
    """Train, thin out and simplify; the machine, and whether it is exact on fresh texts."""
    search = Search(seed)
    links, letters = int(search.free.sum()), "".join((*LETTERS, STOP))
    print(
        f"  {len(search.start.weights)} machines, {links} random weights each, letters {letters!r}"
    )
    now = search.start
    print("  compiling the training step ...", flush=True)
    with _progress(ROUNDS) as say:
        for k in range(ROUNDS):
            now = search.train(now, 2e-3, 1.0)
            if k in CUTS:
                now = search.thinned(now, CUTS[k])
            say("training", f"best loss {min(now.loss):.1e}")
    standing = np.asarray(now.stands)[:, search.free].sum(1)
    members = np.argsort(np.where(np.isfinite(now.loss), now.loss, np.inf) + 1e-3 * standing)
    candidates = []
    for member in members[:3]:
        machine = search.lifted(search.pruned(now, int(member)))
        for candidate, how in ((simple(machine), "in simple numbers"), (machine, "as trained")):
            if is_exact(candidate):
                print(f"  of {links} trained links {_trained(candidate)} are left, {how}")
                return candidate, True
        candidates.append(machine)
    left = _trained(candidates[0])
    print(f"  of {links} trained links {left} are left; none of 3 machines is exact")
    return candidates[0], False


def _trained(machine: Machine) -> int:
    return sum(link.trainable for link in machine.links)


def is_exact(machine: Machine) -> bool:
    """Whether the readable engine counts right on random texts longer than those of training."""
    texts = np.random.default_rng(1234)
    for _ in range(20):
        text = [str(token) for token in texts.choice([*LETTERS, STOP], 60)]
        got = run(machine, len(text), inputs={"word": text})
        for port, wanted in expected(text).items():
            numbers = [
                float(x) if isinstance(x, (int, float)) else 0.0 for x in got[f"output.{port}"]
            ]
            if not np.allclose(numbers, wanted, atol=1e-9):
                return False
    return True


def expected(tokens: list[str]) -> dict[str, list[int]]:
    """What plain Python counts after each token, as late as the machine can know it."""
    seen: Counter[str] = Counter()
    repeats, stops, most = [], [], 0
    for token in tokens:
        seen[token] += 1
        most = max(most, seen[token])
        repeats.append(most - 1)
        stops.append(seen[STOP])
    late = {"repeats": repeats, "stops": stops}
    return {p: ([0] * LATENCY[p] + x)[: len(tokens)] for p, x in late.items()}


def with_words(machine: Machine, words: list[str]) -> Machine:
    """The same machine with the words of a text for its letters: no link changes."""
    source = nr.source(tokens=tuple(dict.fromkeys([*words, STOP])))
    return machine.replace(neurons={**machine.neurons, "word": source}, name="count_words")


def count_words(machine: Machine, words: list[str]) -> tuple[dict[str, int], bool]:
    """Run on a text, print what the machine counts, and hold it against plain counting."""
    ticks = len(words) + max(LATENCY.values())
    runner = Runner(machine, chunk=400).send("word", words).advance(ticks)
    memories = [n for n, neuron in machine.neurons.items() if neuron.type is nr.accumulator]
    held = runner.outputs[memories[0]]["result"] if memories else {}
    counts = {word: round(count) for word, count in held.items()}
    plain, repeats = Counter(words), runner.number("output.repeats")
    right = counts == dict(plain) and all(abs(held[w] - n) < 1e-3 for w, n in plain.items())
    for port, wanted in expected(words).items():
        got = runner.number(f"output.{port}")[: len(words)]
        right = right and bool(np.allclose(got, wanted, atol=1e-3))
    sizes = f"{len(plain)} words for {len(LETTERS) + 1} letters"
    print(f"\nnow the same links read the Apache license, {sizes}:")
    for word, count in by_count(counts)[:10]:
        print(f"  {word:<14} {count:4d}")
    twice = sum(count > 1 for count in counts.values())
    print(f"{len(words)} tokens, {twice} of {len(counts)} different ones stand more than once;")
    last = repeats[-1]
    print(f"output.repeats ends at {last:g}: the most frequent one came {last + 1:g} times")
    print(f"held against plain Python counting, every word and every tick: {_says(right)}")
    return counts, right


def by_count(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The counts, the largest first, then by the alphabet."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def words_of(text: str) -> list[str]:
    """Words in small letters, and full stops."""
    return re.findall(r"[a-z]+|\.", text.lower())


def license_text() -> str:
    """The text of the license this package comes with."""
    try:
        known = [f for f in files("snakebird") or [] if f.name == "LICENSE"]
    except PackageNotFoundError:
        known = []
    places = [Path(str(f.locate())) for f in known] + [Path(__file__).parents[3] / "LICENSE"]
    for place in places:
        if place.is_file():
            return place.read_text("utf-8")
    raise InputError("the license text is not there", str(places[-1]), "install the package again")


def write(folder: Path, machine: Machine, counts: dict[str, int]) -> None:
    """The machine, its diagram and the counts as files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(machine, folder / "machine.json")
        draw(machine, folder / "diagram.svg")
        with (folder / "counts.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["word", "count"])
            table.writerows(by_count(counts))
    except OSError as error:
        raise InputError(
            f"cannot write here: {error.strerror}", str(folder), "choose another --folder"
        ) from None
    print(f"\nwrote {folder}/machine.json, diagram.svg and counts.csv")


def _says(right: bool) -> str:
    return "all equal" if right else "NOT equal"


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A moving bar on a terminal, else one line a step."""
    began = time.perf_counter()
    if not sys.stdout.isatty():
        steps = iter(range(1, total + 1))
        yield lambda what, text: print(
            f"  {what} {next(steps)}/{total}  {text}  {time.perf_counter() - began:.1f} s",
            flush=True,
        )
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task("training", total=total, text="compiling")
        yield lambda what, text: bar.update(task, advance=1, description=what, text=text)
