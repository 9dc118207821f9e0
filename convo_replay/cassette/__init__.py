"""The file format: what a cassette is, how it is read, and how it is saved (docs/cassette-format.md)."""

from __future__ import annotations

from .files import create, load, loads, rescue, update
from .model import Cassette, UnknownKeys, Written, stored
from .names import default_path
from .writing import dump

__all__ = [
    "Cassette",
    "UnknownKeys",
    "Written",
    "create",
    "default_path",
    "dump",
    "load",
    "loads",
    "rescue",
    "stored",
    "update",
]
