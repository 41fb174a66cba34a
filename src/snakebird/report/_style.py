"""The colors of drawings, in light and dark."""

_KINDS = {  # head of the box and its border, in light and in dark
    "plain": ("#eef1f5", "#c3cad4", "#2a3038", "#4a535f"),
    "source": ("#d9f2ec", "#5fb8a4", "#12382f", "#3f8a78"),
    "output": ("#e0e7ff", "#8095e0", "#252e55", "#6677c4"),
    "memory": ("#fdf0d5", "#d9a94a", "#40320f", "#a37f35"),
    "constant": ("#f1f1f1", "#cfcfcf", "#2c2c2c", "#555555"),
    "matrix": ("#f1e4fd", "#a367dc", "#391f50", "#8f5cc2"),
}

_SHAPES = """
.sbd{font-family:ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
.sbd-box{stroke-width:1.3}
.sbd-name{font-size:14px;font-weight:600}
.sbd-type,.sbd-port,.sbd-label,.sbd-number{font-size:11px}
.sbd-label,.sbd-number{font-variant-numeric:tabular-nums}
.sbd-label{font-weight:600;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}
.sbd-line{fill:none;stroke-width:1.5;stroke-linecap:round}
.sbd-instant .sbd-line{stroke-dasharray:6 4}
.sbd-fixed .sbd-line{stroke-width:1}
.sbd-link:hover .sbd-line{stroke-width:3}
"""

_LIGHT = """
.sbd-page{fill:#ffffff}
.sbd-box{fill:#fbfcfd}
.sbd-name{fill:#171c22}
.sbd-type,.sbd-port{fill:#5d6773}
.sbd-label,.sbd-number{fill:#2b333c}
.sbd-label{stroke:#ffffff}
.sbd-less{fill:#b4380f}
.sbd-chip{fill:#eef1f5}
.sbd-line{stroke:#6b7785}
.sbd-arrow{fill:#6b7785}
.sbd-instant .sbd-line{stroke:#2f6fde}
.sbd-instant .sbd-arrow{fill:#2f6fde}
.sbd-fixed .sbd-line{stroke:#a7b0bb}
.sbd-fixed .sbd-arrow{fill:#a7b0bb}
.sbd-negative .sbd-line{stroke:#cf5a2e}
.sbd-negative .sbd-arrow{fill:#cf5a2e}
"""

_DARK = """
.sbd-page{fill:#14181d}
.sbd-box{fill:#1b2026}
.sbd-name{fill:#eef2f6}
.sbd-type,.sbd-port{fill:#9aa5b1}
.sbd-label,.sbd-number{fill:#dbe2ea}
.sbd-label{stroke:#14181d}
.sbd-less{fill:#ff9a73}
.sbd-chip{fill:#2a3038}
.sbd-line{stroke:#8a96a4}
.sbd-arrow{fill:#8a96a4}
.sbd-instant .sbd-line{stroke:#6ea3ff}
.sbd-instant .sbd-arrow{fill:#6ea3ff}
.sbd-fixed .sbd-line{stroke:#55606c}
.sbd-fixed .sbd-arrow{fill:#55606c}
.sbd-negative .sbd-line{stroke:#ec8259}
.sbd-negative .sbd-arrow{fill:#ec8259}
"""


def _kinds(dark: bool) -> str:
    lines = []
    for kind, colors in _KINDS.items():
        head, border = colors[2:] if dark else colors[:2]
        lines.append(f".sbd-{kind} .sbd-head{{fill:{head}}}")
        lines.append(f".sbd-{kind} .sbd-box{{stroke:{border}}}")
    return "\n".join(lines)


def _both(light: str, dark: str) -> str:
    """A rule of one color as a rule of two.

    >>> _both(".a{fill:#fff}", ".a{fill:#000}")
    '.a{fill:light-dark(#fff,#000)}'
    """
    rule, _, color = light.removesuffix("}").partition(":")
    other = dark.removesuffix("}").partition(":")[2]
    return f"{rule}:light-dark({color},{other})}}"


LIGHT = _LIGHT.strip() + "\n" + _kinds(dark=False)
DARK = _DARK.strip() + "\n" + _kinds(dark=True)
PAGE = _SHAPES + "\n".join(map(_both, LIGHT.split("\n"), DARK.split("\n"))) + "\n"
"""The same inside a page, whose `color-scheme` chooses."""
STYLE = f"{_SHAPES}\n{LIGHT}\n@media (prefers-color-scheme: dark){{\n{DARK}\n}}\n"
