"""Everything drawn: diagrams of machines, animations, pictures and reports of fits, programs."""

from snakebird.report._animation import animation as animation
from snakebird.report._diagram import to_mermaid as to_mermaid, to_svg as to_svg
from snakebird.report._fit_plots import (
    plot_extrapolation as plot_extrapolation,
    plot_fit as plot_fit,
    plot_history as plot_history,
    plot_residuals as plot_residuals,
)
from snakebird.report._fit_report import write_report as write_report
from snakebird.report._hole_plots import plot_hole as plot_hole, plot_pareto as plot_pareto
from snakebird.report._program_report import (
    program_report as program_report,
    write_program as write_program,
)
from snakebird.report._time_line import activity as activity, time_line as time_line
