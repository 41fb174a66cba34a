"""Everything drawn: diagrams of machines."""

from snakebird.report._diagram import to_mermaid as to_mermaid, to_svg as to_svg
