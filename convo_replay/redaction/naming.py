"""`named-secret`: a value that looks random, under a name that says it is a credential.

A name alone is not enough (`max_tokens`, `page_token`, `password: str`), nor is a look alone (ids, hashes):
both are asked for. Names are read word by word, in any spelling: `apiKey`, `API_KEY`, `x-api-key`.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import log2

from convo_replay.redaction import placeholders
from convo_replay.redaction.colours import COLOUR
from convo_replay.redaction.environment import is_plain
from convo_replay.redaction.words import is_place, is_worded
from convo_replay.standins import STAND_IN

LEAST = 8
"""Characters of a value, in text as in parsed JSON."""
MOST = 2048
_JUDGED = 256
"""Characters by which a value without quotes is judged."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ALONE = frozenset({
    "password", "passwd", "pwd", "passphrase", "passcode", "secret", "apikey", "token", "credential", "credentials",
    "bearer", "authorization", "pat", "passwort", "authtoken", "accesstoken", "secretkey", "accesskey", "privatekey",
    "passwords", "secrets", "apitoken", "pgpassword", "authkey",
})  # fmt: skip
"""Last words of a name that say it."""
_KEY_OF = frozenset({
    "api", "access", "secret", "private", "auth", "authentication", "authorization", "encryption", "signing",
    "signature", "master", "service", "client", "admin", "app", "application", "shared", "storage", "account",
    "subscription", "webhook", "session", "deploy", "license", "hmac", "aes", "ssh", "jwt", "bot", "token", "org",
    "project", "functions", "host", "write", "read", "server", "db", "database", "system", "user", "ephemeral",
    "openai", "anthropic", "claude", "azure", "aws", "gemini", "google", "groq", "mistral", "cohere", "xai", "grok",
    "perplexity", "deepseek", "openrouter", "together", "fireworks", "replicate", "huggingface", "hf", "tavily",
    "serpapi", "serper", "exa", "langsmith", "langfuse", "pinecone", "weaviate", "qdrant", "github", "gitlab", "slack",
    "stripe", "twilio", "sendgrid", "datadog", "dd", "sentry", "elevenlabs", "deepgram", "cloudflare", "ollama",
    "litellm", "voyage", "jina", "firecrawl", "brave", "bing", "cerebras", "nvidia", "replit", "vercel", "supabase",
    "firebase", "algolia", "mapbox", "weather", "maps", "mail", "mailgun", "smtp", "redis", "postgres", "mysql",
})  # fmt: skip
"""What stands before `key` where the key is one that opens something."""
_NO_TOKEN_OF = frozenset({
    "page", "next", "continuation", "cursor", "sync", "pagination", "previous", "prev", "resume", "max", "stop",
    "start", "end", "eos", "bos", "pad", "unk", "special", "input", "output", "first", "last", "per", "mask", "sep",
    "cls", "completion", "prompt", "scroll", "nextpage",
})  # fmt: skip
_AZURE = re.compile(r"azure|cognitive|ocp-?apim", re.IGNORECASE)
_AWS = re.compile(r"aws|secret_?access_?key", re.IGNORECASE)


def words(name: str) -> list[str]:
    """The words of a name, in small letters: `xApiKey` and `X_API_KEY` alike are `x api key`."""
    return [word.lower() for word in _WORD.findall(name)]


@functools.lru_cache(4096)
def telling(name: str) -> bool:
    """Whether a key, a parameter, a variable of this name holds a credential."""
    if len(name) > 80 or placeholders.may_hold(name):
        return False
    found = words(name)
    while found and found[-1].isdigit():
        found.pop()
    if not found:
        return False
    last, before = found[-1], found[-2] if len(found) > 1 else ""
    if last in _ALONE:
        return not (last == "token" and before in _NO_TOKEN_OF)
    if last == "pass":  # alone it is a word
        return before in _KEY_OF
    if last in ("key", "keys"):
        return before in _KEY_OF
    if last in ("value", "b64", "base64", "plain", "raw", "text", "header", "string") and len(found) > 1:
        return telling(" ".join(found[:-1]))
    return False


def says(owner: Mapping[str, object], key: str) -> bool:
    """Whether the field `key` of an object holds a credential by its name; the token of a log probability does not."""
    return telling(key) and not ("logprob" in owner or "logProbability" in owner)


_REPEATED = re.compile(r"([xX#0\-_?])\1{5}")
_MASK_BEGINS = re.compile(r"[*.\[<{$%]")
_MASK = re.compile(r"\*{3}|\.{3}|\[[A-Za-z_ -]+\]|<[^>]*>|\{[^}]*\}|\$\(|^\$[A-Za-z_]|^%\(")
_WORDS_OF_DUMMIES = (
    "example", "dummy", "placeholder", "redacted", "masked", "filtered", "scrubbed", "sanitized", "your", "changeme",
    "change_me", "fake", "sample", "insert", "replace",
)  # fmt: skip
_SAYS_SO = re.compile("|".join(_WORDS_OF_DUMMIES), re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]?[\d:.Z+-]*")
_SPACES = re.compile(r"\s")
_SIGN = re.compile(r"[!@#$%^&*?~]")
"""What is typed into passwords, and stands in no name."""
_KINDS = tuple((kind, re.compile(chars)) for kind, chars in (
    ("1", "[0-9]"), ("a", "[a-z]"), ("A", "[A-Z]"), (".", "[^0-9a-zA-Z]")
))  # fmt: skip


def is_secret_value(value: str) -> bool:
    """Whether a value looks random: no words, numbers, paths, code, mask, placeholder, stand-in.

    In a value of 8 to 15 characters letters and digits are asked for, and a third kind of character: capitals
    beside small letters, or punctuation. In a longer one the pieces between changes of kind are looked at:
    words are long ones of letters with vowels.
    """
    if not LEAST <= len(value) <= MOST or STAND_IN in value or placeholders.may_hold(value):
        return False
    if not value.isascii() or len(set(value)) < 6 or _SPACES.search(value) is not None:
        return False
    kinds = _kinds(value)
    if len(value) >= 16 and len(kinds - {"."}) < 2:
        return False
    low = value.lower()
    if any(
        word in low for word in _WORDS_OF_DUMMIES
    ):  # documentation writes a word into what looks random: the rest counts
        rest = _SAYS_SO.sub("", value)
        return len(rest) >= 16 and is_secret_value(rest)
    if _is_mask(value) or is_place(value) or _DATE.fullmatch(value) or value == "AWS4-HMAC-SHA256":
        return False
    if is_plain(value):
        return False
    if "1" not in kinds and len(value) < 20 and not (kinds >= {"a", "A"} and _SIGN.search(value)):
        return False
    if len(value) < 16:
        return len(kinds) >= 3 and not is_worded(value)
    return entropy(value) >= 2.8 and not is_worded(value)


def _is_mask(value: str) -> bool:
    if _REPEATED.search(value) is not None:
        return True
    return _MASK_BEGINS.search(value) is not None and _MASK.search(value) is not None


def _kinds(value: str) -> set[str]:
    return {kind for kind, chars in _KINDS if chars.search(value) is not None}


def entropy(value: str) -> float:
    """Bits for a character, by how often each occurs."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values())


def named(name: str, value: str) -> str | None:
    """The class of a value that its name says is a credential and that looks like one, or `None`."""
    if not telling(name) or not is_secret_value(value):
        return None
    low = name.lower()
    if "session" in low and "token" in low and (_AWS.search(name) or len(value) >= 100):
        return "aws-session-token"
    if len(value) == 40 and re.search(r"secret_?-?access_?-?key|aws.*secret", low):
        return "aws-secret"
    if "twilio" in low:
        return "twilio-key"
    if _AZURE.search(low) and (len(value) in (32, 84) or len(value) > 40):
        return "azure-key"
    return "named-secret"


# Roots of telling names, in small letters; where none stands in a text, no name does.
_ROOTS = (
    ("pass", ("password", "passwd", "passwort", "passphrase", "passcode", "_pass")), ("secret", ("secret",)),
    ("token", ("token",)), ("key", ("key",)), ("credential", ("credential",)), ("pwd", ("pwd",)),
    ("bearer", ("bearer",)), ("authorization", ("authorization",)),
)  # fmt: skip
_TOKEN = re.compile(r"token(?!s(?![a-z]))")  # `tokens` are counted, in every body, and never told
_RARE = re.compile(r"pa(?:t|ss)(?![a-z])")
"""Last words of keys that are too short to be looked for in a text."""
_COLON = re.compile(r'"\s{0,8}:')
_SMALL = {ord(char): char.lower() for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_BESIDE = re.compile(r"""\\*["'`\]]|\s{0,4}[:=：]|\s|,|>|\+is|\x1b|\\{1,4}(?:u001[bB]|x1[bB]|033|e)\[""")
_FLAGS = (" -p", "-u ", "--user")
_NAME_BEFORE = re.compile(r"[\w.-]*")
_COLOUR_END = re.compile(r"\d{0,3}[mK]")
_KIND = re.compile(r"(?:api|access|secret)[ +]\Z", re.IGNORECASE)
_NAME_REST = re.compile(r"[\w-]{0,40}+", re.ASCII)
_QUOTE = r"""\\*["'`]"""
_NO_TEXT = r"\x00-\x08\x0e-\x1b\x7f-\U0010ffff"
"""What ends a value without quotes: bytes that are no text, punctuation of other scripts."""
_AFTER = re.compile(
    rf"""(?:{_QUOTE})?\]?{COLOUR}{{0,3}}+(?:"""
    r"""\s{0,4}(?::=|=>|=|:|：)\s{0,4}(?:(?:str|String|string|SecretStr)\s?=\s?)?(?:[A-Za-z_.]{1,30}\((?=\\*["'`]))?"""
    rf"""|(?<=["'`])\s?,\s{{0,4}}(?={_QUOTE})"""
    rf"""|\s?,?\s{{1,20}}(?:{_QUOTE})?value(?:{_QUOTE})?\s?[:=]\s?"""
    r"""|(?<=[A-Za-z])>|(?<=[A-Za-z])[\s+]is:?[\s+])"""
    rf"""{COLOUR}{{0,3}}+(?:{_QUOTE})?(?:(?:[Bb]earer|[Bb]asic|[Tt]oken)\s)?"""
    rf"""(?:(?<=["'`])(?P<quoted>[^\s"'`\\]{{{LEAST},{MOST}}}+)(?={_QUOTE})"""
    rf"""|(?P<bare>[^\s"'`\\,;&<>(){{}}\[\]|{_NO_TEXT}]{{{LEAST},{_JUDGED}}}+))"""
)
_SPACE = re.compile(rf"""[ =](?:{_QUOTE})?(?P<bare>[^\s"'`\\,;&<>(){{}}\[\]|{_NO_TEXT}]{{{LEAST},{_JUDGED}}}+)""")
_REST = re.compile(rf"""[^\s"'`\\,;&<>(){{}}\[\]|{_NO_TEXT}]*+""")
_FLAG = re.compile(
    rf"""(?:\s-p\s?(?![a-z_]{{0,12}}\()|(?<!\S)(?:-u|--user)[ =]?(?:{_QUOTE})?[\w.@-]{{1,40}}:)(?:{_QUOTE})?"""
    rf"""(?P<bare>[^\s"'`\\{_NO_TEXT}]{{{LEAST},200}})"""
)  # fmt: skip


def in_text(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, class) of the values in a text that stand beside a telling name."""
    low = _lowered(text)
    for root in _roots(low):
        at = _next(low, root, 0)
        while at >= 0:
            end = _name_end(text, at + len(root))
            found = _valued(text, at, end)
            if found is not None:
                yield found
                end = found[1]
            at = _next(low, root, end)
    for flag in _FLAGS:
        if flag in text:
            for at in _places(text, flag):
                match = _FLAG.match(text, at)
                if match is not None and is_secret_value(match["bare"]):
                    yield match.start("bare"), match.end("bare"), "named-secret"


def may_hold(text: str) -> bool:
    """Whether a telling name may stand beside a value in `text`; cheap, and generous."""
    low = _lowered(text)
    for root in _roots(low):
        at = _next(low, root, 0)
        while at >= 0:
            end = _name_end(text, at + len(root))
            if _BESIDE.match(text, end) and telling(text[_name_start(text, at) : end]):
                return True
            if _is_in_key(text, at):
                return True
            at = _next(low, root, end)
    if ("pat" in low or "pass" in low) and any(_is_in_key(text, found.start()) for found in _RARE.finditer(low)):
        return True
    return any(_FLAG.match(text, at) for flag in _FLAGS if flag in text for at in _places(text, flag))


def _is_in_key(text: str, at: int) -> bool:
    """Whether `text[at]` stands in a telling key of a JSON object, which may be of several words."""
    start, end = text.rfind('"', max(0, at - 80), at), text.find('"', at, at + 80)
    if start < 0 or end < 0 or _COLON.match(text, end) is None:
        return False
    return telling(text[start + 1 : end].rstrip("\\"))


def _roots(low: str) -> Iterator[str]:
    """The roots that stand in a text."""
    for part, roots in _ROOTS:
        if part in low:
            yield from (root for root in roots if root in low) if len(roots) > 1 else roots


def _next(low: str, root: str, start: int) -> int:
    """Where a root stands next, -1 where it does not."""
    if root != "token":
        return low.find(root, start)
    match = _TOKEN.search(low, start)
    return -1 if match is None else match.start()


def _lowered(text: str) -> str:
    low = text.lower()
    return low if len(low) == len(text) else text.translate(_SMALL)  # letters that have two small ones


def _name_end(text: str, at: int) -> int:
    rest = _NAME_REST.match(text, at)
    return at if rest is None else rest.end()


def _name_start(text: str, at: int) -> int:
    name = _NAME_BEFORE.match(text[max(0, at - 60) : at][::-1])
    start = at if name is None else at - name.end()
    if start and text[start - 1] == "\\" and start < at:  # the letter of an escape: `\napi_key`
        start += 1
    elif start and text[start - 1] in "[;":  # the end of a colour: `ESC[33mapi_key`
        colour = _COLOUR_END.match(text, start, at)
        start = start if colour is None else colour.end()
    if text[start : start + 3] in ("key", "Key", "KEY"):  # of prose: `my API key is …`
        kind = _KIND.search(text, max(0, start - 8), start)
        start = start if kind is None else kind.start()
    return start


def _valued(text: str, at: int, end: int) -> tuple[int, int, str] | None:
    """The value beside the name that holds `text[at:end]`."""
    match = _AFTER.match(text, end) or _SPACE.match(text, end)
    if match is None:
        return None
    begin = _name_start(text, at)
    name = text[begin:end]
    if text[begin - 1 : begin] == text[end : end + 1] == ":":  # the kind of a thing that an ARN names
        return None
    if match.re is _SPACE and not name.startswith("-") and name.lower() != "bearer":
        return None
    group = match.lastgroup or ""
    value = match[group] if group == "quoted" else match[group].rstrip(".:!?")
    cls = named(name, value)
    if cls is None:
        return None
    start, end = match.start(group), match.start(group) + len(value)
    if len(value) == _JUDGED:
        rest = _REST.match(text, end)
        end = end if rest is None else rest.end()
    return start, end, cls


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))
