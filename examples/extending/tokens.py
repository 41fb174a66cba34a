"""A source of tokens of your own: the words of a text, those not in a list as one token."""

import re

import snakebird as sb

KNOWN = ("the", "bird", "dives", "?")


def words(text, known=KNOWN):
    """The words of a text in lower case; what is not known is `?`."""
    found = re.findall(r"[a-z]+", text.lower())
    return [word if word in known else "?" for word in found]


@sb.machine
def frequent(word: sb.Tokens(KNOWN)):
    """How often each word came, and how often the most frequent one."""
    counts = sb.accumulate(sb.instant(word))
    return {"counts": sb.instant(counts), "most": sb.instant(sb.max_norm(sb.instant(counts)))}


text = "The snakebird dives. The bird dives, and the fish?"
low = sb.lower(frequent)
trace = low({"word": words(text)})
assert trace.number("output.most")[-1] == 3
assert trace[("output", "counts")].space == sb.Space([(word,) for word in KNOWN])
