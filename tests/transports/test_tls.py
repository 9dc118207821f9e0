"""No trust store is read until a client touches the network, and then TLS is what it always was."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from convo_replay.transports import tls
from convo_replay.transports.patching import Patches

trustme = pytest.importorskip("trustme")

LIBRARIES = ("httpx", "httpx2")


@pytest.fixture(params=LIBRARIES)
def library(request):
    return pytest.importorskip(request.param)


@pytest.fixture
def lazy():
    with Patches(tls.install) as patches:
        yield patches


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger():
    return trustme.CA()


class Server(threading.Thread):
    """Speaks TLS on loopback, answers every request with `ok`, notes the protocol that ALPN chose."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self.context = context
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.chosen: list[str | None] = []
        self.peers: list[bytes | None] = []

    def run(self) -> None:
        while True:
            try:
                accepted, _ = self.listening.accept()
            except OSError:
                return
            with accepted, contextlib.suppress(OSError):
                accepted.settimeout(10)
                with self.context.wrap_socket(accepted, server_side=True) as stream:
                    self.chosen.append(stream.selected_alpn_protocol())
                    self.peers.append(stream.getpeercert(binary_form=True))
                    if stream.selected_alpn_protocol() != "h2":
                        stream.recv(65536)
                        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.join()


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = Server(context)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def trusted(authority, tmp_path: Path, monkeypatch) -> str:
    """The file of the server's own authority, which the environment names."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return str(file)


def context_of(client) -> ssl.SSLContext:
    return client._transport._pool._ssl_context


def is_read(client) -> bool:
    return "real" in object.__getattribute__(context_of(client), "__dict__")


# How a client is made, and how it gets a page: `made` inside the cassette, `get` after it.


def _sync(library, url, **kwargs):
    client = library.Client(**kwargs)

    def get() -> str:
        with client:
            return client.get(url).text

    return client, get


def _in_loop(run):
    def make(library, url, **kwargs):
        client = library.AsyncClient(**kwargs)

        async def main() -> str:
            async with client:
                return (await client.get(url)).text

        return client, lambda: run(main)

    return make


SKINS = {
    "sync": _sync,
    "asyncio": _in_loop(lambda main: asyncio.run(main())),
    "trio": _in_loop(lambda main: pytest.importorskip("trio").run(main)),
}


@pytest.fixture(params=SKINS)
def make(request):
    return SKINS[request.param]


def test_a_client_that_outlives_the_cassette_speaks_tls(library, make, server, trusted):
    with Patches(tls.install):
        client, get = make(library, f"https://127.0.0.1:{server.port}/")
        assert isinstance(context_of(client), ssl.SSLContext)
        assert not is_read(client)
    assert get() == "ok"
    assert server.chosen == ["http/1.1"]


def test_it_trusts_nobody_else_and_says_so_like_a_bare_client(library, make, server, stranger, tmp_path, monkeypatch):
    stranger.cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "stranger.pem"))
    raised = []
    for patches in (contextlib.nullcontext(), Patches(tls.install)):
        with patches:
            _, get = make(library, f"https://127.0.0.1:{server.port}/")
        with pytest.raises(library.ConnectError) as caught:
            get()
        raised.append((type(caught.value), str(caught.value)))  # trio says nothing in the text, bare or not
    assert raised[0] == raised[1]
    assert server.peers == []


def test_the_name_of_the_host_is_checked(library, make, authority, trusted):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    server = Server(context)
    server.start()
    with Patches(tls.install):
        _, get = make(library, f"https://127.0.0.1:{server.port}/")
    with pytest.raises(library.ConnectError):
        get()
    server.stop()
    assert server.peers == []


def test_while_the_cassette_is_open_it_speaks_tls_too(library, make, server, trusted, lazy):
    _, get = make(library, f"https://127.0.0.1:{server.port}/")
    assert get() == "ok"


def test_alpn_is_what_the_client_asks_for(library, server, trusted, lazy):
    pytest.importorskip("h2")
    _, get = _sync(library, f"https://127.0.0.1:{server.port}/", http2=True)
    with pytest.raises(library.TransportError):
        get()  # the server hangs up once it knows
    assert server.chosen == ["h2"]


def test_the_environment_counts_as_it_was_when_the_client_was_made(library, server, trusted, monkeypatch):
    with Patches(tls.install):
        _, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")
    assert get() == "ok"


def test_the_environment_named_later_is_not_trusted(library, server, authority, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with Patches(tls.install):
        _, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    authority.cert_pem.write_to_path(str(tmp_path / "later.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "later.pem"))
    with pytest.raises(library.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        get()


def test_a_directory_of_authorities_counts_too(library, server, monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with Patches(tls.install):
        _, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    monkeypatch.delenv("SSL_CERT_DIR")
    with pytest.raises(library.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        get()


def test_a_trust_store_that_is_missing_fails_the_connection(library, server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")
    with Patches(tls.install):
        _, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    with pytest.raises(library.ConnectError, match="No such file"):
        get()
    assert server.chosen == []


def test_each_client_has_a_context_of_its_own(library, lazy):
    with library.Client() as one, library.Client() as other:
        assert context_of(one) is not context_of(other)
        context_of(one).check_hostname = False
        assert context_of(other).check_hostname is True


TOUCHES = {
    "load_verify_locations": lambda context, authority, file: context.load_verify_locations(file),
    "load_cert_chain": lambda context, authority, file: authority.issue_cert("me").configure_cert(context),
    "minimum_version": lambda context, authority, file: setattr(context, "minimum_version", ssl.TLSVersion.TLSv1_3),
    "options": lambda context, authority, file: setattr(context, "options", context.options | ssl.OP_NO_TICKET),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_what_is_set_before_use_carries_over(touch, library, authority, server, trusted, lazy):
    client, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    TOUCHES[touch](context_of(client), authority, trusted)
    assert get() == "ok"


def test_verification_switched_off_before_use_is_off(library, server, monkeypatch, lazy):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    client, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    context_of(client).check_hostname = False
    context_of(client).verify_mode = ssl.CERT_NONE
    assert get() == "ok"


def test_a_client_certificate_loaded_before_use_is_shown(library, authority, trusted, lazy):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(context)
    server.start()
    client, get = _sync(library, f"https://127.0.0.1:{server.port}/")
    authority.issue_cert("me@example.org").configure_cert(context_of(client))
    assert get() == "ok"
    assert server.peers[0]
    server.stop()


ASKED = ["verify_mode", "check_hostname", "verify_flags", "options", "minimum_version", "protocol"]


@pytest.mark.parametrize("name", ASKED)
def test_who_asks_hears_what_a_bare_context_says(name, library, lazy, trusted):
    with library.Client() as client:
        made = getattr(context_of(client), name)
        authorities = context_of(client).get_ca_certs()
    lazy.undo()
    with library.Client() as bare:
        assert made == getattr(context_of(bare), name)
        assert authorities == context_of(bare).get_ca_certs()
        assert len(authorities) == 1


def test_what_bypasses_the_delegation_trusts_nobody(library, lazy, trusted):
    with library.Client() as client:
        held = context_of(client)
        assert ssl.SSLContext.verify_mode.__get__(held) == ssl.CERT_REQUIRED
        assert ssl.SSLContext.check_hostname.__get__(held) is True
        assert ssl.SSLContext.get_ca_certs(held) == []


@pytest.mark.parametrize("verify", [False, "file", "context"])
def test_a_context_that_the_user_chose_is_not_touched(verify, library, trusted, lazy):
    chosen = {"file": trusted, "context": ssl.create_default_context()}.get(verify, verify)
    with pytest.warns(DeprecationWarning, match="verify=<str>") if verify == "file" else contextlib.nullcontext():
        client = library.Client(verify=chosen)
    with client:
        assert not isinstance(context_of(client), tls._LazyContext)


def test_many_threads_read_the_store_once(library, lazy, trusted, monkeypatch):
    reads = []
    second = threading.Event()
    build = ssl.create_default_context

    def read(**named):
        reads.append(1)
        if len(reads) > 1:
            second.set()
        second.wait(0.1)  # for a second reader, who must not come
        return build(**named)

    with library.Client() as client:
        monkeypatch.setattr(ssl, "create_default_context", read)
        threads = [threading.Thread(target=lambda: context_of(client).get_ca_certs()) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert reads == [1]


def test_nothing_of_ours_stays_behind(library):
    import importlib

    module = importlib.import_module(f"{library.__name__}._transports.default")
    before = dict(vars(module))
    with Patches(tls.install):
        assert vars(module)["create_ssl_context"] is not before["create_ssl_context"]
    assert dict(vars(module)) == before
