"""What `LeakFound` says: where, which class, which setting resolves it; never the value."""

from __future__ import annotations

import pickle

import pytest

from convo_replay.config import Config
from convo_replay.errors import LeakFound
from convo_replay.redaction.classes import BY_NAME, CLASSES

RESOLVED = {
    "a key": (["anthropic-key"], "  anthropic-key: name the whole value in `secrets=[…]`"),
    "who": (["request-id"], "  request-id: `redact={'request-id': 'keep'}` if it may be in the file; else take it out"),
    "two of who": (["openai-user", "request-id"],
                   "  openai-user, request-id: `redact={'openai-user': 'keep', 'request-id': 'keep'}` if"),
    "a pattern of the user": (["secret"], "  secret: `secrets=[…]` finds it in what is redacted already"),
    "the environment": (["env"], "  env: a variable of the environment has this value: take it out in `before_record`"),
    "a header": (["header"], "  header: `before_record` adds a header that is never recorded"),
    "of no table": (["blob"], "  blob: name the whole value in `secrets=[…]`"),
}  # fmt: skip


@pytest.mark.parametrize(("classes", "said"), RESOLVED.values(), ids=RESOLVED)
def test_it_names_the_setting_that_resolves_it(classes, said):
    text = str(LeakFound("cassettes/a.yaml", [(cls, "exchanges[0].request.json") for cls in classes]))
    assert said in text
    assert text.startswith(
        f"cassettes/a.yaml: not saved, it would hold {len(classes)} secret(s):\n  {classes[0]} in ex"
    )
    assert text.endswith("Nothing was written; the previous cassette is untouched.")


def test_classes_of_one_answer_share_a_line_and_each_is_named_once():
    places = [("jwt", "a"), ("request-id", "b"), ("jwt", "c"), ("google-key", "d")]
    text = str(LeakFound("a.yaml", places))
    assert "  jwt, google-key: name the whole value" in text
    assert text.count("`before_record`") == 2


def test_what_it_advises_is_a_setting_that_there_is():
    error = {item.name for item in CLASSES if item.severity == "error"}
    for cls in BY_NAME:
        text = str(LeakFound("a.yaml", [(cls, "line 3")]))
        assert ("redact={" in text) is (cls not in error), cls
        assert "`before_record`" in text, cls
        if cls not in error:
            Config(redact={cls: "keep"})


def test_of_many_places_the_first_are_listed():
    text = str(LeakFound("a.yaml", [("jwt", f"exchanges[{at}]") for at in range(14)]))
    assert "exchanges[9]\n  … and 4 more" in text
    assert "exchanges[10]" not in text


def test_it_travels_between_processes():
    leak = LeakFound("a.yaml", [("jwt", "line 3")])
    again = pickle.loads(pickle.dumps(leak))
    assert (str(again), again.places, again.path) == (str(leak), leak.places, leak.path)


def test_a_value_in_the_name_of_a_test_is_resolved_by_another_name():
    text = str(LeakFound("a.yaml", [("openai-key", "exchanges[0].test"), ("email", "exchanges[0].request.json.a")]))
    assert "openai-key: it is in the name of the test; give the parameter a name of its own, `pytest.param(" in text
    assert "redact={'email': 'keep'}" in text
    assert "openai-key: " not in text.partition("pytest.param")[2]
