"""What is planted: kinds of secrets and of identifying data, and how they travel.

The kinds are those of protocol.md §5 and of the vendors' own token formats. Every value is made up, from a seed.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

LETTERS = string.ascii_letters
BASE62 = string.ascii_letters + string.digits
URLSAFE = BASE62 + "-_"
HEX = string.digits + "abcdef"
UPPER = string.ascii_uppercase + string.digits
Make = Callable[[random.Random], str]


def chars(alphabet: str, length: int) -> Make:
    return lambda dice: "".join(dice.choices(alphabet, k=length))


def mixed(length: int, alphabet: str = BASE62) -> Make:
    """With a capital, a small letter and a digit, as generators of passwords see to; it ends with none of `-_`."""

    def make(dice: random.Random) -> str:
        inner = dice.choices(alphabet, k=length - 4)
        fixed = [dice.choice(string.ascii_lowercase), dice.choice(string.ascii_uppercase), dice.choice(string.digits)]
        return "".join([dice.choice(LETTERS), *inner, *fixed])

    return make


def joined(*parts: str | Make) -> Make:
    return lambda dice: "".join(part if isinstance(part, str) else part(dice) for part in parts)


def uuid(dice: random.Random) -> str:
    value = "".join(dice.choices(HEX, k=32))
    return f"{value[:8]}-{value[8:12]}-4{value[13:16]}-a{value[17:20]}-{value[20:]}"


def jwt(dice: random.Random) -> str:
    def part(value: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": mixed(60)(dice)}
    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.{chars(URLSAFE, 86)(dice)}A"


def pem(label: str) -> Make:
    def make(dice: random.Random) -> str:
        body = "MII" + chars(BASE62 + "+/", 317)(dice)
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        return "\n".join(["-----BEGIN " + label + "-----", *lines, "-----END " + label + "-----"]) + "\n"

    return make


def azure_84(dice: random.Random) -> str:
    return f"{mixed(52)(dice)}JQQJ99B{chars(UPPER, 4)(dice)}ACYeBjFXJ3w3AAABACOG{chars(BASE62, 4)(dice)}"[:84]


FIRST = ["Marlene", "Tobias", "Ingrid", "Rasmus", "Philippa", "Bartosz", "Leontine", "Wolfram", "Ottilie", "Casimir"]
LAST = [
    "Okafor",
    "Lindqvist",
    "Abernathy",
    "Zielinski",
    "Quillfeather",
    "Hartmann",
    "Vandermeer",
    "Oyelaran",
    "Brambilla",
]


def email(dice: random.Random) -> str:
    host = dice.choice(["brightloom-labs.io", "nordhafen.de", "mail.quillfeather.co.uk", "gmail.com", "acme-mail.com"])
    return f"{dice.choice(FIRST).lower()}.{dice.choice(LAST).lower()}{dice.randrange(10, 9999)}@{host}"


def user_name(dice: random.Random) -> str:
    return f"{dice.choice(FIRST)[:5].lower()}{dice.choice(LAST).lower()}{dice.randrange(1, 999)}"


def phone(*forms: str) -> Make:
    def make(dice: random.Random) -> str:
        return re.sub("#", lambda _: str(dice.randrange(2, 10)), dice.choice(forms))

    return make


def awkward(dice: random.Random) -> str:
    """What every encoding writes in another way."""
    return f'zÜ"{mixed(6)(dice)}\\{mixed(6)(dice)}/&<\t{mixed(8)(dice)}%='


@dataclass(frozen=True)
class Kind:
    """One kind of what must not survive.

    `around` is how it stands in a text, `{}` being the value. `known` says why it is known without any pattern:
    `secrets`, `pattern`, `function`, `env` (the value of a variable), `header NAME` (it came in that header).
    """

    name: str
    make: Make
    around: str = "{}"
    known: str = ""
    parts: Callable[[str], list[str]] = lambda value: [value]

    def secret(self, value: str) -> list[str]:
        """What of a value is secret: not the beginning that all of its kind have."""
        other = self.parts(self.value("another one"))
        mine = zip(self.parts(value), other, strict=False)
        return [part[common(part, its) :] or part for part, its in mine]

    def value(self, seed: object) -> str:
        return self.make(random.Random(f"{self.name} {seed}"))

    def text(self, value: str) -> str:
        return self.around.replace("{}", value)


def common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def lines_of_pem(value: str) -> list[str]:
    return [line for line in value.splitlines() if line and not line.startswith("-----")]


KINDS: list[Kind] = [
    # keys of providers
    Kind("anthropic", joined("sk-ant-" + "api03-", chars(URLSAFE, 93), "AA")),
    Kind("anthropic-admin", joined("sk-ant-" + "admin01-", chars(URLSAFE, 93), "AA")),
    Kind("anthropic-oauth", joined("sk-ant-" + "oat01-", chars(URLSAFE, 93), "AA")),
    Kind("anthropic-refresh", joined("sk-ant-" + "ort01-", chars(URLSAFE, 93), "AA")),
    Kind("openai-project-key", joined("sk-" + "proj-", mixed(74, URLSAFE), "T3Blbk" + "FJ", mixed(74, URLSAFE))),
    Kind("openai-service", joined("sk-" + "svcacct-", mixed(74, URLSAFE), "T3Blbk" + "FJ", mixed(74, URLSAFE))),
    Kind("openai-admin", joined("sk-" + "admin-", mixed(74, URLSAFE), "T3Blbk" + "FJ", mixed(74, URLSAFE))),
    Kind("openai-legacy", joined("sk-", chars(BASE62, 20), "T3Blbk" + "FJ", chars(BASE62, 20))),
    Kind("openrouter", joined("sk-or-" + "v1-", chars(HEX, 64))),
    Kind("gateway-48", joined("sk-", mixed(48))),
    Kind("gateway-32", joined("sk-", mixed(32))),
    Kind("litellm-virtual", joined("sk-", mixed(22)), "litellm key: {}"),
    Kind("google", joined("AI" + "za", mixed(35, URLSAFE))),
    Kind("google-oauth-token", joined("ya" + "29.", mixed(120, URLSAFE))),
    Kind("google-oauth-secret", joined("GOC" + "SPX-", mixed(28, URLSAFE))),
    Kind("google-refresh", joined("1/" + "/0", mixed(60, URLSAFE))),
    Kind("groq", joined("gs" + "k_", mixed(52))),
    Kind("xai", joined("xai" + "-", mixed(80))),
    Kind("perplexity", joined("ppl" + "x-", mixed(48))),
    Kind("replicate", joined("r8" + "_", mixed(37))),
    Kind("huggingface", joined("hf" + "_", mixed(34, LETTERS))),
    Kind("langsmith", joined("lsv2" + "_pt_", chars(HEX, 32), "_", chars(HEX, 10))),
    Kind("langfuse", joined("sk-" + "lf-", uuid)),
    Kind("tavily", joined("tvly" + "-", mixed(32))),
    # clouds
    Kind("aws-key-id", joined("AK" + "IA", chars(string.ascii_uppercase + "234567", 16))),
    Kind("aws-temporary-key-id", joined("AS" + "IA", chars(string.ascii_uppercase + "234567", 16))),
    Kind("aws-secret", mixed(40, BASE62 + "+/"), "aws_secret_access_key = {}"),
    Kind("aws-session-token", joined("IQoJb3JpZ2luX2VjE", mixed(340, BASE62 + "+/")), "AWS_SESSION_TOKEN={}"),
    Kind("bedrock-bearer", joined("ABSK" + "QmVkcm9ja0FQSUtleS", mixed(110)), "AWS_BEARER_TOKEN_BEDROCK={}"),
    Kind("azure-32", chars(HEX, 32), "api-key: {}"),
    Kind("azure-84", azure_84, "AZURE_OPENAI_API_KEY={}", parts=lambda value: [value[:52]]),
    Kind("digitalocean", joined("dop_" + "v1_", chars(HEX, 64))),
    Kind("databricks", joined("dap" + "i", chars(HEX, 32))),
    # other services
    Kind("jwt", jwt, parts=lambda value: [value.split(".")[1], value.split(".")[2]]),
    Kind("github-classic", joined("gh" + "p_", mixed(36))),
    Kind("github-fine", joined("github" + "_pat_", mixed(22), "_", mixed(59))),
    Kind("gitlab", joined("gl" + "pat-", mixed(20, URLSAFE))),
    Kind("slack-bot", joined("xo" + "xb-", chars("123456789", 12), "-", chars("123456789", 13), "-", mixed(24))),
    Kind("slack-webhook", joined("T0", chars(UPPER, 9), "/B0", chars(UPPER, 9), "/", mixed(24)),
         "https://hooks." + "slack.com/services/{}"),
    Kind("discord-webhook", joined(chars("123456789", 18), "/", mixed(68, URLSAFE)),
         "https://discord" + ".com/api/webhooks/{}"),
    Kind("stripe-live", joined("sk_" + "live_", mixed(24))),
    Kind("stripe-restricted", joined("rk_" + "live_", mixed(99))),
    Kind("stripe-webhook", joined("wh" + "sec_", mixed(32))),
    Kind("npm", joined("np" + "m_", mixed(36))),
    Kind("pypi", joined("pypi-" + "AgEIcHlwaS5vcmc", mixed(150, URLSAFE))),
    Kind("sendgrid", joined("S" + "G.", mixed(22, URLSAFE), ".", mixed(43, URLSAFE))),
    Kind("twilio", chars(HEX, 32), "TWILIO_AUTH_TOKEN={}"),
    Kind("telegram", joined(chars("123456789", 10), ":AA", mixed(33, URLSAFE))),
    # keys and passwords as they are
    Kind("pem-pkcs8", pem("PRIVATE " + "KEY"), parts=lines_of_pem),
    Kind("pem-rsa", pem("RSA PRIVATE " + "KEY"), parts=lines_of_pem),
    Kind("pem-openssh", pem("OPENSSH PRIVATE " + "KEY"), parts=lines_of_pem),
    Kind("url-password", mixed(18), "postgresql://orders:{}@db.internal.acme-corp.com:5432/orders"),
    Kind("url-password-redis", mixed(14), "rediss://:{}@cache.acme-corp.com:6380/0"),
    Kind("presigned-s3", chars(HEX, 64), "https://acme-exports.s3.eu-central-1.amazonaws.com/2026/report.csv"
         "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261122T100000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"
         "&X-Amz-Signature={}"),
    Kind("presigned-gcs", chars(HEX, 256), "https://storage.googleapis.com/acme-exports/report.csv"
         "?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20261122T100000Z&X-Goog-Expires=900&X-Goog-Signature={}"),
    Kind("azure-sas", joined(mixed(43), "%3D"), "https://acmestore.blob.core.windows.net/exports/report.csv"
         "?sv=2024-11-04&st=2026-11-22T10%3A00%3A00Z&se=2026-11-23T10%3A00%3A00Z&sr=b&sp=r&sig={}"),
    Kind("named-env", mixed(24), "DB_PASSWORD={}\nDEBUG=1"),
    Kind("named-json", mixed(28), '{"user": "svc-orders", "password": "{}"}'),
    Kind("named-yaml", mixed(20), "client_secret: {}\nscope: all"),
    Kind("named-argument", mixed(22), "mysql --user=svc --password={} orders"),
    Kind("bearer-text", mixed(40, URLSAFE), "curl -H 'Authorization: Bearer {}' https://api.acme-corp.com/v2"),
    Kind("basic-text", lambda dice: base64.b64encode(f"svc:{mixed(18)(dice)}".encode()).decode(),
         "Authorization: Basic {}"),
    # what is known without a pattern
    Kind("secrets-text", mixed(13), known="secrets"),
    Kind("secrets-awkward", awkward, known="secrets"),
    Kind("secrets-words", lambda dice: f"Projekt {dice.choice(FIRST)} {dice.choice(LAST)}", known="secrets"),
    Kind("secrets-pattern", joined("CUST-", chars("123456789", 9)), known="pattern"),
    Kind("secrets-function", joined("<<<", mixed(12), ">>>"), known="function"),
    Kind("env-value", mixed(20), known="env"),
    Kind("env-awkward", awkward, known="env"),
    Kind("organization-header", uuid, known="header anthropic-organization-id"),
    Kind("workspace-header", joined("wrkspc_", mixed(24)), known="header anthropic-workspace-id"),
    # who and where
    Kind("email", email, "Write to {} about it."),
    Kind("email-angles", email, "From: Ops Team <{}>"),
    Kind("phone-e164", phone("+4915########", "+1628#######", "+44776#######"), "Call {} today."),
    Kind("phone-spaced", phone("+49 151 ########", "+33 6 ## ## ## ##", "+44 7911 ######"), "Tel.: {}"),
    Kind("home-linux", user_name, "File \"/home/{}/work/agent.py\", line 3"),
    Kind("home-mac", user_name, "open /Users/{}/Documents/plan.txt"),
    Kind("home-windows", user_name, "C:\\Users\\{}\\Desktop\\plan.txt"),
    Kind("openai-organization", joined("org-", mixed(24))),
    Kind("openai-project", joined("proj_", mixed(24))),
    Kind("openai-user", joined("user-", mixed(24))),
    Kind("request-id", joined("req_" + "01", mixed(22))),
    Kind("workspace", joined("wrkspc_" + "01", mixed(22))),
    Kind("container", joined("container_" + "01", mixed(22))),
    Kind("file", joined("file_" + "01", mixed(22))),
    Kind("file-openai", joined("file-", mixed(24))),
    Kind("gcp-project", joined("acme-prod-", chars("123456789", 6)),
         "projects/{}/locations/us-east5/publishers/anthropic/models/claude"),
    Kind("aws-account", chars("123456789", 12), "arn:aws:bedrock:us-east-1:{}:inference-profile/eu.anthropic.claude"),
]  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def settings(kind: Kind, value: str) -> dict[str, Any]:
    """What `use_cassette` is told so that the value is known."""
    if kind.known == "secrets":
        return {"secrets": [value]}
    if kind.known == "pattern":
        return {"secrets": [re.compile(r"CUST-\d{9}")]}
    return {"secrets": [angles]} if kind.known == "function" else {}


def angles(text: str) -> list[tuple[int, int]]:
    return [(found.start(), found.end()) for found in re.finditer("<<<.*?>>>", text)]


def environment(kind: Kind, value: str) -> dict[str, str]:
    return {"WAREHOUSE_SERVICE_TOKEN": value} if kind.known == "env" else {}


# How it travels.


def json_once(text: str) -> str:
    return json.dumps(text)[1:-1]


def base64_once(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def all_escaped(text: str) -> str:
    return "".join(f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le")).cast("H"))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "JSON once": lambda text: json.dumps({"note": text}),
    "JSON twice": lambda text: json.dumps({"note": json.dumps({"inner": text})}),
    "JSON thrice": lambda text: json.dumps({"a": json.dumps({"b": json.dumps({"c": text})})}),
    "JSON, all escaped": lambda text: f'{{"note": "{all_escaped(text)}"}}',
    "JSON, slashes": lambda text: json.dumps({"note": text}).replace("/", "\\/"),
    "percent": lambda text: f"https://service.acme-corp.com/go?next={quote(text, safe='')}",
    "form": lambda text: f"a=b&note={quote_plus(text)}",
    "percent twice": lambda text: f"https://service.acme-corp.com/go?next={quote(quote(text, safe=''), safe='')}",
    "base64": lambda text: f"data: {base64_once(text)}",
    "base64, after one": lambda text: base64_once(f"#{text}"),
    "base64, after two": lambda text: base64_once(f"->{text}"),
    "base64, urlsafe": lambda text: base64.urlsafe_b64encode(f"??>{text}".encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64_once(base64_once(text)),
    "base64 twice, after one": lambda text: base64_once("a=" + base64_once(f"b: {text}")),
    "base64 of JSON": lambda text: base64_once(json.dumps({"note": text})),
    "base64 in JSON": lambda text: json.dumps({"data": base64_once(f"note {text}")}),
    "data URL": lambda text: f"data:text/plain;base64,{base64_once(f'note: {text}')}",
    "base64, lines": lambda text: base64.encodebytes(f"{'note ' * 9}{text}{' note' * 9}".encode()).decode(),
    "bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "hex": lambda text: f"dump {text.encode().hex()}",
    "hex, capitals": lambda text: f"dump {text.encode().hex().upper()}",
}
