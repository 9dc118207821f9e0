"""Validates turns as the API would: schema, stream grammar, rules of conversations. No I/O, no SDK."""
