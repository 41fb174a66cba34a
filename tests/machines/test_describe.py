"""A machine in words."""

import snakebird as sb
from snakebird.machines import Link, Machine, cycles, explain, reading_order, table


@sb.machine
def messy(char: sb.Tokens("ab"), force):
    counts = sb.accumulate(char)
    lost = sb.relu()
    spare = sb.tanh(force)  # noqa: F841
    ahead = sb.identity(sb.instant(counts) + sb.fixed(lost) / 3)
    back = sb.identity()
    forth = sb.identity(back)
    back.feed(x=0.123456789 * forth)
    clipped = sb.clip(ahead + back, high=sb.trainable(2.0))
    clipped.starts(result=1, free=True)
    return {"seen": clipped}


def test_links_as_a_table():
    assert table(messy) == (
        "to              weight  from            marks\n"
        "ahead.x              1  counts.result   instant\n"
        "ahead.x            1/3  lost.result     fixed\n"
        "back.x        0.123457  forth.result\n"
        "clipped.x            1  ahead.result\n"
        "clipped.x            1  back.result\n"
        "counts.accum         1  counts.result   fixed\n"
        "counts.delta         1  char.signal\n"
        "forth.x              1  back.result\n"
        "output.seen          1  clipped.result\n"
        "spare.x              1  force.signal"
    )


def test_a_machine_explained():
    assert explain(messy) == (
        "messy: 10 neurons (3 identity, 2 source, 1 accumulator, 1 clip, 1 output, 1 relu, 1 tanh)"
        ", 10 links\n"
        "reads: char (2 tokens), force (1 number)\n"
        "gives: spare.result, output.seen\n"
        "remembers: counts (accum <- result), the cycle of back, forth\n"
        "instant links: 1, within one tick counts, then ahead\n"
        "never active: lost (relu), no link ends there\n"
        "links that carry nothing: ahead.x <- 1/3 * lost.result (fixed)\n"
        "reaches no output neuron: force, spare\n"
        "trainable: 8 weights, the parameters clipped.high, the start values clipped.result"
    )


def test_a_machine_that_edits_itself():
    @sb.machine
    def wave():
        first = sb.constant(value={"self": {"delta": {"first": {"result": -1}}}})
        self = sb.accumulate(first)
        sb.carries_matrix(self)

    assert explain(wave).split("\n")[4] == (
        "carries its own matrix: self.result, edited by first.result"
    )


def test_an_empty_machine():
    assert table(Machine({})) == "to  weight  from  marks"
    assert explain(Machine({})) == (
        "0 neurons, 0 links\n"
        "reads: nothing from outside\n"
        "gives: nothing that is not read inside\n"
        "remembers: nothing, there is no cycle\n"
        "instant links: none, every link takes one tick\n"
        "trainable: nothing"
    )


def test_instant_links_lead_forward_in_the_reading_order():
    links = [
        Link("a", "x", ("c", "result"), instant=True),
        Link("c", "x", ("b", "result")),
        Link("b", "x", ("a", "result")),
    ]
    incoming = {name: [link for link in links if link.to == name] for name in "abc"}
    assert reading_order("abc", incoming) == ["b", "c", "a"]
    assert cycles("abc", links) == [["a", "b", "c"]]
