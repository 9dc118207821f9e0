"""Missing keys are stood in for, harmlessly, and the environment comes back as it was."""

from __future__ import annotations

import os
import threading

import pytest

from convo_replay.standins import KEYS, STAND_IN, StandIns

ABOUT = (
    *KEYS,
    "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID",
    "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE", "OPENAI_API_TYPE", "OPENAI_API_VERSION",
    "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_AD_TOKEN", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI",
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ABOUT:
        monkeypatch.delenv(name, raising=False)


def test_missing_keys_are_there_and_go_again():
    before = dict(os.environ)
    with StandIns():
        assert STAND_IN in os.environ["ANTHROPIC_API_KEY"]
        assert STAND_IN in os.environ["OPENAI_API_KEY"]
        assert STAND_IN in os.environ["OPENROUTER_API_KEY"]
    assert dict(os.environ) == before


def test_every_stand_in_says_that_it_is_one():
    assert all(STAND_IN in value for value, _ in KEYS.values())


def test_sdks_build_their_clients():
    openai = pytest.importorskip("openai")
    anthropic = pytest.importorskip("anthropic")
    with pytest.raises(openai.OpenAIError):
        openai.OpenAI()
    with StandIns():
        with openai.OpenAI() as client:
            assert STAND_IN in client.api_key
        with anthropic.Anthropic() as client:
            assert STAND_IN in client.api_key


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_there_stays(name, monkeypatch):
    monkeypatch.setenv(name, "mine")
    with StandIns():
        assert os.environ[name] == "mine"
    assert os.environ[name] == "mine"


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"])
def test_an_empty_key_counts_as_missing_and_comes_back_empty(name, monkeypatch):
    monkeypatch.setenv(name, "")
    with StandIns():
        assert STAND_IN in os.environ[name]
    assert os.environ[name] == ""


FEDERATION = {
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "org",
    "ANTHROPIC_IDENTITY_TOKEN_FILE": "token",
}
SHADOWS = [
    ("ANTHROPIC_API_KEY", {"ANTHROPIC_AUTH_TOKEN": "t"}, False),
    ("ANTHROPIC_API_KEY", {"ANTHROPIC_PROFILE": "work"}, False),
    ("ANTHROPIC_API_KEY", FEDERATION, False),
    ("ANTHROPIC_API_KEY", {"ANTHROPIC_ORGANIZATION_ID": "org"}, True),
    ("OPENAI_API_KEY", {"AZURE_OPENAI_ENDPOINT": "https://x"}, True),
    ("AZURE_OPENAI_API_KEY", {}, False),
    ("AZURE_OPENAI_API_KEY", {"OPENAI_API_KEY": "mine"}, False),
    ("AZURE_OPENAI_API_KEY", {"AZURE_OPENAI_ENDPOINT": "https://x"}, True),
    ("AZURE_OPENAI_API_KEY", {"OPENAI_API_TYPE": "azure"}, True),
    ("AZURE_OPENAI_API_KEY", {"AZURE_OPENAI_ENDPOINT": "https://x", "AZURE_OPENAI_AD_TOKEN": "t"}, False),
    ("GEMINI_API_KEY", {}, True),
    ("GEMINI_API_KEY", {"GOOGLE_API_KEY": "mine"}, False),
    ("GEMINI_API_KEY", {"GOOGLE_GENAI_USE_VERTEXAI": "true"}, False),
]


@pytest.mark.parametrize(("name", "environment", "set_"), SHADOWS)
def test_no_credential_of_the_user_is_shadowed(name, environment, set_, monkeypatch):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with StandIns():
        assert (name in os.environ) is set_
        assert {key: os.environ[key] for key in environment} == environment


def test_a_value_that_the_application_set_meanwhile_stays(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")  # so that monkeypatch restores it after the test
    with StandIns():
        os.environ["ANTHROPIC_API_KEY"] = "theirs"
    assert os.environ["ANTHROPIC_API_KEY"] == "theirs"


def test_a_variable_that_the_application_deleted_stays_deleted():
    with StandIns():
        del os.environ["OPENAI_API_KEY"]
    assert "OPENAI_API_KEY" not in os.environ


def test_nested_use_sets_what_is_missing_again_and_takes_its_own_back():
    outer, inner = StandIns(), StandIns()
    with outer:
        del os.environ["OPENAI_API_KEY"]
        with inner, inner:
            assert STAND_IN in os.environ["OPENAI_API_KEY"]
        assert "OPENAI_API_KEY" not in os.environ
        assert "ANTHROPIC_API_KEY" in os.environ
    assert "ANTHROPIC_API_KEY" not in os.environ


def test_who_leaves_first_takes_nothing_from_who_stays():
    first, second = StandIns(), StandIns()
    first.put()
    second.put()
    first.take_back()
    assert STAND_IN in os.environ["OPENAI_API_KEY"]
    second.take_back()
    assert "OPENAI_API_KEY" not in os.environ


def test_one_take_back_too_many_does_nothing():
    standins = StandIns()
    standins.put()
    standins.take_back()
    standins.take_back()
    with standins:
        assert "OPENAI_API_KEY" in os.environ
    assert "OPENAI_API_KEY" not in os.environ


def test_it_comes_back_after_an_exception():
    with pytest.raises(KeyboardInterrupt), StandIns():
        raise KeyboardInterrupt
    assert "OPENAI_API_KEY" not in os.environ


def test_many_threads_leave_what_they_found():
    before = dict(os.environ)
    missing = []

    def work() -> None:
        standins = StandIns()
        for _ in range(100):
            with standins:
                if "OPENAI_API_KEY" not in os.environ:
                    missing.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert dict(os.environ) == before
