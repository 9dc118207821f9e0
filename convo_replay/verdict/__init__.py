"""What a client did about its faults: the outcome of a run, and what is wrong with it (design.md §5)."""
