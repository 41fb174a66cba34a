"""Building machines: arithmetic on streams makes links, calls of neuron types make neurons."""
