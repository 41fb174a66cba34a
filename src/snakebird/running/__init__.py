"""A machine that stays alive: it runs on, is spoken to, edited, saved and played again."""

from snakebird.running._record import Record as Record
from snakebird.running._runner import Runner as Runner
