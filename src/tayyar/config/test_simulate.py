"""The simulated providers start together, the file written for them works with every gateway, and knobs are checked."""

import datetime as dt
import json
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tayyar.config.authorities import read_authorities
from tayyar.config.commands.simulate import fault_list, read_faults, read_ports
from tayyar.config.wiring import gateway_of
from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.identity_authority.people import birth_date_of, number_of
from tayyar.gateways.push_peer.browsers import subscription
from tayyar.gateways.push_peer.faults import Faults as PushFaults
from tayyar.gateways.simulated import PEERS, Simulated, registrations, simulated_providers
from tayyar.gateways.smsc.faults import Faults as SmscFaults
from tayyar.identity.models import IdType
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Content,
    DeliveryKey,
    EmailContent,
    Outcome,
    Outgoing,
    PushContent,
    SendResult,
    SmsContent,
    Unpaced,
    WhatsAppContent,
)
from tayyar.notifications.providers import read_providers
from tayyar.notifications.variables import TEMPLATES

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
SITE = "http://127.0.0.1:1"
FREE = dict.fromkeys(PEERS, 0)
PROVIDERS = [name for name, peer in PEERS.items() if peer.is_provider]


def outgoing(channel: Channel, address: str, content: Content) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, 7, 0, channel, 1),
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        language="ar",
        content=content,
        message_id="m7",
        dated=NOW,
    )


def messages(simulated: Simulated) -> dict[Channel, Outgoing]:
    """One message for each channel."""
    (bill,) = [
        entry for entry in registrations(SITE) if entry["name"] == "bill_issued" and entry["language"] == "ar"
    ]
    body = next(part["text"] for part in bill["components"] if part["type"] == "BODY")
    template = WhatsAppContent(
        "bill_issued", ("x",) * body.count("{{"), "https://t.example/b/x/bill.pdf", "bill.pdf", "b/x"
    )
    push = PushContent("فاتورة نوفمبر", "276.00 ريال", "https://t.example/b/x", "b7")
    browser = subscription(7, port=simulated.ports["push"])
    mail = EmailContent("شركة الكهرباء", "فاتورة نوفمبر", "نص", "<p>نص</p>")
    return {
        Channel.SMS: outgoing(Channel.SMS, "+966500000007", SmsContent("فاتورة نوفمبر: 276.00 ريال")),
        Channel.EMAIL: outgoing(Channel.EMAIL, "salma@mail.example", mail),
        Channel.WHATSAPP: outgoing(Channel.WHATSAPP, "+966500000007", template),
        Channel.PUSH: outgoing(Channel.PUSH, browser, push),
    }


def test_every_gateway_delivers_to_the_provider_that_the_file_names(tmp_path: Path) -> None:
    with simulated_providers(tmp_path, site_url=SITE, ports=FREE) as simulated:
        configs = read_providers(simulated.providers_file)
        assert [config.code for config in configs] == PROVIDERS
        assert {config.code: config.weight for config in configs if config.channel == Channel.SMS} == {
            "sms-first": 70,
            "sms-second": 30,
        }
        wanted = messages(simulated)
        for config in configs:
            gateway = gateway_of(config)
            (result,) = gateway.send_batch(
                [wanted[config.channel]], pace=Unpaced(), stop_at=time.monotonic() + 20
            )
            gateway.close()
            assert (result.outcome, result.reason) == (Outcome.SENT, ""), config.code
        stats = simulated.stats()
    assert {name: counts["taken"] for name, counts in stats.items()} == {
        **dict.fromkeys(PROVIDERS, 1),
        "authority": 0,
    }


def test_each_provider_errs_as_it_is_told_and_the_others_do_not(tmp_path: Path) -> None:
    faults = {"push": PushFaults(gone_share=1.0), "sms-first": SmscFaults(refused_suffix="7")}
    with simulated_providers(tmp_path, site_url=SITE, ports=FREE, faults=faults) as simulated:
        wanted, ended = messages(simulated), dict[str, SendResult]()
        for config in read_providers(simulated.providers_file):
            gateway = gateway_of(config)
            (ended[config.code],) = gateway.send_batch(
                [wanted[config.channel]], pace=Unpaced(), stop_at=time.monotonic() + 20
            )
            gateway.close()
    assert Counter(result.outcome.value for result in ended.values()) == {"SENT": 3, "BAD_CONTACT": 2}
    assert ended["push"].reason == "SUBSCRIPTION_GONE"


def test_the_file_is_its_owner_s_alone_and_written_anew_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with simulated_providers(tmp_path, site_url=SITE, ports=FREE) as simulated:
            pass
    assert stat.S_IMODE(simulated.providers_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(simulated.authorities_file.stat().st_mode) == 0o600


def test_a_providers_file_that_somebody_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- code: real\n")
    with (
        pytest.raises(UserError, match="was not written by"),
        simulated_providers(tmp_path, site_url=SITE, ports=FREE, write=own),
    ):
        pass
    assert own.read_text() == "- code: real\n"


def test_an_authorities_file_that_somebody_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("identity: []\n")
    with (
        pytest.raises(UserError, match="was not written by"),
        simulated_providers(tmp_path, site_url=SITE, ports=FREE, write_authorities=own),
    ):
        pass
    assert own.read_text() == "identity: []\n"


def test_the_authority_proves_a_person_of_its_country_by_the_file_written_for_it(tmp_path: Path) -> None:
    number = number_of("eg", 7)
    known = tmp_path / "authority" / "people.json"
    known.parent.mkdir()
    known.write_text(json.dumps({number: {"name": "منى السيد", "phone": "+201000000007"}}))
    with simulated_providers(tmp_path, site_url=SITE, ports=FREE, country="eg") as simulated:
        found = read_authorities(simulated.authorities_file, must_be_whole=True)
        born = birth_date_of("eg", IdType.NATIONAL_ID, number)
        asked = found.identity[0].ask(
            id_type=IdType.NATIONAL_ID, number=number, birth_date=born, back_url="", now=NOW
        )
        proven = found.identity[0].answer(ref=asked.ref, sent={}, now=NOW)
        assert found.address is not None
        homes = found.address.addresses_of(id_type=IdType.NATIONAL_ID, number=number)
    assert proven is not None and proven.name == "منى السيد" and asked.phone == "+201000000007"
    assert homes[0].lines.keys() == {"ar", "en", "fr"}


def test_a_provider_that_ended_is_told_of(tmp_path: Path) -> None:
    with simulated_providers(tmp_path, site_url=SITE, ports=FREE) as simulated:
        simulated.running["push"].process.kill()
        simulated.running["push"].process.wait()
        with pytest.raises(UserError, match="push ended"):
            simulated.stats()


def test_every_shipped_template_is_registered_in_every_language_with_its_places_in_order() -> None:
    found = registrations("https://site.example")
    assert len(found) == len(TEMPLATES) * 3
    bill = next(entry for entry in found if (entry["name"], entry["language"]) == ("bill_issued", "en"))
    assert [part["type"] for part in bill["components"]] == ["HEADER", "BODY", "BUTTONS"]
    body = bill["components"][1]["text"]
    assert "$" not in body and body.index("{{1}}") < body.index("{{2}}")
    assert bill["components"][2]["buttons"][0]["url"] == "https://site.example/{{1}}"


def test_faults_are_set_by_name_and_a_share_may_be_short() -> None:
    found = read_faults(
        [
            "push:throttle=0.1",
            "push:retry_after_seconds=2",
            "sms-first:tlvs=false",
            "sms-first:fail_status=0x58",
        ]
    )
    assert found["push"] == PushFaults(throttle_share=0.1, retry_after_seconds=2)
    assert found["sms-first"] == SmscFaults(tlvs=False, fail_status=0x58)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("telegram:x=1", "no simulated provider 'telegram'"),
        ("push:sleep=1", "push can do throttle_share"),
        ("push:throttle", "push can do throttle_share"),
        ("push:throttle=much", "'much' is no number"),
        ("push:throttle=10", "a share is from 0 to 1"),
        ("sms-first:tlvs=1", "write true or false"),
    ],
)
def test_a_fault_that_cannot_be_is_told(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_faults([text])


def test_ports_are_set_by_name() -> None:
    assert read_ports(["push=8031", "mail=0"]) == {"push": 8031, "mail": 0}
    for wrong in ("push", "push=x", "push=70000", "fax=1"):
        with pytest.raises(UserError):
            read_ports([wrong])


def test_the_help_lists_every_fault_of_every_provider() -> None:
    text = fault_list()
    assert "push:gone_share=0.0" in text and "mail:bounce=" in text and "whatsapp:hang_share" in text
    assert [name for name in PEERS if f"faults of {name}," not in text] == []


def test_the_command_runs_until_it_is_stopped_and_then_ends_well(tmp_path: Path) -> None:
    ports = [part for name in PEERS for part in ("--port", f"{name}=0")]
    target = tmp_path / "written.yaml"
    command = [sys.executable, "-m", "tayyar.config.cli", "simulate", "providers", "--write", target, *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("They stand in"):
                break
        assert target.exists(), process.communicate()[1]
        assert len(read_providers(target)) == len(PROVIDERS)
        found = read_authorities(tmp_path / "authorities.yaml", must_be_whole=True)
        assert {IdType.NATIONAL_ID, IdType.PASSPORT} <= found.identity[0].id_types
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest.strip(), errors) == (0, "Stopped.", "")
