"""Sizes and counts of images: A19."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from convo_replay.validation.image_sizes import size_of, size_of_base64
from convo_replay.validation.rules import image_limit
from rule_cases import assistant, body, errors, result, said, use, user


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\x00\x00"


def jpeg(width: int, height: int, before: bytes = b"", kind: int = 0xC2) -> bytes:
    frame = bytes([0xFF, kind]) + struct.pack(">HBHHB", 17, 8, height, width, 3)
    return b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 10 + before + b"\xff\xdb\x00\x04\x00\x00\xff" + frame


def webp(kind: bytes, rest: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00" + rest


def segment(length: int) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", length + 2) + b"\xff" * length


SIZES = {
    "png": (png(640, 9000), (640, 9000)),
    "gif": (gif(320, 65535), (320, 65535)),
    "jpeg": (jpeg(4000, 3000), (4000, 3000)),
    "jpeg, baseline": (jpeg(4000, 3000, kind=0xC0), (4000, 3000)),
    "jpeg with a profile": (jpeg(4000, 3000, segment(60_000) * 3), (4000, 3000)),
    "webp, lossy": (
        webp(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 8001 | 0x4000, 200)), (8001, 200),
    ),
    "webp, lossless": (webp(b"VP8L", b"\x2f" + struct.pack("<I", (8192 - 1) | (77 - 1) << 14)), (8192, 77)),
    "webp, extended": (
        webp(b"VP8X", b"\x00" * 4 + (16_000 - 1).to_bytes(3, "little") + (5 - 1).to_bytes(3, "little")), (16_000, 5),
    ),
    "png, cut": (png(640, 480)[:17], None),
    "jpeg, cut": (jpeg(640, 480)[:24], None),
    "jpeg, no frame": (b"\xff\xd8" + segment(10) + b"\xff\xd9", None),
    "jpeg, broken": (b"\xff\xd8\xff\xe0\x00\x04xxyy", None),
    "jpeg, a segment of no length": (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 9, None),
    "webp, cut": (webp(b"VP8L", b""), None),
    "webp, other": (webp(b"ALPH", b"\x00" * 20), None),
    "pdf": (b"%PDF-1.7", None),
    "nothing": (b"", None),
}  # fmt: skip


@pytest.mark.parametrize(("data", "size"), SIZES.values(), ids=SIZES.keys())
def test_sizes_from_the_first_bytes(data, size):
    assert size_of(data) == size
    assert size_of_base64(base64.b64encode(data + b"\xff" * (-len(data) % 3)).decode()) == size


@pytest.mark.parametrize("data", ["", "a", "*** no base64 ***", "é" * 400, "/9j/" + "A" * 90_000, "iVBORw0KGgo="])
def test_what_is_no_image_has_no_size(data):
    assert size_of_base64(data) is None


def image(width: int, height: int) -> dict[str, Any]:
    data = base64.b64encode(png(width, height)).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def test_a_side_of_8000_pixels():
    sent = body(user("What is it?", image(8000, 10), image(10, 8001)))
    assert said(image_limit.check, sent) == [("error", "messages.0.content.2")]
    assert errors(image_limit.check, sent) == [
        "messages.0.content.2.image.source.base64.data: At least one of the image dimensions exceed max allowed size: "
        "8000 pixels"
    ]


def test_images_in_results_of_tools():
    sent = body(user("Go."), assistant(use()), user(result(content=["x", image(9000, 9)])))
    assert said(image_limit.check, sent) == [("error", "messages.2.content.0.content.1")]
    assert said(image_limit.check, sent, new=3) == []


def test_more_than_20_images_may_have_2000_pixels():
    earlier = [image(2000, 2000), image(2001, 5), *[image(9, 9)] * 18]
    sent = body(user(*earlier), assistant("Nice."), user(image(3000, 5)))
    assert said(image_limit.check, sent, new=1) == [
        ("error", "messages.0.content.1"),
        ("error", "messages.2.content.0"),
    ]
    assert "for many-image requests: 2000 pixels" in errors(image_limit.check, sent)[0]
    assert said(image_limit.check, body(user(*earlier[:-1]), assistant("Nice."), user(image(3000, 5))), new=1) == []
    twenty = body(user(image(9000, 5), *[image(9, 9)] * 18), assistant("Nice."), user(image(3000, 5)))
    assert said(image_limit.check, twenty, new=1) == []  # the one of 9000 pixels was told before
    assert errors(image_limit.check, twenty)[0].endswith("exceed max allowed size: 8000 pixels")
    further = body(*sent["messages"], assistant("Well."), user("And?"))
    assert said(image_limit.check, further, new=3) == []
    assert said(image_limit.check, body(*sent["messages"], user(image(5, 2001))), new=3) == [
        ("error", "messages.3.content.0")
    ]


@pytest.mark.parametrize(
    ("model", "count", "found"),
    [
        ("claude-sonnet-4-5", 100, 0),
        ("claude-sonnet-4-5", 101, 1),
        ("claude-opus-4-6", 600, 0),
        ("claude-opus-4-6", 601, 1),
        ("my-deployment", 601, 0),
    ],
)
def test_how_many_images(model, count, found):
    one = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    assert said(image_limit.check, body(user(*[one] * count), model=model)) == [("warn", "")] * found


@pytest.mark.parametrize("source", [None, 5, {}, {"data": None}, {"data": "x"}, {"type": "file", "file_id": "file_1"}])
def test_other_sources_are_left_alone(source):
    assert said(image_limit.check, body(user({"type": "image", "source": source}))) == []
