"""The parts of a fit, for rooms that build other searches on them."""

from snakebird.fitting import _least_squares as least_squares
from snakebird.fitting._field import rate_of as rate_of
from snakebird.fitting._least_squares import Prior as Prior
from snakebird.fitting._noise import pools as pools
from snakebird.fitting._problem import (
    Batch as Batch,
    Layout as Layout,
    Problem as Problem,
    columns_of as columns_of,
)
from snakebird.fitting._vector import Vector as Vector, vector_of as vector_of
from snakebird.fitting._visited import visited as visited

__all__ = [
    "Batch",
    "Layout",
    "Prior",
    "Problem",
    "Vector",
    "columns_of",
    "least_squares",
    "pools",
    "rate_of",
    "vector_of",
    "visited",
]
