"""Values that break file formats, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from convo_replay.exchange import END_KINDS, Binary, Blob, Chunk, End, Exchange, Head, Json, Part, Parts, Request, Text

_AWKWARD = "\n\n\n \t'\":,{}[]#&*!|>%@`-?=<~\x85\u2028\u2029\ufeff\x7f\x00\r\\a1.e\U0001f600\ufffe\uffff\x9f\xa0$"
_WORDS = [
    *("null", "yes", "No", "on", "y", "True", "~", "1", "1e5", "1e400", "0x1f", "0o17", "017", "1_000", "1,000", "1."),
    *(".5", "+1", "-0.0", "2026-10-21", "2001-12-14t21:59:43.10-05:00", "12:30:45", ".inf", ".NaN", "=", "<<", "-"),
    *("---", "...", "*a", "&a", "%a", "@a", "`", "::", "a::b", "https://a.b", "$base", "$$x"),
]
_PHRASES = [
    "--- a",
    "? a",
    "- a",
    "a: b",
    "a #b",
    "a:",
    " a\nb",
    "\ta\nb",
    "a\n\n",
    "\n",
    "\n\n a",
    "# a\nb",
    "a ",
    "a" * 1500,
    "",
]
awkward_text = st.one_of(
    st.text(st.one_of(st.sampled_from(_AWKWARD), st.characters(codec="utf-8")), max_size=30),
    st.sampled_from([*_WORDS, *_PHRASES]),
)
"""Text that some YAML reader takes for something else, or changes."""

surrogate_text = st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udc00\udfff")), max_size=10)


def json_values(text: st.SearchStrategy[str] = awkward_text, leaves: int = 12) -> st.SearchStrategy[Any]:
    """JSON values, integers of any size included."""
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
        max_leaves=leaves,
    )


stream_bytes = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"\r",
                b"\n",
                b"\r\n",
                b"\n\n",
                b"\xef\xbb\xbf",
                b"\0",
                b"data: x",
                b"data:x",
                b":c",
                b": c",
                b"event: e\n",
                b'data: {"a": 1}\n\n',
                b'event: ping\ndata: {"t": "\xe2\x80\xa8"}\n\n',
                b"data",
                b"id: 1\n",
                "data: 😀\n\n".encode(),
            ]
        ),
        st.binary(max_size=4),
    ),
    max_size=12,
).map(b"".join)
"""Bytes that look like event streams, more or less."""

_headers = st.lists(st.tuples(st.sampled_from(["A", "content-length", "x-b", "set-cookie"]), awkward_text), max_size=4)
_times = st.floats(min_value=0, max_value=1e5)
_media = st.sampled_from(["text/event-stream", "application/json", "text/html; charset=utf-8", "image/png", ""])
_bodies = st.one_of(
    stream_bytes,
    st.binary(max_size=200),
    awkward_text.map(lambda text: text.encode("utf-8")),
    st.sampled_from(
        [b'{"a": 1}', b'{"a":"\\ud800"}', b'{\n  "a": [1, 2.0]\n}\n', b'{"\\u00e4":1}', b"[" * 300 + b"]" * 300]
    ),
)
_blobs = st.builds(Blob, st.just("ab" * 32), st.integers(0, 10**9), st.sampled_from(["", "image/png"]), st.just("00ff"))
_small = st.one_of(st.builds(Text, awkward_text), st.builds(Binary, st.binary(max_size=300)), _blobs)
_messages = st.lists(json_values(leaves=4), max_size=4)
_conversations = st.builds(
    lambda messages, rest: Json({"model": "m", **rest, "messages": messages}),
    _messages,
    st.dictionaries(awkward_text, json_values(), max_size=2),
)
_parts = st.lists(st.builds(Part, awkward_text, _small, st.one_of(st.none(), awkward_text)), max_size=3)
request_bodies = st.one_of(
    st.none(),
    st.builds(Json, json_values(st.one_of(awkward_text, surrogate_text))),
    _conversations,
    _small,
    st.builds(Parts, _parts.map(tuple)),
)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """Exchanges as a recorder might see them, not in stored form."""
    head = draw(st.booleans())
    steps: list[Any] = []
    if head:
        headers = [("Content-Type", draw(_media)), *draw(_headers)]
        steps.append(Head(draw(st.sampled_from([200, 429, 529])), tuple(headers), draw(_times), draw(awkward_text)))
        body = draw(_bodies)
        while body:
            size = draw(st.integers(1, 40))
            steps.append(Chunk(draw(_times), body[:size]))
            body = body[size:]
    kind = draw(st.sampled_from(END_KINDS)) if head else "refused"
    steps.append(End(kind, draw(_times), draw(st.sampled_from(["", "read"])), draw(awkward_text)))
    return Exchange(
        Request(
            draw(st.sampled_from(["GET", "POST"])), draw(awkward_text), tuple(draw(_headers)), draw(request_bodies)
        ),
        tuple(steps),
        test=draw(st.sampled_from(["", "tests/a.py::b", "tests/a.py::c[1e5]"])),
        recorded=draw(st.sampled_from(["", "2026-11-22T10:00:00Z", "yesterday"])),
        after=draw(st.sampled_from(["", "cut:eof@t1.5"])),
    )
