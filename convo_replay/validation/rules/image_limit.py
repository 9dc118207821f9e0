"""A19: how large and how many images may be.

Sides up to 8000 px; up to 2000 px once a request holds more than 20 images. Only images in base64 can be
measured. Counts: "100 per request for models with a 200k-token context window, 600 for all other models"
("Vision", a copy of 2026); older copies say 100 for all, so what is beyond a count is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convo_replay.providers import wire
from convo_replay.validation.asked import Asked
from convo_replay.validation.findings import Finding, Path, Rule
from convo_replay.validation.image_sizes import size_of_base64
from convo_replay.validation.messages import Block, Message

SIDE = 8000
SIDE_OF_MANY = 2000
MANY = 20
COUNT = 100
COUNT_LONG_CONTEXT = 600
_TEXT = (
    "{path}.image.source.base64.data: At least one of the image dimensions exceed max allowed size{many}: {n} pixels"
)

RULE = Rule(
    name="image-limit",
    number="A19",
    format="anthropic",
    severity="error",
    summary="Images are at most 8000 px wide and high, and 2000 px once a request holds more than 20 of them.",
    why="An agent that takes screenshots sends all earlier ones again with every request. With the 21st image the "
    "limit of each side drops from 8000 to 2000 pixels, for the old ones too, and every further request fails. Scale "
    "images down to 2000 px before they enter the history, or drop old ones. There is also a limit to their number, "
    "which depends on the model; beyond it this is a warning.",
    source="platform.claude.com build-with-claude/vision; anthropic 2.12.0, types/"
    "image_dimensions_too_large_error_details.py",
    api_error=_TEXT.format(path="messages.N.content.M", many="", n=SIDE),
    needs=frozenset({"image", "document"}),
)


def check(asked: Asked) -> Iterator[Finding]:
    fresh = [image for index, message in asked.fresh for image in _images(index, message)]
    if not fresh:
        return
    earlier = sum(1 for index in range(asked.new) for _ in _images(index, asked.messages[index]))
    count = earlier + len(fresh)
    looked_at: Iterable[tuple[Path, Block]] = fresh
    if count > MANY >= earlier > 0:  # now the old ones are too large, too
        looked_at = [image for index, message in enumerate(asked.messages) for image in _images(index, message)]
    most = SIDE_OF_MANY if count > MANY else SIDE
    for where, block in looked_at:
        data = wire.mapping(block.get("source")).get("data")
        size = size_of_base64(data) if isinstance(data, str) else None
        if size is not None and max(size) > most:
            many = f" (more than {MANY} images in the request)" if count > MANY else ""
            yield RULE.found(
                where,
                f"expected sides of at most {most} pixels{many}, sent {size[0]} × {size[1]}",
                api_error=_TEXT.format(
                    path=".".join(map(str, where)), many=" for many-image requests" if count > MANY else "", n=most
                ),
            )
    limit = COUNT if asked.model.below(4, 6) else COUNT_LONG_CONTEXT
    if count > limit and asked.model.known:
        yield RULE.found((), f"expected at most {limit} images for {asked.model.name}, sent {count}", severity="warn")


def _images(index: int, message: Message) -> Iterator[tuple[Path, Block]]:
    """Where each image of a message is, also those in the results of tools."""
    if "image" in message.types:
        for at, kind in enumerate(message.types):
            if kind == "image":
                yield ("messages", index, "content", at), message.blocks[at]
    for at, _ in message.results:
        if at < len(message.blocks):
            for within, part in enumerate(wire.items(message.blocks[at].get("content"))):
                if isinstance(part, dict) and part.get("type") == "image":
                    yield ("messages", index, "content", at, "content", within), part
