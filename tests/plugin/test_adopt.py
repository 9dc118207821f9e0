"""A project written for vcrpy and pytest-recording, run unchanged on our engine (`convo_adopt_vcr`)."""

from __future__ import annotations

import anthropic  # noqa: F401 -- imported here once, or each run within this process would do it anew
import openai  # noqa: F401
import pytest
import pytest_recording.plugin
import requests  # noqa: F401

import convo_replay.adopted  # noqa: F401

pytest_plugins = ["pytester"]

OFF, ON = "-oconvo_adopt_vcr=false", "-oconvo_adopt_vcr=true"
INSTALLED, MISSING = ("-precording",), ()

CONFTEST = """
import json, os
import pytest

@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-" + "k" * 40)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "o" * 40)

def scrub_request(request):
    if request.path.startswith("/unrecorded"):
        return None
    if b"now" in (request.body or b""):
        body = json.loads(request.body)
        body.pop("now", None)
        request.body = json.dumps(body)
    return request

def scrub_response(response):
    assert isinstance(response["status"]["code"], int)
    response["headers"].pop("Set-Cookie", None)
    response["body"]["string"] = response["body"]["string"].replace(b"Answer", b"ANSWER")
    return response

@pytest.fixture(scope="session")
def vcr_config():
    return {
        "filter_headers": ["x-api-key", ("authorization", "DUMMY"), ("user-agent", lambda key, value, request: "UA")],
        "filter_query_parameters": ["nonce", ("token", "TOKEN")],
        "filter_post_data_parameters": [("password", "hidden")],
        "before_record_request": scrub_request,
        "before_record_response": [scrub_response],
        "decode_compressed_response": True,
        "match_on": ["method", "uri", "body"],
    }

def lenient_path(r1, r2):
    assert r1.path.rstrip("/") == r2.path.rstrip("/")

def pytest_recording_configure(config, vcr):
    vcr.register_matcher("lenient_path", lenient_path)
"""

SDKS = """
import os, anthropic, openai, pytest

def messages(text):
    return dict(model="claude-opus-4-7", max_tokens=9, messages=[{"role": "user", "content": text}])

def claude():
    return anthropic.Anthropic(base_url=os.environ["UPSTREAM"] + "/text,gzip=1")

@pytest.mark.vcr
def test_stream(vcr):
    with claude().messages.stream(**messages("a b c")) as stream:
        assert "".join(stream.text_stream) in ("Answer to: a b c", "ANSWER to: a b c")
    assert len(vcr) == 1 and (vcr.dirty or vcr.all_played)
    assert vcr.requests[0].method == "POST" and vcr.responses[0]["status"]["code"] == 200

@pytest.mark.vcr
@pytest.mark.parametrize("text", ["what?", "a/b:c", "plain"])
def test_parametrized(text):
    assert claude().messages.create(**messages(text)).content[0].text.endswith(text)

@pytest.mark.vcr()
class TestChat:
    async def test_async(self):
        async with openai.AsyncOpenAI(base_url=os.environ["UPSTREAM"] + "/text/v1") as client:
            done = await client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "async"}])
        assert done.choices[0].message.content.endswith("to: async")

    @pytest.mark.vcr(match_on=["method", "path"])
    def test_in_recorded_order(self, vcr):
        texts = ["one", "two"] if not vcr.rewound else ["other", "words"]
        answers = [claude().messages.create(**messages(text)).content[0].text for text in texts]
        assert [answer.rpartition(" ")[2] for answer in answers] == ["one", "two"]
"""

REST = """
import os, time, unittest, urllib.request
import httpx, pytest, requests

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]
BASE = os.environ["UPSTREAM"]

def ask(text, scenario="text", client=httpx, path="/v1/messages", **more):
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}], **more}
    return client.post(f"{BASE}/{scenario}{path}", json=body)

def test_requests():
    response = ask("hello", client=requests, now=time.time())
    assert response.json()["content"][0]["text"].endswith("to: hello")
    assert response.headers["Content-Type"].startswith("application/json")

def test_filters(vcr):
    path = f"/v1/messages?nonce={time.time()}&token={time.time()}&keep=1"
    assert ask("x", path=path, password=str(time.time())).status_code == 200
    assert vcr.requests[0].uri.partition("?")[2] in ("keep=1&token=TOKEN", "keep=1&token=redacted-url-key-1")
    assert b'"hidden"' in vcr.requests[0].body.replace(b": ", b":")

@pytest.mark.vcr(match_on=["method", "lenient_path", "host", "port"])
def test_registered_matcher(vcr):
    assert ask("y", path="/v1/messages/" if vcr.rewound else "/v1/messages").status_code == 200

@pytest.mark.vcr(allow_playback_repeats=True, match_on=["uri"])
def test_repeats(vcr):
    recording = not vcr.rewound
    answers = [ask(text, "counter").json()["content"][0]["text"] for text in ("same", "same", "same")]
    assert recording or answers == [answers[0]] * 3 and vcr.play_count == 3

@pytest.mark.default_cassette("named.yaml")
def test_named(vcr):
    assert ask("named").status_code == 200
    assert vcr._path.endswith("cassettes/test_rest/named.yaml")

@pytest.mark.vcr("named.yaml", "test_requests.yaml")
def test_extra(vcr):
    if vcr.rewound:
        assert ask("named").status_code == ask("hello", client=requests).status_code == 200

class TestCase(unittest.TestCase):
    def setUp(self):
        self.first = ask("set up").json()

    def test_it(self):
        assert self.first["content"][0]["text"].endswith("to: set up")
        assert ask("again", client=requests).status_code == 200
"""


def run(project, *args, plugins=INSTALLED):
    """Runs pytest in this process with ours and the named plugins."""
    load = ("-pconvo_replay.plugin", *plugins, "-pno:cacheprovider")
    return project.pytester.runpytest_inprocess(*load, "-rA", *args)


def recorded(project):
    """The cassettes, byte for byte."""
    return {name: (project.path / name).read_bytes() for name in project.cassettes()}


@pytest.fixture
def vcr_project(project):
    project.ini(
        "asyncio_mode = auto", "asyncio_default_fixture_loop_scope = function", "addopts = -ppytest_asyncio.plugin"
    )
    project.write("conftest.py", CONFTEST)
    return project


def test_a_project_runs_unchanged_and_its_cassettes_stay_as_they_are(vcr_project):
    vcr_project.write("test_sdks.py", SDKS)
    vcr_project.write("test_rest.py", REST)
    run(vcr_project, OFF, "--record-mode=once").assert_outcomes(passed=13)
    names = vcr_project.cassettes()
    assert "cassettes/test_sdks/test_parametrized[a-b-c].yaml" in names
    assert "cassettes/test_rest/TestCase.test_it.yaml" in names
    before = recorded(vcr_project)
    vcr_project.upstream.clear()
    run(vcr_project, OFF).assert_outcomes(passed=13)
    for plugins in (INSTALLED, MISSING):
        result = run(vcr_project, ON, "--block-network", "-Werror::DeprecationWarning", plugins=plugins)
        result.assert_outcomes(passed=13)
        assert "= convo =" not in result.stdout.str()
    # A worker knows the options, too.
    vcr_project.run("-n1", ON, "--record-mode=none", "test_rest.py", plugins=("xdist",)).assert_outcomes(passed=7)
    assert vcr_project.upstream.log() == []
    assert recorded(vcr_project) == before


def test_recorded_here_and_replayed(vcr_project):
    vcr_project.write("test_sdks.py", SDKS)
    vcr_project.write("test_rest.py", REST)
    result = run(vcr_project, ON, "--record-mode=once", "--block-network", plugins=MISSING)
    result.assert_outcomes(passed=13)
    written = b"".join(recorded(vcr_project).values())
    for gone in (b"kkkk", b"oooo", b"Answer", b"now", b"Set-Cookie", b"__cf_bm"):
        assert gone not in written
    vcr_project.upstream.clear()
    for plugins in (INSTALLED, MISSING):
        run(vcr_project, ON, plugins=plugins).assert_outcomes(passed=13)
    assert vcr_project.upstream.log() == []


ONE = """
import os, httpx, pytest

def ask(text):
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    url = os.environ["UPSTREAM"] + "/text/v1/messages"
    return httpx.post(url, json=body).json()["content"][0]["text"]

@pytest.mark.vcr(match_on=["method", "uri", "body"])
def test_it():
    for text in os.environ["TEXTS"].split():
        assert ask(text) == f"Answer to: {text}"
"""


def test_what_is_new_goes_into_a_cassette_of_ours_beside(project, monkeypatch):
    project.write("test_it.py", ONE)
    monkeypatch.setenv("TEXTS", "a")
    run(project, OFF, "--record-mode=once").assert_outcomes(passed=1)
    before = recorded(project)
    monkeypatch.setenv("TEXTS", "b a")
    missed = run(project, ON)
    missed.assert_outcomes(failed=1)
    missed.stdout.fnmatch_lines(
        [
            "*CassetteMiss: turns?0? is not in the cassette: *",
            "*messages?0?.content: recorded 'a', sent 'b'",
            "*to record: pytest test_it.py::test_it --record-mode=new_episodes",
        ]
    )
    for mode, count in {"once": 0, "new_episodes": 1, "rewrite": 2, "none": 0}.items():
        project.upstream.clear()
        run(project, ON, f"--record-mode={mode}").assert_outcomes(**{"failed" if mode == "once" else "passed": 1})
        assert len(project.sent()) == count, mode
    name = "cassettes/test_it/test_it.yaml"
    assert recorded(project)[name] == before[name]
    assert project.cassettes() == ["cassettes/test_it/test_it.convo.yaml", name]


@pytest.mark.parametrize("plugins", [INSTALLED, MISSING], ids=["installed", "missing"])
def test_a_missing_cassette_says_how_to_record(project, monkeypatch, plugins):
    project.write("test_it.py", ONE)
    monkeypatch.setenv("TEXTS", "a")
    result = run(project, ON, plugins=plugins)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*there is no such cassette yet: no file cassettes/test_it/test_it.yaml",
            "*if it was recorded, it is not here: *",
            "*cassette: cassettes/test_it/test_it.yaml (mode 'none')",
            "*to record: pytest test_it.py::test_it --record-mode=once",
        ]
    )


MISSES = """
import os, anthropic, httpx, pytest, requests, urllib.request
from vcr.errors import CannotOverwriteExistingCassetteException

pytestmark = pytest.mark.vcr
URL = os.environ["UPSTREAM"] + "/nothing"

def swallowed():
    for get in (httpx.get, requests.get, urllib.request.urlopen):
        try:
            get(URL)
        except Exception:
            pass

def test_swallowed():
    swallowed()

def test_expected():
    for client in (httpx, requests):
        with pytest.raises(CannotOverwriteExistingCassetteException) as raised:
            client.get(URL)
        assert raised.value.failed_request.uri == URL and len(raised.value.cassette) == 0

def test_wrapped():
    swallowed()
    client = anthropic.Anthropic(base_url=os.environ["UPSTREAM"], api_key="k", max_retries=0)
    client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])

def test_failed_for_another_reason():
    swallowed()
    assert "one" == "other"

@pytest.fixture
def early():
    requests.get(URL)

def test_set_up(early):
    pass
"""


def test_a_miss_is_the_applications_to_handle_as_it_is_with_vcrpy(project):
    project.write("test_it.py", MISSES)
    run(project, OFF).assert_outcomes(passed=2, failed=2, errors=1)
    result = run(project, ON, plugins=MISSING)
    result.assert_outcomes(passed=2, failed=2, errors=1)
    shown = result.stdout
    shown.fnmatch_lines(["*ERROR at setup of test_set_up*", "E   CassetteMiss: GET *", "*--record-mode=once"])
    shown.fnmatch_lines(["*_ test_wrapped _*", "E   CassetteMiss: turns?0? is not in the cassette: POST *"])
    shown.fnmatch_lines(["*_ test_failed_for_another_reason _*", "E  *assert 'one' == 'other'", "*- convo -*", "GET *"])
    shown.fnmatch_lines(
        ["test_it.py::test_swallowed: passed, but 3 request(s) had no answer; the first: GET */nothing is not in*"]
    )
    assert "Connection error" not in shown.str()


MODES = """
import pytest

class TestNothing:
    @pytest.mark.vcr
    def test_it(self, vcr): print("nothing", vcr.conversation.record)
    @pytest.mark.vcr(record_mode="all")
    def test_marked(self, vcr): print("marked", vcr.conversation.record)

class TestConfig:
    @pytest.fixture
    def vcr_config(self): return {"record_mode": "once"}
    @pytest.mark.vcr
    def test_it(self, vcr): print("config", vcr.conversation.record)
    @pytest.mark.vcr(record_mode="new_episodes")
    def test_marked(self, vcr): print("both", vcr.conversation.record)
"""


@pytest.mark.parametrize(
    ("ci", "args", "expected"),
    [
        ("", [], "none all once new_episodes"),
        ("", ["--record-mode=rewrite"], "rewrite all once new_episodes"),  # as in pytest-recording
        ("", ["--convo-record=live"], "live live live live"),
        ("1", [], "none all none new_episodes"),
        ("1", ["--record-mode=rewrite"], "rewrite all rewrite new_episodes"),
    ],
    ids=["plain", "record-mode", "convo-record", "CI", "CI-and-record-mode"],
)
def test_modes(project, monkeypatch, ci, args, expected):
    project.write("test_it.py", MODES)
    if ci:
        monkeypatch.setenv("CI", ci)
    shown = run(project, ON, *args, "-s", plugins=MISSING).stdout
    words = zip(["nothing", "marked", "config", "both"], expected.split(), strict=True)
    shown.fnmatch_lines([f"*{name} {mode}*" for name, mode in words])


REFUSED = """
import pytest
from vcr.serializers import yamlserializer

@pytest.fixture(scope="module")
def vcr_config(): return {"inject_cassette": True, "no_such": 1}

@pytest.mark.vcr(custom_patches=((1, "a", 2),))
def test_patches(): pass
@pytest.mark.vcr(match_on=["nobody"])
def test_matcher(): pass
@pytest.mark.vcr(record_mode="any")
def test_mode(): pass
@pytest.mark.vcr(filter_sensitive_data={"<A>": "b"})
class TestSensitive:
    def test_it(self): pass
@pytest.mark.vcr("gone.yaml")
def test_notes(vcr):
    with pytest.raises(AttributeError, match="has no 'append'; it has path, record_mode"):
        vcr.append
@pytest.mark.vcr(before_record_request=lambda request: request.nothing)
def test_raises():
    import httpx
    try:
        httpx.get("https://api.example.com/")
    except Exception:
        pass
"""


def test_what_is_not_honoured_is_said(project):
    project.write("test_it.py", REFUSED)
    result = run(project, ON, plugins=MISSING)
    result.assert_outcomes(errors=4, passed=1, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "*test_patches: @pytest.mark.vcr of test_it.py::test_patches: custom_patches: not with convo_adopt_vcr: *",
            "*@pytest.mark.vcr of test_it.py::test_matcher: match_on: Matcher nobody doesn't exist or isn't registered",
            "*test_it.py::test_mode: record_mode: expected one of none once new_episodes all rewrite, got 'any'",
            "*@pytest.mark.vcr of test_it.py::TestSensitive: filter_sensitive_data: not with *: name the values in *",
            "*vcr_config (test_it.py:5): inject_cassette has no effect, as in pytest-recording: *",
            "*vcr_config (test_it.py:5): 'no_such' is no setting of vcrpy's and has no effect, as there",
            "*test_it.py::test_notes: @pytest.mark.vcr: there is no */cassettes/test_it/gone.yaml",
            "*ConvoFailure: before_record_request (test_it.py:21, in <lambda>): AttributeError*",
        ]
    )


BLOCKED = """
import socket, pytest

def connect(host):
    with socket.socket() as made:
        made.settimeout(0)
        return made.connect_ex((host, 9))

@pytest.mark.block_network
def test_blocked():
    with pytest.raises(RuntimeError, match=r"^Network is disabled for host '127.0.0.1'"):
        connect("127.0.0.1")

@pytest.mark.block_network(allowed_hosts=["127[.]0[.]0[.].*"])
def test_allowed():
    assert connect("127.0.0.1") and connect("127.0.0.2")

@pytest.mark.vcr
@pytest.mark.block_network
def test_while_recording(record_mode):
    if record_mode == "none":
        pytest.raises(RuntimeError, connect, "127.0.0.1")
    else:
        assert connect("127.0.0.1")

def test_by_option(request):
    if request.config.getoption("--block-network"):
        pytest.raises(RuntimeError, connect, "127.0.0.1")
        assert connect("127.0.0.3")
    else:
        assert connect("127.0.0.1")
"""


@pytest.mark.parametrize("plugins", [INSTALLED, MISSING], ids=["installed", "missing"])
def test_block_network(project, plugins):
    project.write("test_it.py", BLOCKED)
    connect = pytest_recording.plugin.network.socket.socket.connect
    run(project, ON, plugins=plugins).assert_outcomes(passed=4)
    run(project, ON, "--record-mode=once", plugins=plugins).assert_outcomes(passed=4)
    run(project, ON, "--block-network", "--allowed-hosts=127.0.0.3,x", plugins=plugins).assert_outcomes(passed=4)
    assert pytest_recording.plugin.network.socket.socket.connect == connect


def test_off_nothing_of_theirs_is_touched(project):
    project.write("test_it.py", "import pytest\n@pytest.mark.vcr\ndef test_it(request): request.getfixturevalue('vcr')")
    shown = run(project, "--help", plugins=MISSING).stdout.str()
    assert not [name for name in ("--record-mode", "--block-network", "--disable-recording") if name in shown]
    assert "mark.vcr" not in run(project, "--markers", plugins=MISSING).stdout.str()
    assert run(project, "--record-mode=once", plugins=MISSING).ret == pytest.ExitCode.USAGE_ERROR
    run(project, ON, "--markers", plugins=MISSING).stdout.fnmatch_lines(["@pytest.mark.vcr(*", "@pytest.mark.block_*"])
    run(project, ON, "--disable-recording", plugins=MISSING).assert_outcomes(passed=1)
    run(project, "-oconvo_adopt_vcr=perhaps").stderr.fnmatch_lines(["ERROR: *convo_adopt_vcr: expected true or false*"])


def test_beside_tests_of_ours(project):
    project.write(
        "test_it.py",
        """
import pytest
from agent import ask

@pytest.mark.vcr
def test_theirs(convo, vcr):
    assert ask("theirs") == "Answer to: theirs"
    assert convo is vcr.conversation and len(convo.turns) == 1

def test_ours(convo, vcr):
    assert ask("ours") == "Answer to: ours" and vcr is None
""",
    )
    run(project, ON, "--record-mode=once", "--convo-record=once", plugins=MISSING).assert_outcomes(passed=2)
    assert project.cassettes() == ["cassettes/test_it/test_ours.yaml", "cassettes/test_it/test_theirs.yaml"]
    run(project, ON, plugins=MISSING).assert_outcomes(passed=2)
    project.write("test_both.py", "import pytest\n@pytest.mark.vcr\n@pytest.mark.convo\ndef test_it(): pass")
    run(project, ON, plugins=MISSING).stdout.fnmatch_lines(["test_both.py::test_it: is marked convo and vcr*"])


@pytest.mark.parametrize("plugins", [INSTALLED, MISSING], ids=["installed", "missing"])
def test_a_session_that_records_gets_no_stand_in_keys(project, plugins):
    project.write("conftest.py", "import os\nprint('a key:', bool(os.environ.get('OPENAI_API_KEY')))")
    project.write("test_it.py", "def test_it(): pass")
    for args, expected in {("--record-mode=none",): True, ("--record-mode", "once"): False}.items():
        run(project, ON, "-s", *args, plugins=plugins).stdout.fnmatch_lines([f"a key: {expected}"])


def test_pytest_recording_brought_by_a_conftest(project):
    project.write("conftest.py", 'pytest_plugins = ["pytest_recording.plugin"]')
    project.write("test_it.py", "def test_it(vcr, record_mode): assert vcr is None and record_mode == 'once'")
    run(project, ON, "--record-mode=once", plugins=MISSING).assert_outcomes(passed=1)


@pytest.mark.parametrize(("package", "name"), [("cassetter", "cassetter"), ("pytest_vcr", "pytest-vcr")])
def test_another_plugin_for_the_same_marker_is_a_clear_error(project, monkeypatch, package, name):
    project.write(f"{package}/plugin.py", "def pytest_addoption(parser): parser.addoption('--record-mode')")
    project.write("test_it.py", "def test_it(): pass")
    monkeypatch.syspath_prepend(project.path)
    other = f"-p{package}.plugin"
    assert run(project, other, plugins=MISSING).ret == 0
    refused = run(project, ON, other, plugins=MISSING)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"ERROR: convo_adopt_vcr: {name} is installed, *-p no:*"])
