"""The words of a verdict: what somebody reads who has never seen the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from convo_replay import sse
from convo_replay.validation.findings import value
from convo_replay.verdict.case import Case, Question, gap, is_branch, is_hop, pause, status_of
from convo_replay.verdict.evidence import Attempt, Expected, Outcome
from convo_replay.verdict.judgement import Judgement

_ATTEMPTS = 30
"""Attempts that are told one by one; of more, the first and the last."""

MEANING: Final[Mapping[Outcome, str]] = {
    "recovered": "the test passed, and every turn that a fault hit was completed",
    "raised": "the test failed with the exception that the fault produced, or that the client raised over it",
    "crashed": "the test failed with another exception than the fault's",
    "diverged": "the client sent a request that nothing recorded answers",
    "silent": "the test passed, but a turn that a fault hit was never completed",
    "handled": "the test passed without the answer, as it was declared",
    "not-fired": "a fault never applied",
}
_TODO: Final[Mapping[Outcome, str]] = {
    "crashed": "raise where an answer is not whole, and let the fault's exception through or chain it (`raise … from "
    "error`), so that callers can tell it from a bug",
    "silent": 'raise, or ask again; where the user is told in another way, say so: expect="handled"',
    "diverged": "a fallback model? A branch like that can be recorded: run it with --convo-record=new_episodes",
    "not-fired": "name a turn that the test reaches, or remove the fault",
    "raised": "catch the exception and tell the user, or ask again until the answer comes; or declare another outcome",
    "recovered": "declare another outcome: the client got its answer in the end",
    "handled": "",
}


def verdict(
    *,
    outcome: Outcome,
    allowed: Sequence[Outcome],
    expected: Expected,
    reason: str,
    findings: Sequence[Judgement],
    notes: Sequence[str],
) -> str:
    """The whole text, without the spec."""
    from convo_replay.verdict.catalogue import all_rules

    good = outcome in allowed
    lines = [f"{outcome}: {reason or MEANING[outcome]}"]
    if not good and expected:
        lines.append(f"  declared was expect={expected!r}: {' or '.join(allowed)}")
    for finding in findings:
        place = f" ({finding.place})" if finding.place else ""
        lines.append(f"  {finding.level} {finding.rule}{place}: {finding.message}")
        lines += [f"      - {' '.join(line.split())}" for line in finding.evidence]
        known = all_rules().get(finding.rule)
        if known is not None:
            lines.append(f"      to do: {known[0].todo}")
    if not good and not any(finding.level == "error" for finding in findings) and _TODO[outcome]:
        lines.append(f"  to do: {_TODO[outcome]}")
    if notes:
        lines.append("  what happened:")
        lines += [f"    {line}" for line in notes]
    return "\n".join(lines)


def reason(case: Case, raised: BaseException | None, redact: Callable[[str], str] = str) -> str:
    """Why the run has its outcome, in one sentence. `redact`: what the text of an exception goes through."""
    said = MEANING[case.outcome]
    run = case.run
    if case.outcome == "not-fired":
        missing = [str(spec) for at, spec in enumerate(run.plan.specs) if at not in run.fired]
        ended = f"; it ended with {described(raised, redact)}" if raised is not None else ""
        never = f"{', '.join(missing) or 'the fault'} never applied"
        return f"{never}: the test did not come to the attempt that it names{ended}"
    if case.outcome in ("silent", "handled"):
        return f"{said}: {'; '.join(_unanswered(question) for question in (*case.unanswered, *case.asserted))}"
    if case.outcome == "diverged":
        first = case.diverged[0]
        breaks = "".join(f"; it breaks {one.rule} ({one.path})" for one in first.broken[:3])
        return f"nothing recorded answers the request that the client sent {_model(first)}after the fault{breaks}"
    if case.outcome == "crashed" and run.stopped:
        return f"the run was stopped: {run.stopped}"
    if case.outcome == "crashed" and run.hung:
        return "the client would wait for ever"
    if raised is not None:
        after = "; ".join(_unanswered(question) for question in case.unanswered) if case.outcome == "crashed" else ""
        return f"{said}: {described(raised, redact)}" + (f" (after {after})" if after else "")
    if case.outcome == "raised":
        return f"{said}: {'; '.join(_unanswered(question) for question in case.asserted)}, as the test expects"
    return said


def notes(case: Case) -> Iterator[str]:
    """What happened, one line per attempt."""
    attempts = case.run.attempts
    for at, attempt in enumerate(attempts):
        if len(attempts) > _ATTEMPTS and _ATTEMPTS - 5 <= at < len(attempts) - 5:
            if at == _ATTEMPTS - 5:
                yield f"… {len(attempts) - _ATTEMPTS} more"
            continue
        yield _note(case, attempt)


def described(error: BaseException, redact: Callable[[str], str]) -> str:
    """An exception in one line."""
    text = " ".join(redact(str(error)).split())  # before it is cut: half a key is one that nothing recognizes
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__.partition('.')[0]}."
    return f"{module}{kind.__qualname__}" + (f": {text[:157]}{'…' if len(text) > 157 else ''}" if text else "")


def _unanswered(question: Question) -> str:
    turn = "a request" if question.turn is None else f"turns[{question.turn}]"
    return f"{turn}: {got(question.case, question.last)}"


def got(case: Case, attempt: Attempt) -> str:
    """What the client had of an attempt: `429`, `200, 5 of 12 events, then a reset`."""
    played = attempt.exchange
    if played is None:
        return "nothing answers it"
    if played.head is None:
        how = played.end.kind + (f" ({played.end.phase})" if played.end.phase else "")
        return f"no connection: {how}" if how in ("refused", "dns", "tls") else f"no answer: {how}"
    parts = [str(played.status)]
    recorded = attempt.recorded
    if attempt.faults and recorded is not None and 200 <= (played.status or 0) < 300:
        mine, theirs = played.content_type, recorded.content_type
        parts += [f"as {mine or 'no content-type'}"] if mine != theirs else []
    delivered = case.delivered(attempt)
    broken = delivered.broken
    if broken and played.status is not None and played.status < 300:
        if broken == "cut":
            parts.append(_part(case, attempt))
        if broken == "error" and delivered.reply.error:
            parts.append(f"the error {value(dict(delivered.reply.error))}")
        if broken == "malformed" and delivered.damage:
            parts.append(delivered.damage[0])
        if played.end.kind != "complete" and attempt.state in ("raised", "open", "left"):
            parts.append(f"then {played.end.kind}")
        elif broken == "cut" and attempt.state == "read":
            parts.append("then a clean end")
    for name in ("retry-after", "retry-after-ms", "x-should-retry"):
        if (given := played.header(name)) is not None and (played.status or 0) >= 400:
            parts.append(f"{name}: {given[:40]}")
    return ", ".join(parts)


def _part(case: Case, attempt: Attempt) -> str:
    """How much of an answer came."""
    whole = attempt.recorded.body if attempt.recorded is not None else b""
    delivered = case.delivered(attempt)
    if not delivered.streamed:
        return f"{attempt.taken} of {len(whole)} bytes"
    count = [sum(data is not None for _, data in sse.received(body)) for body in (delivered.exchange.body, whole)]
    return f"{count[0]} of {count[1]} events"


def _note(case: Case, attempt: Attempt) -> str:
    if attempt.turn is not None:
        what = f"turns[{attempt.turn}] attempt {attempt.number}"
    elif attempt.state == "diverged":
        what = "another request"
    elif is_branch(attempt):
        what = "a branch, live" if attempt.live else "a recorded branch"
    else:
        what = f"{attempt.request.method} without a turn"
    hit = f" [{' + '.join(map(str, attempt.faults))}]" if attempt.faults else ""
    hop = ", a redirect" if is_hop(attempt) else ""
    again = ", asked once more" if attempt.again else ""
    waited = "".join(
        f"; waits {round(wait.seconds, 2):g} s ({wait.module} {wait.function})" for wait in attempt.waits[:3]
    )
    more = f" and {len(attempt.waits) - 3} more" if len(attempt.waits) > 3 else ""
    since = attempt.began - case.run.attempts[0].began
    return f"{since:8.3f} s  {what}{again}{hit}: {got(case, attempt)}{hop}{waited}{more}"


def _model(attempt: Attempt) -> str:
    body = attempt.request.json
    model = body.get("model") if isinstance(body, dict) else None
    recorded = attempt.recorded.request.json if attempt.recorded is not None else None
    known = recorded.get("model") if isinstance(recorded, dict) else None
    return f"(to {value(model)[1:-1]}, recorded is {value(known)[1:-1]}) " if model and known and model != known else ""


def followed(before: Attempt, after: Attempt) -> str:
    """How one attempt followed another."""
    status, whole, waited = status_of(before), gap(before, after), pause(before, after)
    computed = f", {waited:.2f} s of which it waited" if whole - waited >= 0.01 else ""
    return f"attempt {after.number} came {whole:.2f} s{computed} after attempt {before.number}" + (
        f" was answered {status}" if status is not None else " failed"
    )
