"""A secret in base64, hex, percent-encoding, JSON escapes, and in these within each other: found, replaced, gone."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convo_replay.redaction import Redactor, encodings, placeholders
from convo_replay.redaction.classes import CLASSES
from convo_replay.redaction.detect import Detector

Encode = Callable[[str], str]

PROSE = "The service answered late, and what it said was not what had been asked for. "


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def over_lines(text: str, width: int = 76, end: str = "\n") -> str:
    """As a mail or the command writes it, the text crossing a break."""
    encoded = b64(f"{PROSE[: width * 3 // 4 - len(text) // 2]} {text} {PROSE}")
    return end.join(encoded[at : at + width] for at in range(0, len(encoded), width))


def hex_over_lines(text: str) -> str:
    encoded = f"{PROSE[: max(30 - len(text) // 2, 0)]} {text} {PROSE}".encode().hex()
    return "\n".join(encoded[at : at + 60] for at in range(0, len(encoded), 60))


def b64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


BEFORE = ("", ": ", "x: ", "xy: ")
ENCODINGS: dict[str, Encode] = {
    "json": lambda text: json.dumps({"k": f"a\n{text}\nb"}),
    "json twice": lambda text: json.dumps(json.dumps({"k": f"a\n{text}\nb"})),
    "escaped as a whole": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "escaped twice": lambda text: "".join(f"\\\\u{ord(char):04x}" for char in text),
    "slashes escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "percent": lambda text: f"https://example.com/?q={quote(text, safe='')}&x=1",
    "percent twice": lambda text: f"https://example.com/?q={quote(quote(text, safe=''), safe='')}",
    "form": lambda text: f"see n={quote_plus(json.dumps({'a': f'is {text}'}))}, and",
    "percent as a whole": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "hex": lambda text: f"x {text.encode().hex()}",
    "large hex": lambda text: f"see {text} here".encode().hex().upper(),
    "hex at an odd place": lambda text: "a" + f"see {text}".encode().hex(),
    "base64 over lines": over_lines,
    "base64 over lines of 64": lambda text: f"the file:\n{over_lines(text, 64, chr(13) + chr(10))}\nAnd so on",
    "base64 over lines, in JSON": lambda text: json.dumps({"out": over_lines(text)}),
    "base64 over lines, in JSON twice": lambda text: json.dumps(json.dumps({"out": over_lines(text)})),
    "hex over lines": hex_over_lines,
    "bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "bytes in JSON": lambda text: json.dumps({"k": "".join(f"\\x{byte:02X}" for byte in text.encode())}),
    "bytes in JSON twice": lambda text: json.dumps(json.dumps({"k": "".join(f"\\\\x{b:02x}" for b in text.encode())})),
    "bytes of C": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "hex in base64": lambda text: b64(text.encode().hex()),
    "base64 in hex": lambda text: b64(text).encode().hex(),
    "json in base64": lambda text: b64(json.dumps({"k": text})),
    "base64 in percent": lambda text: quote(b64(f"?{text}??>"), safe=""),
    "base64, slashes escaped": lambda text: json.dumps(b64(f"?{text}??>")).replace("/", "\\/"),
    "base64, plus escaped": lambda text: json.dumps(b64(f"?{text}??>")).replace("+", "\\u002B"),
    **{f"base64 behind {n}": lambda text, n=n: f"v: {b64(BEFORE[n] + text + ' more')}" for n in range(4)},
    **{f"base64url behind {n}": lambda text, n=n: f"v: {b64url(BEFORE[n] + text + ' ünd')}" for n in range(4)},
    **{f"base64 from place {n}": lambda text, n=n: "abcd"[:n] + b64(f"is {text}") for n in range(4)},
    **{
        f"base64 twice behind {n}": lambda text, n=n: b64(BEFORE[n] + b64(BEFORE[3 - n] + text + " !"))
        for n in range(4)
    },
    **{f"base64url twice behind {n}": lambda text, n=n: b64url(BEFORE[n] + b64url(text)) for n in range(4)},
}  # type: ignore[dict-item]
TEXT_ONLY = [ENCODINGS[name] for name in ENCODINGS if "over lines" in name]
"""Where a value is found only once it is decoded, and only its ASCII characters are known for text."""
KEYS = [
    (item.name, item.example)
    for item in CLASSES
    if item.pattern and item.severity == "error" and len(item.example) > 16
]
NAMED = ["password=Xk9#mP2$vL", '"api_key": "Zx81kQ93mLp2"', "MISTRAL_API_KEY=Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z"]
KNOWN = ["tiger?stripe>ö", 'a/b "c"\\d\né<&>\t', "Xk9#mP2$vL", "correct horse", "ÄÖÜäöüß9"]


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_what_a_pattern_or_a_name_tells_is_found(encode: Encode) -> None:
    for name, example in [*KEYS, *[("named-secret", text) for text in NAMED]]:
        text = encode(example)
        redactor = Redactor()
        made = redactor.text(text)
        assert made != text, name
        assert redactor.text(made) == made, name
        assert Redactor().text(made) == made, name
        assert redactor.text(text) == made, name


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_known_values_are_found(encode: Encode) -> None:
    for value in KNOWN:
        text = encode(value)
        if value.isascii() or encode not in TEXT_ONLY:
            redactor = Redactor(secrets=[value])
            made = redactor.text(text)
            assert made != text
            assert redactor.text(made) == made


def test_base64_stays_base64_of_its_length() -> None:
    key = "ghp_" + "Ex4mple" * 5
    for before in ("", "a", "ab", "a header of 30 bytes, no more."):
        text = b64(f"{before} {key} and what follows")
        made = Redactor().text(f"see {text} there").removeprefix("see ").removesuffix(" there")
        stands = (len(before) + 1) // 3 * 4
        assert len(made) == len(text)
        assert made[:stands] == text[:stands]
        assert made[stands:].startswith(placeholders.OPAQUE_MARK)
        assert b"ghp_" not in base64.b64decode(made)


def test_elsewhere_a_placeholder_takes_the_place_of_what_is_encoded() -> None:
    key = "ghp_" + "Ex4mple" * 5
    assert Redactor().text(f"x {f'see {key}'.encode().hex()} z") == f"x {b'see '.hex()}redacted-github-token-1 z"
    assert Redactor().text("q=%20" + "".join(f"%{ord(char):02x}" for char in key) + "%20z") == (
        "q=%20redacted-github-token-1%20z"
    )


MEDIA = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "gif": b"GIF89a\x01\0\x01\0",
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\x03\x04\x14\0\0\0",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
}


@pytest.mark.parametrize("magic", MEDIA.values(), ids=MEDIA)
def test_images_and_documents_are_left_alone(magic: bytes) -> None:
    inside = b" AKIAEXAMPLE234567ABC " * 10
    text = f"data:application/octet-stream;base64,{base64.b64encode(magic + inside).decode()}"
    redactor = Redactor()
    assert redactor.text(text) is text
    assert redactor.text(b64("no magic " + inside.decode())) != b64("no magic " + inside.decode())


def test_a_run_is_decoded_once_and_the_memory_is_bounded() -> None:
    text = b64("a text of its own, met by this test alone: " + "nothing in it " * 20)
    before = encodings._decoded.cache_info()
    for _ in range(3):
        Redactor().text(f"see {text} there")
    after = encodings._decoded.cache_info()
    assert after.misses == before.misses + 1
    assert after.maxsize is not None
    # Longer ones are not kept at all: maxsize times the most of one is what memory they may take.
    assert after.maxsize * encodings._MOST_KEPT <= 16 * 2**20
    Redactor().text(b64("a long one " * 2_000))
    assert encodings._decoded.cache_info().misses == after.misses


def test_random_bytes_are_no_text() -> None:
    made = random.Random(7)
    redactor = Redactor()
    for size in (30, 300, 3_000, 30_000):
        data = made.randbytes(size)
        for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex()):
            assert redactor.text(text) is text


_PIECES = st.sampled_from(
    [
        "",
        " ",
        "\n",
        '"',
        "\\",
        "%20",
        "é",
        "=",
        "a word ",
        "max_tokens: 12 ",
        *[example for _, example in KEYS],
        *NAMED,
        *[encode(KEYS[3][1]) for encode in ENCODINGS.values()],
        "ada@corp.de",
        "/home/ada/x",
        "+49 30 901820",
    ]
)


@given(st.lists(_PIECES, max_size=4).map("".join))
@settings(max_examples=150, deadline=None)
def test_what_is_found_in_a_text_may_stand_in_its_json(text: str) -> None:
    detector = Detector(["tiger?stripe>ö"])
    if detector.find(text):
        assert detector.may_hold(text)
        assert detector.may_hold(json.dumps(text))
        assert detector.may_hold(json.dumps({"k": [text]}, ensure_ascii=False))
