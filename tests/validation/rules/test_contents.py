"""What messages hold: A16, A17, A18, and what version 2026-10-21 does not take."""

from __future__ import annotations

import pytest

from convo_replay.exchange import Blob
from convo_replay.validation.rules import (
    cache_control_limit,
    citations_in_user,
    content_empty,
    document_in_assistant,
    request_too_large,
    url_source_unsupported,
)
from rule_cases import (
    BEDROCK,
    DIRECT,
    OLD,
    VERTEX,
    assistant,
    body,
    errors,
    request_of,
    result,
    said,
    system,
    text,
    tool,
    use,
    user,
)

CACHED = {"cache_control": {"type": "ephemeral"}}
EMPTY, WHITE, USER = (
    "must be non-empty",
    "must contain non-whitespace text",
    "user messages must have non-empty content",
)
CONTENTS = {
    # messages after a first question: paths, what the API says
    "a block": ([user("Hi.", text(""))], ["messages.1.content.1"], EMPTY),
    "an assistant's block": ([assistant(text("")), user("Hm?")], ["messages.1.content.0"], EMPTY),
    "a block beside a call": ([assistant(text(""), use()), user(result())], ["messages.1.content.0"], EMPTY),
    "two blocks": ([user(text(""), "Hi.", text(""))], ["messages.1.content.0", "messages.1.content.2"], EMPTY),
    "a cached block": ([user("Hi.", text("", **CACHED))], ["messages.1.content.1"], "cache_control cannot be set for"),
    "instructions": ([system(text(""), text("Be brief."))], ["messages.1.content.0"], EMPTY),
    "a user's string": ([assistant("Yes."), user("")], ["messages.2"], f"messages.2: {USER}"),
    "a user's list": ([assistant("Yes."), user()], ["messages.2"], f"messages.2: {USER}"),
    "whitespace": ([assistant("Yes."), user(text(" \n"))], ["messages.2.content.0"], WHITE),
    "a whitespace string": ([assistant("Yes."), user(" ")], ["messages.2.content"], WHITE),
    "whitespace in two messages": ([assistant("Yes."), user(" "), user(text("\t"))], ["messages.2.content"], WHITE),
    "an assistant's whitespace": ([assistant(" "), user("Hm?")], ["messages.1.content"], WHITE),
    "whitespace in a merged turn": ([assistant("Yes."), user(" "), user("Go on.")], [], ""),
    "whitespace beside a call": ([assistant(text(" "), use()), user(result())], [], ""),
    "whitespace beside text": ([user(text(" "), text("Hi."))], [], ""),
    "an assistant's string": ([assistant(""), user("Hm?")], [], ""),
    "an assistant's list": ([assistant(), user("Hm?")], [], ""),
    "results": ([assistant(use(), use("toolu_2")), user(result(content=""), result("toolu_2", []))], [], ""),
    "a result's block": ([assistant(use()), user(result(content=[text("")]))], [], ""),
    "another role": ([{"role": "tool", "content": ""}], [], ""),
    "no content": ([{"role": "user"}, None, {"role": "user", "content": [None, 3]}], [], ""),
}


@pytest.mark.parametrize(("messages", "paths", "text"), CONTENTS.values(), ids=CONTENTS.keys())
def test_messages_hold_something(messages, paths, text):
    sent = body(user("Go."), *messages)
    assert said(content_empty.check, sent) == [("error", path) for path in paths]
    assert all(text in error for error in errors(content_empty.check, sent))


def test_only_what_is_new_is_looked_at():
    sent = body(user("Hi.", text("")), assistant("Hi!"), user(" "), assistant("Yes?"), user("Go on."))
    assert said(content_empty.check, sent, new=1) == [("error", "messages.2.content")]
    assert said(content_empty.check, sent, new=3) == []
    assert said(content_empty.check, sent, new=4) == []
    assert said(content_empty.check, body(user(" "), user("")), new=1) == [
        ("error", "messages.1"),
        ("error", "messages.0.content"),
    ]


@pytest.mark.parametrize(
    ("prompt", "path"),
    [
        ("", ""), ("Be brief.", ""), ([text("Be brief."), text(" ")], ""), ([], ""), (None, ""), (7, ""),
        (" ", "system"), ([text("")], "system.0"), ([text("Hi."), text("")], "system.1"), ([text(" ")], "system.0"),
    ],
)  # fmt: skip
def test_a_system_prompt_holds_something(prompt, path):
    found = said(content_empty.check, body(user("Hi."), system=prompt))
    assert found == ([("error", path)] if path else [])


def _marked(count: int, **other):
    blocks = [text(f"Rule {number}.", **CACHED) for number in range(count - 2)]
    return body(user(text("Hi.", **CACHED)), system=blocks, tools=[tool(**CACHED), tool("other")], **other)


def test_four_breakpoints():
    assert said(cache_control_limit.check, _marked(4)) == []
    assert said(cache_control_limit.check, _marked(5)) == [("error", "")]
    assert errors(cache_control_limit.check, _marked(7)) == [
        "A maximum of 4 blocks with cache_control may be provided. Found 7."
    ]
    nested = [result(content=[text("ok", **CACHED)])] * 2
    assert (
        said(cache_control_limit.check, body(user("Hi."), assistant(use()), user(*nested, text("?", **CACHED)))) == []
    )
    assert said(cache_control_limit.check, body(user(*nested, *nested, text("?", **CACHED)))) == [("error", "")]
    assert said(cache_control_limit.check, body(user(*[text("Hi.", cache_control=None)] * 6))) == []


PLACES = {
    "in tools, system, messages": (
        _marked(5),
        "sent 5: tools[0], system[0], system[1], system[2], messages[0].content[0]",
    ),
    "in results and beside them": (
        body(user("Hi."), assistant(use()), user(
            result(content=[text("a"), text("b", **CACHED)]) | CACHED, text("c"), *[text("d", **CACHED)] * 3
        )),
        "sent 5: messages[2].content[0].content[1], messages[2].content[0], messages[2].content[2], "
        "messages[2].content[3], messages[2].content[4]",
    ),
    "many": (
        body(*[user(text("Hi.", **CACHED))] * 30),
        f"sent 30: {', '.join(f'messages[{index}].content[0]' for index in range(20))} and 10 more",
    ),
    "one of them at the top": (
        body(user("Hi."), system=[text("a"), *[text("b", **CACHED)] * 4], **CACHED),
        "sent 4 (system[1], system[2], system[3], system[4]) and one at the top of the request",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "places"), PLACES.values(), ids=PLACES)
def test_the_places_of_breakpoints_are_named(sent, places):
    (finding,) = cache_control_limit.check(request_of(sent))
    assert finding.message == f"expected at most 4 `cache_control` markers, {places}"


def test_automatic_caching_takes_one():
    automatic = CACHED | {"system": [text("Be brief.", **CACHED)] * 4}
    assert said(cache_control_limit.check, body(user("Hi."), **automatic)) == [("error", "cache_control")]
    assert said(cache_control_limit.check, body(user("Hi."), **automatic | {"system": automatic["system"][1:]})) == []
    marked = automatic | {"system": automatic["system"][1:]}
    assert said(cache_control_limit.check, body(user(text("Hi.", **CACHED)), **marked)) == []


MB = 1 << 20


@pytest.mark.parametrize(
    ("size", "url", "severity"),
    [
        (33 * MB, DIRECT, "error"), (32 * MB, DIRECT, ""), (31 * MB, VERTEX, "error"), (30 * MB, VERTEX, ""),
        (21 * MB, BEDROCK, "error"), (20 * MB, BEDROCK, ""), (33 * MB, "https://gateway.example/v1/messages", "warn"),
    ],
)  # fmt: skip
def test_the_size_of_a_body_that_is_a_hash(size, url, severity):
    found = said(request_too_large.check, Blob("0" * 64, size), url=url)
    assert found == ([(severity, "")] if severity else [])


def test_the_size_of_what_messages_hold():
    data = "x" * (8 * MB)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    many = body(
        user(image), assistant("Hm."), user(image, "And this?"), assistant(use()), user(result(content=[image]))
    )
    assert said(request_too_large.check, many, url=BEDROCK) == [("error", "")]
    assert said(request_too_large.check, many) == []
    assert said(request_too_large.check, body(*many["messages"], user(data))) == [("error", "")]
    assert said(request_too_large.check, body(*many["messages"], user(data), user("Hi.")), new=6) == []


def test_a_document_in_an_assistant_turn():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    sent = body(user("Hi.", document), assistant("Here.", document), user("Thanks."))
    assert said(document_in_assistant.check, sent) == [("error", "messages.1.content.1")]
    assert said(document_in_assistant.check, sent, version=OLD) == []
    assert said(document_in_assistant.check, sent, version="") == []
    assert said(document_in_assistant.check, sent, new=2) == []


def test_citations_in_a_user_turn():
    cited = text("Grass is green.", citations=[{"type": "char_location", "cited_text": "Grass"}])
    found = {"type": "search_result", "source": "s", "title": "t", "content": [text("x"), cited]}
    sent = body(user("Hi.", cited), assistant(cited), user(found, text("And?", citations=[])))
    assert said(citations_in_user.check, sent) == [
        ("error", "messages.0.content.1"),
        ("error", "messages.2.content.0.content.1"),
    ]
    assert said(citations_in_user.check, sent, version=OLD) == []
    assert said(citations_in_user.check, sent, new=1) == [("error", "messages.2.content.0.content.1")]


def test_bedrock_fetches_no_url():
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    sent = body(user("What is it?", image))
    assert said(url_source_unsupported.check, sent, url=BEDROCK) == [("error", "messages.0.content.1")]
    assert errors(url_source_unsupported.check, sent, url=BEDROCK) == [
        "messages.0.content.1.image.source.base64.data: URL sources are not supported"
    ]
    messages = "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1/messages"
    for url in (DIRECT, messages):
        assert said(url_source_unsupported.check, sent, url=url) == []
    inline = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    assert said(url_source_unsupported.check, body(user(inline)), url=BEDROCK) == []
