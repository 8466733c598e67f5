"""A real Postfix: what it takes arrives, what it cannot deliver comes back as its own DSN, over its own TLS.

An instance of its own in a temporary folder, on loopback ports; nothing of the system's Postfix is touched.
"""

import datetime as dt
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tayyar.core.crypto import seal
from tayyar.gateways.smtp.gateway import SmtpGateway
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Attachment,
    DeliveryKey,
    EmailContent,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptState,
    Unpaced,
)

POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.skipif(POSTFIX is None, reason="Debian's postfix is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master process can only be started by root"),
]
DOMAIN, BOUNCES = "mail.example", "bounces.utility.example"
NOBODY = 65534

MASTER = """\
{lax} inet n - n - - smtpd
{strict} inet n - n - - smtpd
    -o smtpd_reject_unlisted_recipient=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
syslog_name = tayyar-test
myhostname = mx.mail.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
virtual_mailbox_domains = {domain} {bounces}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
local_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
"""


class Postfix(NamedTuple):
    """A running instance: `lax` takes mail for anybody and bounces it later, `strict` refuses at once."""

    folder: Path
    lax: int
    strict: int

    @property
    def bounces(self) -> Path:
        return self.folder / "mail" / "bounces"

    def mailbox(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.folder / "mail" / "sara" / "new").glob("*")]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    folder = Path(tempfile.mkdtemp(prefix="tayyar-postfix-"))
    folder.chmod(0o755)  # Postfix's own user passes through
    for name in ("etc", "queue", "data", "log", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "mail", NOBODY, NOBODY)
    lax, strict = _free_port(), _free_port()
    _write_certificate(folder)
    (folder / "mailboxes").write_text(f"sara@{DOMAIN} sara/\nbounces@{BOUNCES} bounces/\n")
    (folder / "etc" / "master.cf").write_text(
        MASTER.format(lax=f"127.0.0.1:{lax}", strict=f"127.0.0.1:{strict}")
    )
    (folder / "etc" / "main.cf").write_text(
        MAIN.format(folder=folder, domain=DOMAIN, bounces=BOUNCES, uid=NOBODY)
    )
    assert POSTFIX
    command = [POSTFIX, "-c", str(folder / "etc")]
    started = subprocess.run([*command, "start"], capture_output=True, text=True)
    try:
        log = folder / "log" / "postfix.log"
        assert started.returncode == 0, started.stderr + (log.read_text() if log.exists() else "")
        _until(lambda: _listens(lax) and _listens(strict))
        yield Postfix(folder, lax, strict)
    finally:
        subprocess.run([*command, "stop"], capture_output=True)
        shutil.rmtree(folder)


def test_a_mail_for_a_mailbox_arrives_whole_with_its_bill_attached(postfix: Postfix):
    bill = b"%PDF-1.7\n.\n..\r\n." + bytes(range(256)) * 300
    gateway = _gateway(postfix, postfix.strict)
    (sent,) = _send(gateway, [_mail(1, "sara", Attachment("bill.pdf", "application/pdf", bill))])
    assert sent.outcome is Outcome.SENT and sent.provider_ref
    _until(lambda: len(postfix.mailbox()) == 1)
    mail = message_from_bytes(postfix.mailbox()[0], policy=policy.default)
    assert mail["Return-Path"].startswith("<bounces+202611.1.1.0.0.1-")
    assert mail["Subject"] == "فاتورة" and mail.get_body(("plain",)).get_content().splitlines() == ["نص"]
    assert [part.get_content() for part in mail.iter_attachments()] == [bill]


def test_an_unknown_mailbox_is_known_as_such_at_once_and_the_others_go_on(postfix: Postfix):
    before = len(postfix.mailbox())
    names = ["sara", "nobody", "nobody", "sara", "sara"]
    results = _send(_gateway(postfix, postfix.strict), [_mail(10 + n, name) for n, name in enumerate(names)])
    by_ref = {result.key.ref - 10: result for result in results}
    assert [by_ref[n].outcome for n in range(5)] == [
        Outcome.SENT if name == "sara" else Outcome.BAD_CONTACT for name in names
    ]
    assert (by_ref[1].reason, by_ref[1].provider_ref) == ("NO_SUCH_MAILBOX", "550 5.1.1")
    _until(lambda: len(postfix.mailbox()) == before + 3)


def test_postfixs_own_bounce_comes_back_as_a_receipt_of_the_right_attempt(postfix: Postfix):
    gateway = _gateway(postfix, postfix.lax)
    results = _send(gateway, [_mail(20, "sara"), _mail(21, "nobody")])
    assert {result.outcome for result in results} == {Outcome.SENT}
    found = _await_receipts(gateway)
    expected = Receipt(ReceiptState.BAD_CONTACT, key=_mail(21, "nobody").key, reason="NO_SUCH_MAILBOX")
    assert found == [expected]
    assert len(list((postfix.bounces / "new").iterdir())) == 1
    gateway.confirm(found)
    assert list((postfix.bounces / "new").iterdir()) == []
    gateway.close()


def test_with_required_tls_the_certificate_is_checked_before_anything_is_said(
    postfix: Postfix, monkeypatch: pytest.MonkeyPatch
):
    stranger = _gateway(postfix, postfix.strict, starttls="REQUIRED")
    (result,) = _send(stranger, [_mail(30, "sara")])
    assert (result.outcome, result.reason) == (Outcome.NOT_TRIED, "TLS_FAILED")
    monkeypatch.setenv("SSL_CERT_FILE", str(postfix.folder / "cert.pem"))
    before = set(postfix.mailbox())
    trusted = _gateway(postfix, postfix.strict, starttls="REQUIRED")
    results = _send(trusted, [_mail(31 + n, "sara") for n in range(20)])
    assert [result.outcome for result in results] == [Outcome.SENT] * 20
    _until(lambda: len(postfix.mailbox()) == len(before) + 20)
    assert all(b"using TLSv1" in mail for mail in set(postfix.mailbox()) - before)


def _gateway(postfix: Postfix, port: int, **options: str) -> SmtpGateway:
    bounces = {"maildir": str(postfix.bounces), "address": f"bounces@{BOUNCES}"}
    fixed = {"host": "127.0.0.1", "port": port, "sender": "bills@utility.example", "verp": True}
    return SmtpGateway(code="mta", options={**fixed, "bounces": bounces, **options})


def _mail(ref: int, name: str, *attachments: Attachment) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, ref, 0, 0, 1),
        address_sealed=seal(f"{name}@{DOMAIN}", field=ADDRESS_FIELD),
        language="ar",
        content=EmailContent("الكهرباء", "فاتورة", "نص\n", "<p>نص</p>", attachments=attachments),
        message_id=f"message-{ref}",
        dated=dt.datetime.now(dt.UTC),
    )


def _send(gateway: SmtpGateway, mails: list[Outgoing]):
    results = gateway.send_batch(mails, pace=Unpaced(), stop_at=time.monotonic() + 30)
    assert {result.key for result in results} == {mail.key for mail in mails} and len(results) == len(mails)
    return results


def _await_receipts(gateway: SmtpGateway) -> list[Receipt]:
    found: list[Receipt] = []

    def any_came() -> bool:
        found.extend(gateway.receipts())
        return bool(found)

    _until(any_came)
    return found


def _until(condition, seconds: float = 20.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.mail.example")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
