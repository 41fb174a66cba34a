"""What a neuron is, and the catalogue."""

from snakebird.neurons._callables import call_neuron as call_neuron
from snakebird.neurons._define import REGISTRY as REGISTRY, find as find, neuron as neuron
from snakebird.neurons._growth import allocate_update as allocate_update, guard as guard
from snakebird.neurons._images import (
    image_blur as image_blur,
    image_shift as image_shift,
    image_turn as image_turn,
    image_wave as image_wave,
)
from snakebird.neurons._linear import (
    accumulator as accumulator,
    constant as constant,
    delay as delay,
    identity as identity,
    leaky_accumulator as leaky_accumulator,
    memory as memory,
    output as output,
    timer as timer,
    total as total,
)
from snakebird.neurons._nonlinear import (
    absolute as absolute,
    clip as clip,
    compare as compare,
    cosine as cosine,
    less_or_equal as less_or_equal,
    max_norm as max_norm,
    maximum as maximum,
    minimum as minimum,
    reciprocal as reciprocal,
    relu as relu,
    sigmoid as sigmoid,
    sine as sine,
    softmax as softmax,
    step as step,
    tanh as tanh,
)
from snakebird.neurons._products import (
    gate as gate,
    inner as inner,
    mask_sum as mask_sum,
    matrix_product as matrix_product,
    outer as outer,
    product as product,
)
from snakebird.neurons._random import (
    dropout as dropout,
    noise as noise,
    sample as sample,
    stochastic_sum as stochastic_sum,
)
from snakebird.neurons._sources import (
    array_source as array_source,
    cons as cons,
    csv_source as csv_source,
    linked_source as linked_source,
    message_space as message_space,
    source as source,
    token_source as token_source,
)
from snakebird.neurons._stores import queue as queue, stack as stack
from snakebird.neurons._superfluid import FUNCTION as FUNCTION, superfluid as superfluid
from snakebird.neurons._type import (
    RESULT as RESULT,
    Neuron as Neuron,
    NeuronType as NeuronType,
    Recipe as Recipe,
    Trainable as Trainable,
    building as building,
    trainable as trainable,
)
from snakebird.neurons._updates import (
    add_update as add_update,
    clone_update as clone_update,
    erase_update as erase_update,
    insert_update as insert_update,
    move_update as move_update,
    set_update as set_update,
)
