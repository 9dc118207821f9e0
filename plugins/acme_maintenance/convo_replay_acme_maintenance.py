"""What the Acme gateway does once a month: it answers nothing for some minutes, and says for how long."""

from dataclasses import dataclass

from convo_replay.exchange import Chunk, End, Exchange, Head, Steps
from convo_replay.faults import Fault
from convo_replay.faults.fault import word


@dataclass(frozen=True)
class AcmeMaintenance(Fault):
    """`acme_maintenance`: for five minutes; `acme_maintenance:1`: for one."""

    minutes: int = word(5, help="minutes that the gateway asks clients to wait")

    name = "acme_maintenance"
    kind = "status"
    summary = "the Acme gateway is being maintained, and says for how long"
    whole = True  # nothing of the recorded answer is left: it takes an attempt of its own

    def apply(self, before: Steps, after: Steps, exchange: Exchange) -> Steps:
        headers = (("content-type", "text/plain"), ("retry-after", str(60 * self.minutes)))
        return (Head(503, headers), Chunk(0.0, b"Acme is being maintained.\n"), End())
