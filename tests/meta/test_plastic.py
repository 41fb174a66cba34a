"""Rules whose memory is a row of the machine's own matrix: made, found, and read as formulas."""

from fractions import Fraction

import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import InputError, MachineError, UnknownNameError
from snakebird.meta import Plastic, learned_rules, read_update
from snakebird.synthesis.programs._verify import verify, verify_fast

DELTA = {
    ("write_1", "mask", "late_value"): 1,
    ("write_1", "mask", "recall"): -1,
    ("write_1", "value", "late_key"): 1,
    ("change", "by", "write_1"): 1,
    ("output", "result", "recall"): 1,
}
NORMALIZED = {
    ("product_1", "x", "late_value"): 1,
    ("product_1", "x", "recall"): -1,
    ("product_1", "y", "over"): 1,
    ("write_1", "mask", "product_1"): 1,
    ("write_1", "value", "late_key"): 1,
    ("change", "by", "write_1"): 1,
    ("output", "result", "recall"): 1,
}


def draw(rng, length, wide=False):
    names = [f"k{k}" for k in rng.integers(64 if wide else 4, size=length)]
    return {"key": names, "value": [Fraction(int(v), 4) for v in rng.integers(-4, 5, size=length)]}


def remembered(held, key, value):
    return {**held, key: value}, held.get(key, 0)


def recall(count=24, seed=0):
    reference = sb.Stepwise(remembered, {})
    return sb.Examples.from_reference(reference, draw, length=14, count=count, seed=seed, latency=1)


def wired(template, weights, scale=1):
    """A template with some links; `scale` is that of the row."""
    kept = []
    for link in template.links:
        weight = weights.get((link.to, link.input, link.source[0]), 0) if link.trainable else None
        if link.to == "change" and weight:
            weight *= scale
        if link.source[0] == "recall" and weight:
            weight = Fraction(weight) / scale
        if weight != 0:
            kept.append(link if weight is None else link.scaled(weight))
    return template.replace(links=kept)


@pytest.mark.parametrize("scale", [1, -2])
def test_the_delta_rule_by_hand_recalls_without_error_and_is_read(scale):
    examples = recall()
    machine = wired(Plastic().machine(examples), DELTA, scale)
    assert verify(machine, examples).right
    assert verify_fast(machine, examples.fresh(140, 6, seed=1, wide=True)).right
    rule = read_update(machine)
    assert rule.is_delta_rule
    assert not rule.is_normalized
    assert str(rule) == "row += (-answer + value) * key"


def test_a_rule_that_only_adds_is_no_delta_rule():
    hebb = {
        place: weight
        for place, weight in DELTA.items()
        if place[2] != "recall" or place[0] == "output"
    }
    machine = wired(Plastic().machine(recall()), hebb)
    assert not verify(machine, recall()).right
    assert str(read_update(machine)) == "row += (value) * key"


def test_the_normalized_rule_is_read():
    template = Plastic(normalized=True).machine(recall())
    rule = read_update(wired(template, NORMALIZED, 3))
    assert rule.is_normalized
    assert not rule.is_delta_rule


def test_a_change_that_is_no_multiple_of_the_key_is_shown_as_it_is():
    template = Plastic().machine(recall())
    fades = {("write_1", "mask", "one"): -1, ("write_1", "value", "self"): 1}
    rule = read_update(wired(template, {**DELTA, **fades, ("write_2", "value", "late_key"): 1}))
    assert rule.factor is None
    assert str(rule).startswith("row[0] += ")


def test_neurons_without_a_formula_are_named():
    machine = wired(Plastic().machine(recall()), DELTA)
    links = [
        sb.Link("write_1", "x", link.source, 1, True) if link.to == "write_1" else link
        for link in machine.links
    ]
    bent = machine.replace(neurons={**machine.neurons, "write_1": sb.tanh()}, links=links)
    with pytest.raises(MachineError, match="'tanh' has no formula here"):
        read_update(bent)


@pytest.mark.parametrize(
    ("examples", "error", "text"),
    [
        (sb.Examples.of([({"k": ["a"], "value": [1]}, [0])], latency=1), UnknownNameError, "'key'"),
        (sb.Examples.of([({"key": [1], "value": [1]}, [0])], latency=1), InputError, "numbers"),
        (sb.Examples.of([({"key": ["a"], "value": [1]}, [0])]), InputError, "latency=1"),
        (
            sb.Examples.of([({"key": ["a"], "value": ["b"]}, [0])], latency=1),
            InputError,
            "only the keys",
        ),
    ],
)
def test_streams_that_do_not_fit(examples, error, text):
    with pytest.raises(error, match=text):
        Plastic().machine(examples)


def test_rules_are_learned_only_from_tasks_that_can_be_drawn():
    fixed = sb.Examples.of([({"key": ["a"], "value": [1]}, [0])], latency=1)
    with pytest.raises(InputError, match="no fresh tasks"):
        learned_rules(Plastic(), fixed)


@pytest.mark.slow
def test_the_delta_rule_is_found_from_the_task_alone():
    found = sb.synthesize(recall(), template=Plastic(), starts=16, budget=300)
    assert found.exact
    assert found.links <= 14
    assert read_update(found.machine).is_delta_rule


@pytest.mark.slow
def test_the_normalized_rule_is_found_where_no_rule_is_exact():
    def regression(rng, length, wide=False):
        true = rng.standard_normal(4)
        sizes = np.exp(rng.uniform(-1, 1, size=(length, 1)))
        vectors = sizes * rng.standard_normal((length, 4))
        named = [{f"k{k}": float(v) for k, v in enumerate(row)} for row in vectors]
        return {"key": named, "value": [float(v) for v in vectors @ true]}

    examples = sb.Examples.from_reference(
        lambda key, value: value, regression, length=14, count=24, latency=1, tolerance=0.1
    )
    template = Plastic(normalized=True, sealed=True)
    best, *others = learned_rules(template, examples, budget=400)
    assert read_update(best.machine).is_normalized
    assert all(best.loss <= 1.2 * other.loss for other in others)
