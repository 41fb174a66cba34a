"""What the demo fits and synthesizes: files as a user writes them, copied beside the results."""
