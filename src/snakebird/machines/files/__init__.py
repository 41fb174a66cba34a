"""A machine as one readable JSON file."""
