"""The grammar of a stream, one wire format a file: a table of states, and what order alone does not say."""
