"""From trained to readable: closed-form laws."""

from snakebird.synthesis import laws as laws
from snakebird.synthesis.laws import (
    Law as Law,
    Laws as Laws,
    discover as discover,
    discover_many as discover_many,
    read_hole as read_hole,
)
