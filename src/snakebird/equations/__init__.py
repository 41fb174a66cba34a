"""Differential equations in machines, through diffrax."""

from snakebird.equations._neuron import solve_neuron as solve_neuron
