# slow
"""Inputs of your own for examples of a program: two streams that hang together."""

import snakebird as sb


def purchases(rng, length, wide=False):
    """Prices, and how many of each; `wide` is for inputs that programs are verified on."""
    highest = 100 if wide else 9
    prices = rng.integers(1, highest, size=length).tolist()
    pieces = [int(rng.integers(1, 4)) if price < 5 else 1 for price in prices]
    return {"price": prices, "pieces": pieces}


def paid(total, price, pieces):
    total = total + price * pieces
    return total, total


examples = sb.Examples.from_reference(sb.Stepwise(paid, 0), purchases, count=12)
print(examples)
found = sb.synthesize(examples, methods=["grow"], budget=15)
print(found.source)
assert found.exact
