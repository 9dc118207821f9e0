"""Attribute replacements that go away again.

A replacement may outlive its cassette in somebody else's hands: a mock that patched over ours keeps
a reference and calls it, or puts it back. So what is installed is a gate in front of the
replacement, which after `undo()` leads to the original; and `undo()` restores an attribute only
where our gate is still what is found there. Modules that are imported after a cassette opened are
met by an import hook, which is in place only while somebody waits for a module.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType, TracebackType
from typing import Any

_ABSENT: Any = object()
_lock = threading.RLock()


class _Patch:
    """One replaced attribute. `was` is the raw attribute (a descriptor stays one), or absent where inherited."""

    __slots__ = ("installed", "live", "name", "original", "target", "was")

    def __init__(self, target: Any, name: str, make_replacement: Callable[[Any], Any]) -> None:
        self.target = target
        self.name = name
        self.live = True
        self.was: Any
        raw = vars(target).get(name, _ABSENT)
        stale = _patch_behind(raw)
        # A dead gate that somebody put back after we left: see through it, or gates would pile up.
        self.was = stale.was if stale is not None and not stale.live else raw
        found = inspect.getattr_static(target, name) if self.was is _ABSENT else self.was
        wrapper = type(found) if isinstance(found, (staticmethod, classmethod)) else None
        self.original = found.__func__ if wrapper else (getattr(target, name) if self.was is _ABSENT else found)
        replacement = make_replacement(self.original)
        gate = self._gate(replacement) if inspect.isroutine(self.original) else replacement
        self.installed = wrapper(gate) if wrapper else gate
        setattr(target, name, self.installed)

    def _gate(self, replacement: Callable[..., Any]) -> Callable[..., Any]:
        original = self.original
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def gate(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                return await (replacement if self.live else original)(*args, **kwargs)

        else:

            @functools.wraps(original)
            def gate(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                return (replacement if self.live else original)(*args, **kwargs)

        vars(gate)["_convo_patch"] = self
        return gate

    def renew(self, target: Any, name: str) -> bool:
        """Puts the same gate in place again, if nobody has replaced the original meanwhile."""
        if self.live or self.target is not target or self.name != name:
            return False
        if vars(target).get(name, _ABSENT) is not self.was:
            return False
        if self.was is _ABSENT:
            inherited = inspect.getattr_static(target, self.name, _ABSENT)
            if getattr(inherited, "__func__", inherited) is not self.original:
                return False
        self.live = True
        setattr(target, self.name, self.installed)
        return True

    def undo(self) -> None:
        self.live = False
        if vars(self.target).get(self.name, _ABSENT) is not self.installed:
            return
        if self.was is _ABSENT:
            delattr(self.target, self.name)
        else:
            setattr(self.target, self.name, self.was)


def _patch_behind(raw: Any) -> _Patch | None:
    function = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
    if not inspect.isfunction(function):
        return None
    patch = vars(function).get("_convo_patch")
    # `functools.wraps` copies `__dict__`: somebody's wrapper around our gate carries the mark, too.
    return patch if isinstance(patch, _Patch) and patch.installed is raw else None


class Patches:
    """A set of replaced attributes that is put in place and taken back as one.

    Two ways to use it: `put` and `when_imported`, then `undo`; or, counted, `acquire` and `release`
    around each use, where the first calls `install(self)` and the last one undoes. Safe to use from
    several threads.
    """

    def __init__(self, install: Callable[[Patches], None] | None = None) -> None:
        self._install = install
        self._holders = 0
        self._done: list[_Patch] = []
        self._made: list[_Patch] = []
        self._undone: list[Callable[[], None]] = []

    def put(self, target: Any, name: str, make_replacement: Callable[[Any], Any]) -> None:
        """Replace `target.name` by what `make_replacement(original)` returns.

        `target` is a module or a class (or an object with a `__dict__`). `original` is the plain
        function, also of static and class methods. A function stays callable after `undo()` and is
        then the original; anything else is put in place as it is. What was made once is put in place
        again the next time, as long as the original is the same.

        Raises:
            AttributeError: there is no such attribute; nothing is changed.
        """
        with _lock:
            place = len(self._done)
            before = self._made[place] if place < len(self._made) else None
            if before is None or not before.renew(target, name):
                before = _Patch(target, name, make_replacement)
                self._made[place : place + 1] = [before]
            self._done.append(before)

    def when_imported(self, module_name: str, callback: Callable[[ModuleType], None]) -> None:
        """Call `callback(module)`: now if the module is imported, else right after it is, until `undo()`.

        The callback runs under this module's lock and must not import anything.
        """
        _hook.watch(module_name, self, callback)

    def when_undone(self, callback: Callable[[], None]) -> None:
        """Call `callback()` with the next `undo()`, after the attributes are back."""
        self._undone.append(callback)

    def undo(self) -> None:
        """Restore what was there, in reverse order; what somebody patched over since is left to them.

        Raises:
            Exception: an attribute could not be restored, or a callback failed; all others were. Several such failures
                come as one `ExceptionGroup`.
        """
        with _lock:
            _hook.forget(self)
            failed: list[Exception] = []
            while self._done:
                try:
                    self._done.pop().undo()
                except Exception as error:
                    failed.append(error)
            while self._undone:
                try:
                    self._undone.pop()()
                except Exception as error:
                    failed.append(error)
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise ExceptionGroup("patched attributes could not be restored", failed)

    def acquire(self) -> None:
        """Count one more user; the first one installs. A failing installation leaves nothing behind."""
        with _lock:
            self._holders += 1
            if self._holders > 1 or self._install is None:
                return
            try:
                self._install(self)
            except BaseException:
                self._holders -= 1
                self.undo()
                raise

    def release(self) -> None:
        """Count one user less; the last one undoes."""
        with _lock:
            if self._holders == 0:
                return
            self._holders -= 1
            if self._holders == 0:
                self.undo()

    def __enter__(self) -> Patches:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class _ImportHook(importlib.abc.MetaPathFinder):
    """Tells who waits for a module when it has been executed. On `sys.meta_path` only while somebody does."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[Patches, Callable[[ModuleType], None]]]] = {}

    def watch(self, name: str, owner: Patches, callback: Callable[[ModuleType], None]) -> None:
        with _lock:
            module = sys.modules.get(name)
            if module is not None and not getattr(module.__spec__, "_initializing", False):
                callback(module)
                return
            self._waiting.setdefault(name, []).append((owner, callback))
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
        if module is None:
            return
        if getattr(module.__spec__, "_initializing", False):
            importlib.import_module(name)  # waits, outside our lock, for the thread that is importing it
        self.executed(name, module)

    def forget(self, owner: Patches) -> None:
        for name in list(self._waiting):
            self._waiting[name] = [entry for entry in self._waiting[name] if entry[0] is not owner]
            self._drop_if_empty(name)

    def executed(self, name: str, module: ModuleType) -> None:
        with _lock:
            entries = self._waiting.pop(name, [])
            self._drop_if_empty(name)
            for _, callback in entries:
                callback(module)

    def _drop_if_empty(self, name: str) -> None:
        if not self._waiting.get(name):
            self._waiting.pop(name, None)
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._waiting:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Telling(spec.loader, self)
                return spec
        return None


class _Telling(importlib.abc.Loader):
    """Steps aside before the module runs, so that it and its readers see their own loader."""

    def __init__(self, loader: Any, hook: _ImportHook) -> None:
        self._loader = loader
        self._hook = hook

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._hook.executed(module.__spec__.name, module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


_hook = _ImportHook()
