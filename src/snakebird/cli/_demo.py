"""`snakebird demo`: a law found in real data, then a program found from examples.

Both are what `snakebird fit` and `snakebird synthesize` do with a file that anyone could write.
"""

import csv
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, files
from importlib.resources import files as resources
from pathlib import Path

from snakebird.cli._long import tell
from snakebird.errors import InputError

SHOWN = 6
"""So many words are shown with their counts."""


def demo(folder: Path, seed: int) -> int:
    """The whole story; writes into a folder. 0 if law and program were found, else 1."""
    began = time.perf_counter()
    done = law(folder, seed) or program(folder, seed)
    if not done:
        print(f"\ndone in {time.perf_counter() - began:.0f} s; what to look at:")
        print(f"  {folder}/lynx_hare/report.html   {folder}/word_count/report.html")
        print(f"to go on: change {folder}/lynx_hare.py, and snakebird fit it again")
    return done


def law(folder: Path, seed: int) -> int:
    """What the lynx eats, from 21 years of pelts."""
    print("\n1. Hares and lynxes in Canada, 1900 to 1920: how many hares are eaten?")
    print("  known    hare' = births hare - eaten,  lynx' = gain eaten - deaths lynx")
    print("  unknown  eaten(hare, lynx), births, gain, deaths")
    file, out = _copied("lynx_hare", folder)
    print(f"  $ snakebird fit {file} --starts 2 --seed {seed} --out {out}\n", flush=True)
    tell("  loading JAX ...")
    from snakebird.cli import _fit

    asked = _fit.Asked(file, None, out, seed, 2, "5m", False, True)
    return _fit.run(_fit.read(asked), asked)


def program(folder: Path, seed: int) -> int:
    """A program that counts, which then reads a real text."""
    print("\n2. After each word, how often did it come? Learned from texts of twelve letters.")
    file, out = _copied("word_count", folder)
    print(f"  $ snakebird synthesize {file} --seed {seed} --out {out}\n", flush=True)
    from snakebird.cli import _synthesize
    from snakebird.cli._synthesize_asked import Asked
    from snakebird.cli._synthesize_problem import read_problem

    asked = Asked(file, out, "5m", 32, seed, None, None, None, False)
    ended = _synthesize.run(read_problem(asked), asked)
    return ended or read_license(out)


def read_license(folder: Path) -> int:
    """Let the program that was found read a text it was not made for; 0 if it counts right."""
    from snakebird.machines import load
    from snakebird.neurons import source
    from snakebird.running import Runner

    words = words_of(license_text())
    made = load(folder / "best.json")
    tokens = source(tokens=tuple(dict.fromkeys(words)))
    reader = made.replace(neurons={**made.neurons, "word": tokens}, name="count_words")
    runner = Runner(reader, chunk=400).send("word", words).advance(len(words))
    right = runner.number("output.result").tolist() == counted(words)
    counts = Counter(words)
    _write_counts(counts, folder / "counts.csv")
    print(f"\nthe same {len(made.links)} links read the Apache license: {_most(counts)}, ...")
    print(f"  {len(words)} words, held against plain Python after each: ", end="")
    print("all equal" if right else "NOT equal")
    return 0 if right else 1


def counted(words: list[str]) -> list[int]:
    """What plain Python answers after each word.

    >>> counted(["a", "b", "a"])
    [1, 1, 2]
    """
    seen: Counter[str] = Counter()
    answers = []
    for word in words:
        seen[word] += 1
        answers.append(seen[word])
    return answers


def words_of(text: str) -> list[str]:
    """Words in small letters.

    >>> words_of("You may, you must.")
    ['you', 'may', 'you', 'must']
    """
    return re.findall(r"[a-z]+", text.lower())


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


def _most(counts: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts.most_common(SHOWN))


def _copied(name: str, folder: Path) -> tuple[Path, Path]:
    """A file of the demo copied into the folder, and the folder for what comes of it."""
    text = (resources("snakebird.cli.demos") / f"{name}.py").read_text("utf-8")
    file = folder / f"{name}.py"
    with _writing(folder):
        file.write_text(text, "utf-8")
    return file, folder / name


def _write_counts(counts: Counter[str], path: Path) -> None:
    with _writing(path.parent), path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["word", "count"])
        table.writerows(counts.most_common())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"cannot write here: {error.strerror}", str(folder), "choose another --folder"
        ) from None
