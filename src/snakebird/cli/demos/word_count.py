"""After each word: how often did it come until now? Examples are texts of twelve letters."""

import snakebird as sb


def count(seen, word):
    """The counts after a word, and what to answer."""
    seen = {**seen, word: seen.get(word, 0) + 1}
    return seen, seen[word]


reference = sb.Stepwise(count, start={})
draws = {"word": sb.synthesis.TokenDraw("abcdef")}
length = 12
