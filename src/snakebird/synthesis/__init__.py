"""From trained to readable: laws, simple numbers, programs."""
