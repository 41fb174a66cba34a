"""Closed-form laws: their terms, libraries of them, and what they are printed as."""
