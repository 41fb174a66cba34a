"""One HTML page that needs nothing else: sections, tables, pictures inside."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2330; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: 0.3rem; }
table { border-collapse: collapse; margin: 0.6rem 0; }
th, td { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid #dde2ea;
         vertical-align: top; white-space: pre-line; font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: #4a5568; }
pre, code { font-family: ui-monospace, monospace; font-size: 0.9rem; }
pre { background: #f4f6f9; padding: 0.7rem 1rem; overflow-x: auto; }
img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def heading(text: str, *, level: int = 2) -> str:
    """The title of a section."""
    return f"<h{level}>{escape(text)}</h{level}>"


def words(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def code(text: str) -> str:
    """Text in which every space counts."""
    return f"<pre>{escape(text)}</pre>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts.

    >>> table(["a"], [["<1"]]).count("<td>&lt;1</td>")
    1
    """
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table>\n<tr>{top}</tr>\n{body}\n</table></div>'


def picture(svg: str, what: str) -> str:
    """A drawing; inside an image, so that names in it meet no others."""
    data = b64encode(svg.encode()).decode()
    return f'<p><img alt="{escape(what)}" src="data:image/svg+xml;base64,{data}"></p>'
