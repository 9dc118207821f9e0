"""Real conversations, changed in one place: into what the API would reject, and into what it would not.

`tests/mutations.toml` is the table of operators; the modules here hold the edits that it names, and `running`
applies them and says what the validator found. `tools/mutants.py` prints that.
"""
