"""The Acme gateway: it speaks the Messages API at `POST /gateway/v2/complete`, and adds a trace id to each call."""

from convo_replay.exchange import Request
from convo_replay.providers import wire
from convo_replay.providers.anthropic import Anthropic


class AcmeGateway(Anthropic):
    name = "acme_gateway"
    volatile_paths = (*Anthropic.volatile_paths, "acme.trace_id")

    def claims(self, request: Request) -> bool:
        return wire.address(request)[1].startswith("/gateway/v2/")

    def generates(self, request: Request) -> bool:
        path = wire.address(request)[1]
        return request.method == "POST" and path == "/gateway/v2/complete" and wire.has_history(request, self.history)


provider = AcmeGateway()
