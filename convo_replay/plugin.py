"""The pytest plugin's entry point: `convo_replay.pytest_hooks`, imported the ordinary way.

pytest imports plugins through its assertion rewriter, which ignores what was compiled at installation
and, where it may not write a cache of its own, compiles at every start. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

for _name in ("convo_replay.standins", "convo_replay.pytest_hooks"):
    if _name not in sys.modules:
        _spec = PathFinder.find_spec(_name, [str(Path(__file__).parent)])
        assert _spec is not None
        assert _spec.loader is not None
        _module = sys.modules[_name] = module_from_spec(_spec)
        _spec.loader.exec_module(_module)

globals().update({name: value for name, value in vars(sys.modules[_name]).items() if not name.startswith("__")})
