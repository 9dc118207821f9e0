"""Replacements go in, come out exactly, and do no harm where somebody patched over them."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from convo_replay.transports.patching import Patches


class Base:
    def method(self) -> str:
        return "base"


class Target(Base):
    attribute = 1

    def plain(self) -> str:
        return "plain"

    async def coroutine(self) -> str:
        return "coroutine"

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return f"class of {cls.__name__}"


def louder(original):
    if inspect.iscoroutinefunction(original):

        async def replacement(*args):
            return (await original(*args)).upper()

    else:

        def replacement(*args):
            return original(*args).upper()

    return replacement


@pytest.fixture
def target() -> type[Target]:
    return type("Target", (Base,), {name: value for name, value in vars(Target).items() if name[:2] != "__"})


@pytest.fixture
def patches():
    patches = Patches()
    yield patches
    patches.undo()


CALLS = {
    "plain": lambda target: target().plain(),
    "coroutine": lambda target: asyncio.run(target().coroutine()),
    "static": lambda target: target.static(),
    "of_class": lambda target: target.of_class(),
    "method": lambda target: target().method(),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_kind_of_function_is_replaced_and_restored_exactly(name, target, patches):
    before = dict(vars(target))
    quiet = CALLS[name](target)
    patches.put(target, name, louder)
    assert CALLS[name](target) == quiet.upper()
    assert inspect.iscoroutinefunction(getattr(target, name)) == (name == "coroutine")
    patches.undo()
    assert CALLS[name](target) == quiet
    assert dict(vars(target)) == before


def test_what_is_no_function_is_replaced_as_it_is(target, patches):
    patches.put(target, "attribute", lambda original: original + 1)
    assert target.attribute == 2
    patches.undo()
    assert target.attribute == 1


def test_undo_twice_does_nothing_more(target, patches):
    patches.put(target, "plain", louder)
    patches.undo()
    target.plain = lambda self: "mine"
    patches.undo()
    assert target().plain() == "mine"


def test_an_unknown_attribute_changes_nothing(target, patches):
    with pytest.raises(AttributeError, match="no_such"):
        patches.put(target, "no_such", louder)
    patches.undo()
    assert not hasattr(target, "no_such")


def test_somebody_elses_patch_over_ours_stays_and_ours_is_inert(target, patches):
    patches.put(target, "plain", louder)
    ours = target.plain
    theirs = lambda self: f"theirs around {ours(self)}"  # noqa: E731
    target.plain = theirs
    assert target().plain() == "theirs around PLAIN"
    patches.undo()
    assert target.plain is theirs
    assert target().plain() == "theirs around plain"


def test_a_gate_that_somebody_put_back_is_seen_through(target, patches):
    original = target.plain
    for _ in range(3):
        patches.put(target, "plain", louder)
        ours, target.plain = target.plain, lambda self: "theirs"
        patches.undo()
        target.plain = ours  # a mock that ends after us
    assert target().plain() == "plain"
    patches.put(target, "plain", louder)
    assert target().plain() == "PLAIN"
    patches.undo()
    assert target.plain is original


def test_a_wrapper_that_copied_our_mark_is_not_taken_for_ours(target, patches):
    import functools

    patches.put(target, "plain", louder)
    ours = target.plain
    theirs = functools.wraps(ours)(lambda self: f"theirs around {ours(self)}")
    target.plain = theirs
    patches.undo()
    patches.put(target, "plain", louder)
    assert target().plain() == "THEIRS AROUND PLAIN"
    patches.undo()
    assert target.plain is theirs


def test_two_sets_on_one_attribute_come_out_in_any_order(target):
    first, second = Patches(), Patches()
    first.put(target, "plain", louder)
    second.put(target, "plain", lambda original: lambda self: original(self) + "!")
    assert target().plain() == "PLAIN!"
    first.undo()
    assert target().plain() == "plain!"
    second.undo()
    assert target().plain() == "plain"


def test_undo_goes_on_after_a_failure_and_tells_it_at_the_end(target, patches):
    module = ModuleType("stubborn")
    patches.put(target, "plain", louder)
    patches.put(target, "static", louder)
    module.value = 1
    patches.put(module, "value", lambda original: 2)
    patches._done[-1].target = None  # as if the target had lost its attributes
    with pytest.raises(TypeError):
        patches.undo()
    assert target().plain() == "plain"
    assert target.static() == "static"


def test_counted_use_installs_once_and_undoes_at_the_last_release(target):
    installed = []

    def install(patches):
        installed.append(1)
        patches.put(target, "plain", louder)

    patches = Patches(install)
    with patches:
        with patches:
            assert target().plain() == "PLAIN"
        assert target().plain() == "PLAIN"
    assert target().plain() == "plain"
    with patches:
        assert target().plain() == "PLAIN"
    assert installed == [1, 1]
    patches.release()  # one too many
    with patches:
        assert target().plain() == "PLAIN"


def test_an_installation_that_fails_leaves_nothing(target):
    def install(patches):
        patches.put(target, "plain", louder)
        raise KeyboardInterrupt

    patches = Patches(install)
    with pytest.raises(KeyboardInterrupt):
        patches.acquire()
    assert target().plain() == "plain"


def test_many_threads_leave_what_they_found(target):
    original = target.plain
    patches = Patches(lambda patches: patches.put(target, "plain", louder))
    heard = set()

    def work():
        for _ in range(200):
            with patches:
                heard.add(target().plain())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"PLAIN"}
    assert target.plain is original


@pytest.fixture
def late_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that nobody has imported, and its name."""
    name = "imported_later_by_convo_tests"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("loader_seen = __spec__.loader\ndef answer(): return 'plain'\n")
    (tmp_path / name / "part.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[loaded]


def test_a_module_imported_later_is_met_once_with_its_own_loader(late_module, patches):
    met = []
    finders = list(sys.meta_path)
    patches.when_imported(late_module, lambda module: (met.append(module), patches.put(module, "answer", louder)))
    module = __import__(late_module)
    assert met == [module]
    assert module.answer() == "PLAIN"
    assert module.__loader__ is module.__spec__.loader is module.loader_seen
    assert type(module.__loader__).__module__.startswith(("importlib", "_frozen_importlib"))
    assert sys.meta_path == finders
    patches.undo()
    assert module.answer() == "plain"


def test_a_submodule_can_be_waited_for(late_module, patches):
    met = []
    patches.when_imported(f"{late_module}.part", lambda module: met.append(module.value))
    __import__(late_module)
    assert met == []
    __import__(f"{late_module}.part")
    assert met == [1]


def test_an_imported_module_is_met_at_once(late_module, patches):
    module = __import__(late_module)
    met = []
    patches.when_imported(late_module, met.append)
    assert met == [module]


def test_after_undo_nobody_waits(late_module, patches):
    met = []
    finders = list(sys.meta_path)
    patches.when_imported(late_module, met.append)
    assert sys.meta_path != finders
    patches.undo()
    assert sys.meta_path == finders
    __import__(late_module)
    assert met == []


def test_a_module_that_does_not_exist_is_still_missing(patches):
    patches.when_imported("no_such_module_of_convo_tests", lambda module: None)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_convo_tests"):
        __import__("no_such_module_of_convo_tests")
