"""The providers' file: what it may say, and what is told to whoever wrote it wrongly."""

from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.notifications.providers import ProviderConfig, configured, read_providers

WHOLE = """
- code: sms-first
  channel: SMS
  gateway: SMPP
  weight: 70
  permitted_per_second: 500
  cost_micro: 45000
  options: {host: smsc.example, password: "${TEST_PASSWORD}", port: 2775}
- {code: mail, channel: EMAIL, gateway: SMTP}
"""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "providers.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_file_is_read_with_secrets_from_the_environment(file, monkeypatch):
    monkeypatch.setenv("TEST_PASSWORD", "s3cret")
    assert read_providers(file(WHOLE)) == [
        ProviderConfig(
            "sms-first",
            Channel.SMS,
            "SMPP",
            weight=70,
            permitted_per_second=500,
            cost_micro=45000,
            options={"host": "smsc.example", "password": "s3cret", "port": 2775},
        ),
        ProviderConfig("mail", Channel.EMAIL, "SMTP", weight=100),
    ]


def entry(**change: object) -> str:
    fields = {"code": "sms", "channel": "SMS", "gateway": "SMPP"} | change
    return "- {" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a list of providers, each with code, channel and gateway"),
        ("code: sms", "must be a list of providers, each with code, channel and gateway"),
        ("- [", "cannot be read"),
        ("- {code: sms, channel: SMS}", "every provider has a code, a channel and a gateway; one has not"),
        ("- sms", "every provider has a code, a channel and a gateway; one has not"),
        (entry(speed=5), "sms: speed is not known"),
        (entry(code="SMS_1"), "the code 'SMS_1' may hold a-z, 0-9 and -, up to 30 letters"),
        (entry(channel="FAX"), "sms: the channel is one of EMAIL, SMS, WHATSAPP, PUSH"),
        (entry(weight=101), "sms: weight is 0 to 100"),
        (entry(weight="true"), "sms: weight is 0 to 100"),
        (entry(permitted_per_second=0), "sms: permitted_per_second is 1 or more, or left out"),
        (entry(permitted_per_second=1.5), "sms: permitted_per_second is 1 or more, or left out"),
        (entry(cost_micro=-1), "sms: cost_micro is a whole number, millionths of the currency"),
        (entry(options="[1]"), "sms: options are names with values"),
        (entry() + entry(), "names a provider twice: sms, sms"),
        (entry(options="{word: '${NOT_SET}'}"), "sms: the environment variable NOT_SET is not set"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_name_and_what_is_expected(file, text, says):
    with pytest.raises(UserError, match=says) as refused:
        read_providers(file(text))
    assert "providers.yaml" in str(refused.value)


def test_a_missing_file_says_how_to_come_by_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TAYYAR_PROVIDERS", str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match=r"none\.yaml is missing.*tayyar simulate providers"):
        configured()


def test_a_changed_file_is_read_anew(file, monkeypatch):
    path = file(entry())
    monkeypatch.setenv("TAYYAR_PROVIDERS", str(path))
    assert configured()["sms"].weight == 100
    path.write_text(entry(weight=30))
    assert configured()["sms"].weight == 30
