"""The authorities' file: the profile's list without it, secrets from elsewhere, and a clear word for what is wrong."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tayyar.config import authorities
from tayyar.config.authorities import configured, read_authorities
from tayyar.config.commands import keys as keys_command
from tayyar.config.sealed import opened_secret, sealed_secret
from tayyar.core.errors import UserError
from tayyar.gateways.nafath.client import NafathAuthority
from tayyar.identity import authorities as registry
from tayyar.identity.models import IdType
from tayyar.profiles import load

LOCAL = """
identity:
  - code: local
    gateway: LOCAL
    id_types: [NATIONAL_ID, PASSPORT]
    options: {url: "http://127.0.0.1:8040", key: KEY}
address:
  code: local-addresses
  gateway: LOCAL
  options: {url: "http://127.0.0.1:8040", key: KEY}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "authorities.yaml"
    monkeypatch.setenv("TAYYAR_AUTHORITIES", str(path))
    return path


def test_a_document_is_asked_of_the_first_authority_that_knows_it(file):
    file.write_text(LOCAL.replace("address:", LOCAL_SECOND + "address:"))
    found = configured()
    assert [authority.code for authority in found.identity] == ["local", "second"]
    assert found.address.code == "local-addresses"
    registry.use(configured)
    assert registry.authority_for(IdType.PASSPORT).code == "local"
    assert registry.authority_for(IdType.RESIDENCE).code == "second"
    assert registry.authority_for(IdType.GULF_ID) is None
    assert registry.authority_named("second").code == "second" and registry.authority_named("third") is None


LOCAL_SECOND = """  - code: second
    gateway: LOCAL
    id_types: [PASSPORT, RESIDENCE]
    options: {url: "https://second.example", key: KEY}
"""


def test_a_file_is_read_again_once_it_changed_and_adapters_live_until_then(file):
    file.write_text(LOCAL)
    first = configured()
    assert configured() is first
    file.write_text(LOCAL.replace("code: local\n", "code: other\n"))
    assert configured().identity[0].code == "other"


def test_a_secret_comes_from_the_environment_or_sealed_and_never_stands_in_the_open(file, monkeypatch):
    monkeypatch.setenv("LOCAL_KEY", "from-outside")
    sealed = sealed_secret("sealed-one")
    assert "sealed-one" not in sealed
    file.write_text(
        LOCAL.replace("key: KEY", 'key: "${LOCAL_KEY}"', 1).replace(
            "key: KEY", f'key: {{sealed: "{sealed}"}}'
        )
    )
    found = configured()
    assert found.identity[0].options.key == "from-outside" and found.address.options.key == "sealed-one"
    assert "from-outside" not in repr(found.identity[0].options)


def test_keys_seal_gives_what_the_file_takes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("the-secret\n"))
    keys_command.run(type("Arguments", (), {"action": "seal"})())
    assert opened_secret(capsys.readouterr().out.strip()) == "the-secret"


def test_keys_seal_needs_no_database(tmp_path):
    command = [sys.executable, "-m", "tayyar.config.cli", "keys", "seal"]
    environment = {"PATH": os.environ["PATH"], "TAYYAR_DATA": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, input="the-secret\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bytes.fromhex(done.stdout.strip())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "identity"),
        ("identity: {}\nother: 1", "nothing else"),
        ("identity: 7", "list"),
        ("identity: [{code: a, gateway: LOCAL}]", "id_types"),
        (LOCAL.replace("PASSPORT", "LIBRARY_CARD"), "id_types lists"),
        (LOCAL.replace("gateway: LOCAL", "gateway: FAX", 1), "one of NAFATH"),
        (LOCAL.replace("code: local\n", "code: Lo\n"), "code 'Lo'"),
        (LOCAL.replace("address:", LOCAL_SECOND.replace("second\n", "local\n", 1) + "address:"), "twice"),
        (LOCAL.replace("key: KEY", 'key: "${NOT_SET_ANYWHERE}"', 1), "NOT_SET_ANYWHERE is not set"),
        (LOCAL.replace("key: KEY", "key: {sealed: ab}", 1), "local"),
        (LOCAL.replace("key: KEY", "key: {sealed: xyz}", 1), "copied whole"),
        (LOCAL.replace("http://127.0.0.1", "http://elsewhere.example", 1), "https://"),
        (LOCAL.replace("key: KEY", "key: KEY, colour: red", 1), "colour"),
        ("identity: [", "cannot be read"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(file, text, says):
    file.write_text(text)
    with pytest.raises(UserError, match=says):
        configured()


def test_the_profile_s_list_counts_once_its_variables_are_set(monkeypatch):
    path = load("sa").folder / "authorities.yaml"
    for name in ("NAFATH_APP_ID", "NAFATH_APP_KEY", "NAFATH_SERVICE", "NAFATH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NATIONAL_ADDRESS_API_KEY", raising=False)
    assert read_authorities(path, must_be_whole=False) == registry.Authorities()
    for name in ("NAFATH_APP_ID", "NAFATH_APP_KEY", "NAFATH_SERVICE", "NAFATH_AUDIENCE"):
        monkeypatch.setenv(name, "x")
    (nafath,) = read_authorities(path, must_be_whole=False).identity
    assert isinstance(nafath, NafathAuthority) and nafath.id_types == {IdType.NATIONAL_ID, IdType.RESIDENCE}


@pytest.mark.parametrize("country", ["sa", "mr", "bh"])
def test_every_shipped_list_builds_once_everything_is_set(country, monkeypatch):
    path: Path = load(country).folder / "authorities.yaml"
    for name in authorities._ENVIRONMENT.findall(path.read_text()):
        monkeypatch.setenv(name, "https://id.example" if name.endswith(("URL", "ISSUER")) else "x")
    assert read_authorities(path, must_be_whole=True).identity
