"""The ladder of tasks for programs from examples."""
