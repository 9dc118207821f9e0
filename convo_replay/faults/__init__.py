"""Faults: a recorded conversation, broken on purpose (design.md §5). One fault, one file."""
