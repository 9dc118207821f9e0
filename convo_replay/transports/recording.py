"""Streams that hand each chunk on as it arrives and note it on the way; nothing is read ahead."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from convo_replay.bodies import Upload
from convo_replay.call import Call
from convo_replay.transports.ends import end_of


def ended(call: Call, error: BaseException) -> None:
    end = end_of(error)
    if end is None:
        call.drop()
    else:
        call.end(*end)


class Tee:
    """Hands each chunk on as it arrives and notes it; ends with whatever comes first."""

    def __init__(self, stream: Iterable[bytes], call: Call) -> None:
        self._stream = stream
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        try:
            for data in self._stream:
                if data:
                    call.chunk(data)
                yield data
        except BaseException as error:
            ended(call, error)
            raise
        call.end()
        if call.failure is not None:
            raise call.failure

    def close(self) -> None:
        """The client is done with the response."""
        try:
            close = getattr(self._stream, "close", None)
            if close is not None:
                close()
        finally:
            self._call.end("cancelled")

    def __del__(self) -> None:
        self._call.end("cancelled")


class AsyncTee:
    def __init__(self, stream: AsyncIterable[bytes], call: Call) -> None:
        self._stream = stream
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        call = self._call
        try:
            async for data in self._stream:
                if data:
                    call.chunk(data)
                yield data
        except BaseException as error:
            ended(call, error)
            raise
        call.end()
        if call.failure is not None:
            raise call.failure

    async def aclose(self) -> None:
        try:
            close = getattr(self._stream, "aclose", None)
            if close is not None:
                await close()
        finally:
            self._call.end("cancelled")

    def __del__(self) -> None:
        self._call.end("cancelled")


class UploadTee:
    """Hashes an upload while it streams; nothing is read ahead."""

    def __init__(self, stream: Iterable[bytes], call: Call, upload: Upload) -> None:
        self._stream = stream
        self._call = call
        self._upload = upload

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            self._upload.feed(data)
            yield data
        self._call.body(self._upload.finish())

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class AsyncUploadTee:
    def __init__(self, stream: AsyncIterable[bytes], call: Call, upload: Upload) -> None:
        self._stream = stream
        self._call = call
        self._upload = upload

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            self._upload.feed(data)
            yield data
        self._call.body(self._upload.finish())

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()
