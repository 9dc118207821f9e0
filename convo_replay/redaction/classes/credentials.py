"""What gives access: keys, tokens, passwords.

The most specific come first: at one place the first match names the class. Every example is made up.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from convo_replay.redaction.classes.entry import A_DIGIT, APART, DOCS, HEX, LEFT, Class, by_pattern, by_prefix
from convo_replay.redaction.classes.vendors import VENDORS


def _is_login(match: re.Match[str]) -> bool:
    """Whether a value is base64 of a name and a password."""
    try:
        name, colon, password = b64decode(match["value"], validate=True).decode("ascii").partition(":")
    except ValueError:
        return False
    return bool(colon) and name.isprintable() and password.isprintable() and len(password) >= 6


SOURCE = "protocol.md §5"

# A line break in any escaping: as it is, `\n` in JSON once and twice, percent-encoded once and twice.
_BREAK = r"(?:\s|\\+[nr]|%(?:25)?0[ADad]|%(?:25)?20|\+(?=-))"
_BODY = r"(?:[A-Za-z0-9+/=]|\\+/|\\+u00[23][0-9A-Fa-f]|%(?:25)?(?:2[BbFf]|3[Dd]))"
_OF = r"(?:[A-Z0-9]{2,9}(?:\s|%20|\+)){0,3}PRIVATE(?:\s|%20|\+)KEY(?:(?:\s|%20|\+)BLOCK)?-----"
_PRIVATE_KEY = (
    r"-----BEGIN(?:\s|%20|\+)" + _OF +
    rf"(?:{_BREAK}++(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\r\n\\%]{{1,120}})*+"
    rf"{_BREAK}*+(?:{_BODY}{{16,}}+{_BREAK}*+)++"
    rf"(?:(?:{_BODY}{{1,15}}+{_BREAK}*+)?-----END(?:\s|%20|\+){_OF}|{_BODY}{{1,15}}+\Z|(?<=[A-Za-z0-9+/=]))?"
)  # fmt: skip

CREDENTIALS: tuple[Class, ...] = (
    by_pattern(
        "anthropic-admin-key", "sk-ant-admin", r"sk-ant-admin\d{2}-[\w-]{20,}",
        "sk-ant-admin01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-oauth-token", "sk-ant-oat", r"sk-ant-oat\d{2}-[\w-]{20,}",
        "sk-ant-oat01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-refresh-token", "sk-ant-ort", r"sk-ant-ort\d{2}-[\w-]{20,}",
        "sk-ant-ort01-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "anthropic-key", "sk-ant-", r"sk-ant-[a-z]{1,16}\d{2}-[\w-]{20,}",
        "sk-ant-api03-" + "Ex4mple" * 5, SOURCE,
    ),
    by_pattern(
        "openrouter-key", "sk-or-", r"sk-or-v\d-[0-9A-Za-z]{32,}", "sk-or-v1-" + HEX * 4, SOURCE,
    ),
    by_pattern(
        "langfuse-key", "sk-lf- pk-lf-", r"[sp]k-lf-[0-9a-f]{8}-[0-9a-f-]{20,}",
        "sk-lf-" + "01234567-89ab-4cde-8f01-23456789abcd", DOCS,
    ),
    by_prefix(
        "openai-key", "sk-", r"sk-(?:proj|svcacct|admin|service|None)-" + A_DIGIT + r"[\w-]{20,}",
        "sk-proj-" + "Ex4mple" * 5, SOURCE, dense=False, left=APART,
    ),
    by_prefix(
        "openai-key", "sk-", r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}[\w-]*",
        "sk-" + "Ex4mp" * 4 + "T3BlbkFJ" + "Ex4mp" * 4, SOURCE, dense=False, left=APART,
    ),
    by_prefix(
        "gateway-key", "sk-", r"sk-" + A_DIGIT + r"[A-Za-z0-9]{32,}[\w-]*",
        "sk-" + "Ex4mpl" * 8, SOURCE + " (new-api, one-api, LiteLLM, DeepSeek)", dense=False,
    ),
    by_prefix(
        "gateway-key", "sk-", r"sk-(?:[a-z][a-z0-9]{1,15}-){1,2}" + A_DIGIT + r"[A-Za-z0-9]{32,}(?![\w-])",
        "sk-litellm-" + "Ex4mpl" * 8, "a master key as LiteLLM's documentation writes it", dense=False,
    ),
    by_prefix(
        "gateway-key", "sk-",
        r"sk-(?=[A-Za-z_-]{0,21}\d)(?=[a-z0-9_-]{0,21}[A-Z])(?=[A-Z0-9_-]{0,21}[a-z])[\w-]{22}(?![\w-])",
        "sk-" + "Ex4mple" * 3 + "1", "virtual keys of LiteLLM", dense=False,
    ),
    by_prefix(
        "gateway-key", "sk-",
        r"sk-(?=[A-Za-z]{0,30}\d)(?=[a-z0-9]{0,30}[A-Z])(?=[A-Z0-9]{0,30}[a-z])[A-Za-z0-9]{16,31}(?![\w-])",
        "sk-" + "Ex4mple" * 3, "master keys of LiteLLM are whatever their owner makes up", dense=False,
    ),
    by_prefix("google-key", "AIza", r"AIza[\w-]{30,64}(?![\w-])", "AIza" + "Ex4mple" * 5, SOURCE, left=APART),
    by_prefix("google-token", "ya29.", r"ya29\.[\w.-]{20,}", "ya29.a0" + "Ex4mple" * 5, SOURCE),
    by_prefix("google-oauth-secret", "GOCSPX-", r"GOCSPX-[\w-]{20,}", "GOCSPX-" + "Ex4mple" * 4, DOCS),
    by_prefix(
        "google-refresh-token", "1//0", r"1//0" + A_DIGIT + r"[\w-]{30,}", "1//0" + "Ex4mple" * 8, DOCS,
    ),
    by_pattern(
        "aws-secret", "AKIA ASIA",
        LEFT + r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])[^A-Za-z0-9+/=]{1,8}(?:[A-Za-z_ ]{3,24}[^A-Za-z0-9+/]{1,8})?"
        r"(?P<value>(?=[A-Za-z+/]{0,39}\d)(?=[a-z0-9+/]{0,39}[A-Z])(?=[A-Z0-9+/]{0,39}[a-z])[A-Za-z0-9+/]{40})"
        r"(?![A-Za-z0-9+/=])",
        "AKIAEXAMPLE234567ABC:" + "Ex4mpleS/+" * 4, SOURCE, dense=True, context=True,
    ),
    by_prefix("aws-key-id", "AKIA ASIA", r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIAEXAMPLE234567ABC", SOURCE),
    by_prefix(
        "bedrock-key", "ABSK", r"ABSK[A-Za-z0-9+/]{60,}={0,2}", "ABSK" + "Ex4mple" * 16, "AWS's documentation",
    ),
    by_prefix(
        "bedrock-key", "bedrock-api-key-", r"bedrock-api-key-[A-Za-z0-9+/_-]{40,}={0,2}",
        "bedrock-api-key-" + "Ex4mple" * 16, "AWS's documentation (short-term keys)",
    ),
    by_prefix(
        "jwt", "eyJ", r"eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU", SOURCE, left=APART,
    ),
    by_prefix(
        "jwt", "eyJ", r"eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*(?:\.[\w-]+){0,2}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLWV4YW1wbGU", SOURCE,
    ),
    by_prefix(
        "jwt", "eyJ", r"eyJ[\w-]{2,40}?X{24,}+[\w.-]*", "eyJhbGci" + "X" * 40 + "c2ln", "a token masked in its middle",
    ),
    by_pattern(
        "private-key", "-----BEGIN", _PRIVATE_KEY,
        "-----BEGIN " + "PRIVATE KEY-----\n" + "Ex4mple+/=" * 6 + "\n-----END " + "PRIVATE KEY-----", "RFC 7468",
    ),
    by_pattern(
        "private-key", "Private-Lines:",
        rf"Private-Lines:[ ]?\d{{1,3}}(?:{_BREAK}++[A-Za-z0-9+/=]{{60,}}+)++"
        rf"(?:{_BREAK}++[A-Za-z0-9+/=]{{4,}}+(?={_BREAK}++Private-MAC))?",
        "Private-Lines: 1\n" + "Ex4mple+" * 8, "PuTTY's format of keys",
    ),
    by_prefix(
        "github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,}", "ghp_" + "Ex4mple" * 5, DOCS,
        left=APART,
    ),
    by_prefix(
        "github-token", "github_pat_", r"github_pat_\w{30,}", "github_pat_" + "Ex4mple" * 3 + "_" + "Ex4mple" * 8, DOCS,
        left=APART,
    ),
    by_prefix(
        "gitlab-token", "glpat- gldt- glrt- glrtr- glptt- gloas- glsoat- glft- glimt- glagent- glcbt- glffct-",
        r"gl[a-z]{2,6}-(?:t\d_)?[\w-]{20,}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,})?", "glpat-" + "Ex4mple" * 3, DOCS,
        left=APART,
    ),
    by_prefix(
        "slack-token", "xoxa- xoxb- xoxe- xoxp- xoxr- xoxs- xoxc- xoxd- xoxo- xoxe. xapp-",
        r"(?:xox[abcdeoprs](?:\.xox[bp])?|xapp)-" + A_DIGIT + r"(?:[\w-]|%(?:2[BbFf]|3[Dd])){16,}",
        "xoxb-" + "123456789012-1234567890123-" + "Ex4mple" * 3, DOCS,
        left=APART,
    ),
    by_pattern(
        "slack-webhook", "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<value>[\w/+-]{20,})",
        "https://hooks.slack.com/services/" + "T0EXAMPLE/B0EXAMPLE/" + "Ex4mple" * 3, DOCS, dense=True,
    ),
    by_pattern(
        "discord-webhook", "discord.com/api discordapp.com/api",
        r"discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/(?P<value>\d{15,21}/[\w-]{40,})",
        "https://discord.com/api/webhooks/" + "123456789012345678/" + "Ex4mple" * 9, DOCS, dense=True,
    ),
    by_prefix("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,}(?![\w-])", "hf_" + "ExaMple" * 5, DOCS, left=APART),
    by_prefix(
        "huggingface-token", "api_org_", r"api_org_[A-Za-z0-9]{30,}(?![\w-])", "api_org_" + "ExaMple" * 5, DOCS,
    ),
    by_prefix(
        "stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
        "sk_test_" + "Ex4mple" * 4, DOCS, left=APART,
    ),
    by_prefix(
        "stripe-key", "whsec_", r"whsec_" + A_DIGIT + r"[A-Za-z0-9+/]{24,}={0,2}", "whsec_" + "Ex4mple" * 5, DOCS,
    ),
    by_prefix("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,}(?![\w-])", "npm_" + "Ex4mple" * 5 + "1", DOCS, left=APART),
    by_prefix("pypi-token", "pypi-", r"pypi-A[\w-]{50,}", "pypi-" + "AgEIcHlwaS5vcmc" + "Ex4mple" * 8, DOCS),
    by_prefix(
        "sendgrid-key", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{16,64}", "SG." + "Ex4mple" * 3 + "1." + "Ex4mple" * 6, DOCS,
    ),
    by_prefix("groq-key", "gsk_", r"gsk_" + A_DIGIT + r"[A-Za-z0-9]{24,}", "gsk_" + "Ex4mple" * 7, DOCS),
    by_prefix("xai-key", "xai-", r"xai-" + A_DIGIT + r"(?:token-)?[A-Za-z0-9]{32,}", "xai-" + "Ex4mple" * 11, DOCS),
    by_prefix("perplexity-key", "pplx-", r"pplx-" + A_DIGIT + r"[A-Za-z0-9]{32,}", "pplx-" + "Ex4mple" * 7, DOCS),
    by_prefix("replicate-token", "r8_", r"r8_[A-Za-z0-9]{30,}(?![\w-])", "r8_" + "Ex4mple" * 5, DOCS),
    by_pattern(
        "telegram-token", ":AA %3AAA",
        rf"(?:{LEFT}|(?<=/bot)|(?<=%2Fbot))" + r"\d{8,11}(?::|%3A)AA[\w-]{32,34}(?![\w-])",
        "1234567890:" + "AA" + "Ex4mple" * 4 + "Ex4mp", DOCS, before="0123456789",
    ),
    by_prefix(
        "digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{40,}", "dop_v1_" + HEX * 4, DOCS,
    ),
    by_prefix("databricks-token", "dapi", r"dapi[0-9a-f]{32}(?:-\d+)?(?![\w-])", "dapi" + HEX * 2, DOCS),
    by_prefix(
        "langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_[0-9a-z]{28,40}_[0-9a-z]{8,12}",
        "lsv2_pt_" + HEX * 2 + "_0123456789", DOCS,
    ),
    by_prefix("langsmith-key", "ls__", r"ls__[0-9a-z]{32,}(?![\w-])", "ls__" + HEX * 2, DOCS),
    by_prefix(
        "tavily-key", "tvly-", r"tvly-(?:dev-|prod-)?" + A_DIGIT + r"[A-Za-z0-9-]{20,}",
        "tvly-dev-" + "Ex4mple" * 5, DOCS,
    ),
    *VENDORS,
    *(
        Class(name, example=example, source=source, context=True) for name, example, source in (
            ("aws-session-token", "the value of `aws_session_token`", "naming.py"),
            ("azure-key", "the value of `AZURE_OPENAI_API_KEY`", "naming.py"),
            ("twilio-key", "the value of `TWILIO_AUTH_TOKEN`", "naming.py"),
            ("named-secret", '`password=…`, `"api_key": "…"`', "naming.py"),
        )
    ),
    by_pattern(
        "named-secret", "login",
        r"login(?:\s|\\+[nrt]){1,8}[^\s\"'\\]{1,128}(?:\s|\\+[nrt]){1,8}password(?:\s|\\+[nrt]){1,8}"
        r"(?P<value>(?=[^\s\"'\\\d]{0,64}\d)[^\s\"'\\]{7,256}[^\s\"'\\,;.])",
        "machine git.example login ada " + "password Ex4mple-7", "the manual of .netrc", context=True,
    ),
    by_pattern(
        "named-secret", 'auth" auth\\',
        r"auth\\*\"\s{0,4}:\s{0,4}\\*\"(?P<value>[A-Za-z0-9+/]{16,}={0,2})(?=\\*\")",
        '{"auth": "' + b64encode(b"ada:" + b"Ex4mple-7Ex4mple").decode() + '"}', "Docker's config.json",
        check=_is_login, context=True,
    ),
)  # fmt: skip
