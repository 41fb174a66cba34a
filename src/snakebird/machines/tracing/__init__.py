"""Tracing: a JAX function over streams becomes a machine of catalogue neurons."""

from snakebird.machines.tracing._trace import trace as trace
