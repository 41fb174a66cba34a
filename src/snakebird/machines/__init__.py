"""Networks as data, and the readable engine."""

from snakebird.machines import motives as motives
from snakebird.machines._describe import (
    explain as explain,
    table as table,
    weight_text as weight_text,
)
from snakebird.machines._edit import clone as clone, insert as insert
from snakebird.machines._engine import (
    Tick as Tick,
    down as down,
    is_input as is_input,
    kind_clash as kind_clash,
    neuron_key as neuron_key,
    tick as tick,
)
from snakebird.machines._link import Link as Link, as_link as as_link, as_path as as_path
from snakebird.machines._machine import Machine as Machine
from snakebird.machines._messages import (
    Inputs as Inputs,
    Messages as Messages,
    masked as masked,
    read_messages as read_messages,
    tokens as tokens,
    wrong_width as wrong_width,
)
from snakebird.machines._order import (
    instant_levels as instant_levels,
    instant_order as instant_order,
)
from snakebird.machines._run import Run as Run, as_key as as_key, run as run
from snakebird.machines._updates import Editor as Editor
from snakebird.machines.building._builder import (
    Builder as Builder,
    accumulate as accumulate,
    carries_matrix as carries_matrix,
    is_one as is_one,
)
from snakebird.machines.building._decorator import (
    Numbers as Numbers,
    Tokens as Tokens,
    machine as machine,
)
from snakebird.machines.building._stream import (
    Node as Node,
    Stream as Stream,
    fixed as fixed,
    instant as instant,
)
from snakebird.machines.files._decode import from_json as from_json
from snakebird.machines.files._encode import to_json as to_json
from snakebird.machines.files._files import load as load, save as save
from snakebird.machines.printing._reading import cycles as cycles, reading_order as reading_order
from snakebird.machines.printing._source import to_source as to_source
from snakebird.machines.tracing import trace as trace
