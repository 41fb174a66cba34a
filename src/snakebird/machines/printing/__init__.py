"""A machine as builder source that, when run, rebuilds it."""
