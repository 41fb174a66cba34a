"""Rules to train."""

from snakebird.meta.rules._arms import IndexRule as IndexRule
from snakebird.meta.rules._gru import DeltaRule as DeltaRule, GRURule as GRURule
from snakebird.meta.rules._machine import MachineRule as MachineRule
from snakebird.meta.rules._rows import rows_machine as rows_machine, rows_rule as rows_rule
