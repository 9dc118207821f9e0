"""Nothing reaches the network unasked, whatever library asks, and nobody else is in its way.

Names under `.invalid` and addresses of 192.0.2.0/24 lead nowhere by definition; the `no_network`
fixture fails whoever tries to resolve or to reach one.
"""

from __future__ import annotations

import asyncio
import http.client
import http.server
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convo_replay.errors import ConvoFailure
from convo_replay.transports import guard
from convo_replay.transports.patching import Patches

CORES = [pytest.param(name, id=name) for name in ("httpcore", "httpcore2")]
AWAY = "api.example.invalid"


class Asked(list):
    """What `decide` was asked, and what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: ConvoFailure | None = ConvoFailure("refused by the test")

    def __call__(self, *question: Any) -> ConvoFailure | None:
        self.append(question)
        return self.answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def guarded(asked: Asked):
    patches = Patches(lambda patches: guard.install(patches, asked))
    with patches:
        yield patches


class Reached(OSError):
    """The test's network: nothing gets further."""


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch):
    """Addresses that somebody tried to resolve or to connect to, other than loopback."""
    tried: list[Any] = []
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host, *args, **kwargs):
        host = host.decode() if isinstance(host, bytes) else host
        if host is None or guard.is_loopback(host):
            return resolve(host, *args, **kwargs)
        tried.append(host)
        raise Reached(f"resolved {host}")

    def connect_(sock, address):
        if sock.family == getattr(socket, "AF_UNIX", None) or guard.is_loopback(str(address[0])):
            return connect(sock, address)
        tried.append(address)
        raise Reached(f"connected to {address}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect_)
    return tried


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url_of(server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


# Each client: `(proxy or None) -> (get, close)`, where `get(url)` makes one request over the same client.


def _core_sync(core: str, proxy: str | None):
    module = pytest.importorskip(core)
    pool = module.HTTPProxy(proxy) if proxy else module.ConnectionPool()

    def get(url: str) -> bytes:
        return pool.request("GET", url).content

    return get, pool.close


def _core_async(core: str, run: Callable[..., Any], proxy: str | None):
    module = pytest.importorskip(core)
    pool = module.AsyncHTTPProxy(proxy) if proxy else module.AsyncConnectionPool()

    def get(url: str) -> bytes:
        async def main() -> bytes:
            try:
                return (await pool.request("GET", url)).content
            finally:
                await pool.aclose()

        return run(main)

    return get, lambda: None


def _asyncio(main):
    return asyncio.run(main())


def _trio(main):
    return pytest.importorskip("trio").run(main)


def _http_client(proxy: str | None):
    opened = []

    def get(url: str) -> bytes:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        connection = kind(proxy.rpartition("/")[2] if proxy else host)
        opened.append(connection)
        if proxy:
            connection.set_tunnel(host)
        connection.request("GET", f"/{path}")
        return connection.getresponse().read()

    return get, lambda: [connection.close() for connection in opened]


def _urllib_request(proxy: str | None):
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))

    def get(url: str) -> bytes:
        with opener.open(url) as response:
            return response.read()

    return get, lambda: None


def _urllib3(proxy: str | None):
    urllib3 = pytest.importorskip("urllib3")
    pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    return lambda url: pool.request("GET", url, retries=False).data, pool.clear


def _requests(proxy: str | None):
    requests = pytest.importorskip("requests")
    session = requests.Session()
    session.trust_env = False
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    return lambda url: session.get(url).content, session.close


def _aiohttp(proxy: str | None):
    aiohttp = pytest.importorskip("aiohttp")

    def get(url: str) -> bytes:
        async def main() -> bytes:
            async with aiohttp.ClientSession() as session, session.get(url, proxy=proxy) as response:
                return await response.read()

        return asyncio.run(main())

    return get, lambda: None


def _httpx(name: str, proxy: str | None):
    module = pytest.importorskip(name)
    client = module.Client(proxy=proxy, trust_env=False, verify=False)
    return lambda url: client.get(url).content, client.close


CLIENTS: dict[str, Callable[[str | None], Any]] = {
    "httpcore": lambda proxy: _core_sync("httpcore", proxy),
    "httpcore2": lambda proxy: _core_sync("httpcore2", proxy),
    "httpcore-asyncio": lambda proxy: _core_async("httpcore", _asyncio, proxy),
    "httpcore2-asyncio": lambda proxy: _core_async("httpcore2", _asyncio, proxy),
    "httpcore-trio": lambda proxy: _core_async("httpcore", _trio, proxy),
    "httpcore2-trio": lambda proxy: _core_async("httpcore2", _trio, proxy),
    "httpx": lambda proxy: _httpx("httpx", proxy),
    "httpx2": lambda proxy: _httpx("httpx2", proxy),
    "http.client": _http_client,
    "urllib.request": _urllib_request,
    "urllib3": _urllib3,
    "requests": _requests,
    "aiohttp": _aiohttp,
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest):
    closing = []

    def make(proxy: str | None = None) -> Callable[[str], bytes]:
        get, close = CLIENTS[request.param](proxy)
        closing.append(close)
        return get

    yield make
    for close in closing:
        close()


TARGETS = [
    (f"https://{AWAY}/v1/things?page=2", ("https", AWAY, 443, f"https://{AWAY}/v1/things?page=2")),
    (f"http://{AWAY}/v1/things", ("http", AWAY, 80, f"http://{AWAY}/v1/things")),
    ("http://192.0.2.1:8080/", ("http", "192.0.2.1", 8080, "http://192.0.2.1:8080/")),
]


@pytest.mark.parametrize(("url", "question"), TARGETS, ids=[url for url, _ in TARGETS])
def test_a_refused_request_touches_no_network_and_is_asked_about_once(client, guarded, asked, reached, url, question):
    get = client()
    with pytest.raises(ConvoFailure) as caught:
        get(url)
    assert caught.value is asked.answer
    assert asked == [question]
    assert reached == []


def test_a_client_stays_usable_after_a_refusal(client, guarded, asked, reached, server):
    get = client()
    for _ in range(2):
        with pytest.raises(ConvoFailure):
            get(f"https://{AWAY}/")
        assert get(f"{url_of(server)}/mine") == b"ok"
    assert server.seen == ["/mine", "/mine"]


def test_loopback_passes_unasked(client, guarded, asked, server):
    assert client()(f"{url_of(server)}/mine") == b"ok"
    assert asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_let_pass_goes_its_way_and_is_asked_about_once(client, guarded, asked, reached, scheme):
    asked.answer = None
    with pytest.raises(Exception, match=r"resolved|Reached|connect|All connection attempts failed"):
        client()(f"{scheme}://{AWAY}/")
    assert reached == [AWAY]
    assert [(kind, host) for kind, host, *_ in asked] == [(scheme, AWAY)]


def test_our_own_forwarding_passes_unasked(client, guarded, asked, reached):
    with guard.permitted(), pytest.raises(Exception, match=r"resolved|Reached|connect|All connection attempts failed"):
        client()(f"https://{AWAY}/")
    assert reached == [AWAY]
    assert asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_through_a_proxy_on_loopback_the_target_is_judged(client, guarded, asked, reached, server, scheme):
    with pytest.raises(ConvoFailure):
        client(url_of(server))(f"{scheme}://{AWAY}/v1/things")
    assert [(host, url) for _, host, _, url in asked] == [(AWAY, f"{scheme}://{AWAY}/v1/things")]
    assert server.seen == []
    assert reached == []


@pytest.mark.parametrize(
    "name", ["httpcore", "httpcore2", "httpcore-asyncio", "httpcore2-trio", "urllib3", "requests", "aiohttp"]
)
def test_through_a_proxy_elsewhere_loopback_is_no_excuse(name, guarded, asked, reached):
    get, close = CLIENTS[name]("http://192.0.2.1:3128")
    with pytest.raises(ConvoFailure):
        get("http://127.0.0.1:9/")
    close()
    assert [host for _, host, *_ in asked] == ["192.0.2.1"]
    assert reached == []


@pytest.mark.parametrize("name", ["httpcore", "httpcore2", "httpx", "httpx2", "urllib3", "requests"])
def test_a_connection_from_before_the_cassette_is_guarded(name, asked, server, monkeypatch):
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest: resolve("127.0.0.1" if host == AWAY else host, *rest)
    )
    get, close = CLIENTS[name](None)
    url = f"http://{AWAY}:{server.server_address[1]}/warm"
    assert get(url) == b"ok"
    with Patches(lambda patches: guard.install(patches, asked)), pytest.raises(ConvoFailure):
        get(url)
    assert asked == [("http", AWAY, server.server_address[1], url)]
    assert get(url) == b"ok"
    assert server.seen == ["/warm", "/warm"]
    close()


@pytest.mark.parametrize("core", CORES)
def test_a_bare_connection_and_a_bare_backend_are_guarded(core, guarded, asked, reached):
    module = pytest.importorskip(core)
    origin = module.Origin(b"https", AWAY.encode(), 443)
    with module.HTTPConnection(origin) as connection, pytest.raises(ConvoFailure):
        connection.request("GET", f"https://{AWAY}/")
    with pytest.raises(ConvoFailure):
        module.SyncBackend().connect_tcp(AWAY, 5432)
    assert asked == [("tcp", AWAY, 443, None), ("tcp", AWAY, 5432, None)]
    assert reached == []


@pytest.mark.parametrize("core", CORES)
def test_a_mock_backend_is_left_alone(core, guarded, asked):
    module = pytest.importorskip(core)
    backend = module.MockBackend([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    with module.ConnectionPool(network_backend=backend) as pool:
        assert pool.request("GET", f"https://{AWAY}/").content == b"ok"
    assert asked == []


@pytest.mark.parametrize("core", CORES)
def test_a_mocked_pool_is_left_alone_and_what_it_lets_through_is_not(core, asked, reached, monkeypatch):
    module = pytest.importorskip(core)
    original = module.ConnectionPool.handle_request

    def mock(pool, request):
        if request.url.target == b"/real":
            return original(pool, request)
        return module.Response(200, content=b"mocked")

    monkeypatch.setattr(module.ConnectionPool, "handle_request", mock)
    with Patches(lambda patches: guard.install(patches, asked)), module.ConnectionPool() as pool:
        assert pool.request("GET", f"https://{AWAY}/").content == b"mocked"
        with pytest.raises(ConvoFailure):
            pool.request("GET", f"https://{AWAY}/real")
    assert asked == [("https", AWAY, 443, f"https://{AWAY}/real")]
    assert reached == []


def test_a_vcrpy_cassette_answers_undisturbed(guarded, asked, reached, tmp_path: Path):
    pytest.importorskip("requests")
    vcr = pytest.importorskip("vcr")
    cassette = tmp_path / "theirs.yaml"
    cassette.write_text(
        "version: 1\ninteractions:\n"
        "- request: {method: GET, uri: 'https://api.example.invalid/x', body: null, headers: {}}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: theirs}}\n"
    )
    with vcr.use_cassette(str(cassette), record_mode="none"):
        get, close = _requests(None)
        assert get(f"https://{AWAY}/x") == b"theirs"
        close()
    assert asked == []
    assert reached == []


def test_http_client_is_guarded_although_vcrpy_took_its_name(asked, reached, tmp_path: Path):
    vcr = pytest.importorskip("vcr")
    original = http.client.HTTPConnection
    with vcr.use_cassette(str(tmp_path / "new.yaml")):
        assert http.client.HTTPConnection is not original
        with Patches(lambda patches: guard.install(patches, asked)), pytest.raises(ConvoFailure):
            original(AWAY).request("GET", "/")
    assert asked == [("http", AWAY, 80, f"http://{AWAY}/")]


def test_an_explicit_connect_is_guarded(guarded, asked, reached):
    with pytest.raises(ConvoFailure):
        http.client.HTTPSConnection(AWAY).connect()
    assert asked == [("https", AWAY, 443, None)]
    asked.answer = None
    with pytest.raises(Reached):
        http.client.HTTPSConnection(AWAY).connect()
    assert len(asked) == 2


def test_sockets_of_others_are_left_alone(guarded, asked, reached):
    with pytest.raises(Reached):
        socket.create_connection(("192.0.2.1", 5432))
    assert asked == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
@pytest.mark.parametrize("core", CORES)
def test_a_unix_socket_is_left_alone(core, guarded, asked, tmp_path, monkeypatch):
    module = pytest.importorskip(core)
    monkeypatch.chdir(tmp_path)  # the path of a unix socket is at most 104 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        listening.listen()

        def answer() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.recv(4096)
                accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        with module.ConnectionPool(uds="s") as pool:
            assert pool.request("GET", "http://docker.invalid/").content == b"ok"
        thread.join()
    assert asked == []


def test_nothing_of_ours_stays_behind(asked):
    import httpcore

    connections = [http.client.HTTPConnection, httpcore.ConnectionPool, httpcore.SyncBackend]
    for name in ("urllib3.connection", "aiohttp.connector", "httpcore2"):
        module = sys.modules.get(name)
        connections += [value for value in vars(module or object).values() if isinstance(value, type)]
    before = [dict(vars(owner)) for owner in connections]
    finders = list(sys.meta_path)
    with Patches(lambda patches: guard.install(patches, asked)):
        assert [dict(vars(owner)) for owner in connections] != before
    assert [dict(vars(owner)) for owner in connections] == before
    assert sys.meta_path == finders


HOSTS = [
    ("127.0.0.1", True), ("127.9.8.7", True), ("::1", True), ("[::1]", True), ("localhost", True), ("LocalHost.", True),
    ("app.localhost", True), ("::ffff:127.0.0.1", True), ("::1%lo", True),
    ("", False), ("localhost.example.com", False), ("notlocalhost", False), ("0.0.0.0", False), ("10.0.0.1", False),
    ("169.254.169.254", False), ("api.anthropic.com", False), ("127.0.0.1.nip.io", False), ("1270.0.0.1", False),
]  # fmt: skip


@pytest.mark.parametrize(("host", "here"), HOSTS)
def test_loopback_is_told_by_its_text(host, here):
    assert guard.is_loopback(host) is here
