from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.bodies import LARGE, Upload, body_of, parse_json
from convo_replay.exchange import Binary, Blob, Json, Part, Parts, Text
from strategies import awkward_text, json_values, surrogate_text


@settings(max_examples=200, deadline=None)
@given(json_values(st.one_of(awkward_text, surrogate_text)), st.booleans(), st.sampled_from([None, 2]))
def test_json_is_read_exactly(value: Any, ascii: bool, indent: int | None) -> None:
    try:
        data = json.dumps(value, ensure_ascii=ascii, indent=indent).encode()
    except UnicodeEncodeError:
        data = json.dumps(value, indent=indent).encode()
    assert repr(parse_json(data)) == repr(value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[NaN]", b"[Infinity]", b"[1e400]", b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'"\xff"', b"\xff\xfe1\x00",
     b"\xef\xbb\xbf1", b'"\xed\xa0\x80"', b"[" * 100_000, b"9" * 5000],
)  # fmt: skip
def test_what_no_value_stands_for(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(data)


@pytest.mark.parametrize(
    ("data", "type", "body"),
    [
        (b"", "application/json", None),
        (b'{"a": 18446744073709551616}', "application/json", Json({"a": 2**64})),
        (b' {"a": 1}', "", Json({"a": 1})),
        (b'{"a":1,"a":2}', "application/json", Text('{"a":1,"a":2}')),
        (b"a=b&c=d", "application/x-www-form-urlencoded", Text("a=b&c=d")),
        (b"\x89PNG\r\n\x1a\n", "image/png", Binary(b"\x89PNG\r\n\x1a\n")),
        (b"a\0b", "text/plain", Binary(b"a\0b")),
    ],
)
def test_a_small_body(data: bytes, type: str, body: object) -> None:
    assert body_of(data, type) == body


@pytest.mark.parametrize(
    ("value", "by_value"),
    [
        ({"messages": [{"content": "x" * 1000}] * 2000}, True),  # a long history holds nothing large
        ({"messages": [{"content": "x" * (LARGE + 1)}]}, False),
        ({"messages": [], "system": "x" * (LARGE + 1)}, False),
        (["x"] * LARGE, False),
    ],
    ids=["long history", "large message", "large system prompt", "no messages"],
)
def test_over_1_mb_is_about_what_is_new(value: Any, by_value: bool) -> None:
    data = json.dumps(value).encode()
    assert isinstance(body_of(data, "application/json"), Json if by_value else Blob)


def _multipart(*parts: tuple[str, bytes]) -> bytes:
    made = b"".join(b"--B\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (h.encode(), b) for h, b in parts)
    return made + b"--B--\r\n"


def test_multipart_becomes_its_parts_whatever_the_chunks() -> None:
    image = b"\x89PNG\r\n--" * 150_000
    data = _multipart(
        ('name="purpose"', b"vision"),
        ('name="file"; filename="a.png"\r\nContent-Type: image/png', image),
        ('name="empty"', b""),
    )  # fmt: skip
    blob = Blob(hashlib.sha256(image).hexdigest(), len(image), "image/png", image[:16].hex())
    expected = Parts(
        (Part("purpose", Text("vision")), Part("file", blob, "a.png", "image/png"), Part("empty", Text("")))
    )
    assert body_of(data, 'multipart/form-data; boundary="B"') == expected
    for size in (1 << 16, 4099):
        upload = Upload("multipart/form-data; boundary=B")
        for at in range(0, len(data), size):
            upload.feed(data[at : at + size])
        assert upload.finish() == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=3), st.integers(1, 7))
def test_small_multipart_in_any_chunks(contents: list[bytes], size: int) -> None:
    data = _multipart(*[('name="f"', content) for content in contents])
    upload = Upload("multipart/form-data; boundary=B")
    for at in range(0, len(data), size):
        upload.feed(data[at : at + size])
    body = upload.finish()
    assert body == body_of(data, "multipart/form-data; boundary=B")
    if not any(b"\r\n--B" in content for content in contents):
        assert isinstance(body, Parts)
        assert len(body.parts) == len(contents)


@pytest.mark.parametrize("data", [b"--B\r\nname", b"garbage", _multipart(('name="a"', b"x"))[:-6]])
def test_broken_multipart_is_kept_as_it_is(data: bytes) -> None:
    assert body_of(data, "multipart/form-data; boundary=B") == Text(data.decode())
