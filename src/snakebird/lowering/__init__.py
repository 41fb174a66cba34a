"""From machines to flat arrays and back."""

from snakebird.lowering._execute import State as State
from snakebird.lowering._lower import lift as lift, lower as lower
from snakebird.lowering._lowered import Lowered as Lowered
from snakebird.lowering._nested import as_neuron as as_neuron, machine_neuron as machine_neuron
from snakebird.lowering._resume import Room as Room, state_of as state_of
from snakebird.lowering._spaces import Spaces as Spaces, infer as infer
from snakebird.lowering._trace import Trace as Trace, outputs_of as outputs_of
