"""The run's certificate as PDF/A-3a: one page to sign off and file, with the signed JSON attached.

Owns its words in three languages; certificate.typ only places them. Never computes: every figure is the certificate's.
The attachment, not the page, is what the signature covers. Next: the console and `tayyar billrun certificate --pdf`.
"""

import datetime as dt
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

from tayyar.billing.certificate import MONEY, canonical
from tayyar.billing.documents.pdf import STANDARD, drawable
from tayyar.billing.reasons import REASONS
from tayyar.core.errors import UserError
from tayyar.core.money import Currency
from tayyar.core.periods import Period
from tayyar.core.text import (
    RTL_LANGUAGES,
    Formats,
    format_amount,
    format_date,
    format_energy,
    format_month,
    format_number,
)

HERE = Path(__file__).parent
_compilers = threading.local()

WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "title": "شهادة إصدار فواتير {month}",
        "truth": "الحسابات: فوتر {billed} من {eligible}، أوقف {held}، رفض {rejected}",
        "issue_date": "تاريخ الإصدار",
        "due_date": "آخر يوم للدفع",
        "certified_at": "وقت التوثيق (UTC)",
        "messages": "رسائل",
        "kwh": "ك.و.س",
        "money": "المال",
        "energy_minor": "الطاقة",
        "fixed_minor": "الرسوم",
        "subsidy_minor": "الدعم",
        "tax_minor": "الضريبة",
        "total_minor": "الإجمالي",
        "debited_to_customers": "قيد على المشتركين",
        "credited_to_revenue_and_tax": "قيد للإيرادات والضريبة",
        "transfers": "عدد القيود",
        "tariffs": "حسب التعرفة",
        "tariff": "التعرفة",
        "bills": "فواتير",
        "total": "الإجمالي",
        "exceptions": "الموقوفة والمرفوضة",
        "none": "لا شيء",
        "HELD": "موقوف",
        "REJECTED": "مرفوض",
        "accounts": "حسابات",
        "numbers": "أرقام الفواتير",
        "void": "أرقام لم تستعمل",
        "bills_sha256": "بصمة الفواتير (SHA-256)",
        "tariff_sha256": "بصمة التعرفات (SHA-256)",
        "public_key": "المفتاح العام (Ed25519)",
        "signature": "التوقيع (Ed25519)",
        "note": "التوقيع على الملف المرفق certificate.json كما هو. للتحقق: tayyar billrun verify {period}",
    },
    "en": {
        "title": "Certificate of the bill run of {month}",
        "truth": "Accounts: {billed} of {eligible} billed, {held} held, {rejected} rejected",
        "issue_date": "Issued",
        "due_date": "Last day to pay",
        "certified_at": "Certified (UTC)",
        "messages": "Messages",
        "kwh": "kWh",
        "money": "Money",
        "energy_minor": "Energy",
        "fixed_minor": "Fees",
        "subsidy_minor": "Subsidy",
        "tax_minor": "Tax",
        "total_minor": "Total",
        "debited_to_customers": "Debited to customers",
        "credited_to_revenue_and_tax": "Credited to revenue and tax",
        "transfers": "Ledger transfers",
        "tariffs": "By tariff",
        "tariff": "Tariff",
        "bills": "Bills",
        "total": "Total",
        "exceptions": "Held and rejected",
        "none": "None",
        "HELD": "Held",
        "REJECTED": "Rejected",
        "accounts": "Accounts",
        "numbers": "Bill numbers",
        "void": "Numbers not used",
        "bills_sha256": "Hash of the bills (SHA-256)",
        "tariff_sha256": "Hash of the tariffs (SHA-256)",
        "public_key": "Public key (Ed25519)",
        "signature": "Signature (Ed25519)",
        "note": "The signature covers the attached certificate.json as it is. "
        "To verify: tayyar billrun verify {period}",
    },
    "fr": {
        "title": "Certificat de l’émission : {month}",
        "truth": "Comptes : facturés {billed} sur {eligible}, retenus {held}, rejetés {rejected}",
        "issue_date": "Émise le",
        "due_date": "Dernier jour de paiement",
        "certified_at": "Certifiée (UTC)",
        "messages": "Messages",
        "kwh": "kWh",
        "money": "Montants",
        "energy_minor": "Énergie",
        "fixed_minor": "Frais",
        "subsidy_minor": "Subvention",
        "tax_minor": "Taxe",
        "total_minor": "Total",
        "debited_to_customers": "Au débit des clients",
        "credited_to_revenue_and_tax": "Au crédit des produits et taxes",
        "transfers": "Écritures",
        "tariffs": "Par tarif",
        "tariff": "Tarif",
        "bills": "Factures",
        "total": "Total",
        "exceptions": "Retenus et rejetés",
        "none": "Aucun",
        "HELD": "Retenu",
        "REJECTED": "Rejeté",
        "accounts": "Comptes",
        "numbers": "Numéros de facture",
        "void": "Numéros non utilisés",
        "bills_sha256": "Empreinte des factures (SHA-256)",
        "tariff_sha256": "Empreinte des tarifs (SHA-256)",
        "public_key": "Clé publique (Ed25519)",
        "signature": "Signature (Ed25519)",
        "note": "La signature porte sur le fichier joint certificate.json. "
        "Pour vérifier : tayyar billrun verify {period}",
    },
}


def certificate_pdf(certificate: Mapping[str, Any], signature: bytes, lang: str = "ar") -> bytes:
    """The certificate as a tagged PDF/A-3a in `lang` (ar, en, fr; else UserError); the same input, the same bytes.

    certificate.json, attached, holds exactly the bytes that `signature` signs.
    """
    if lang not in WORDS:
        raise UserError(f"There is no certificate in {lang!r}. Choose one of: {', '.join(WORDS)}.")
    data = _compiler().compile(
        sys_inputs={
            "page": drawable(json.dumps(_page(dict(certificate), signature, lang), ensure_ascii=False)),
            "attachment": canonical(dict(certificate)).decode(),
        },
        format="pdf",
        pdf_standards=STANDARD,
        timestamp=dt.datetime.fromisoformat(certificate["certified_at"]).replace(microsecond=0),
    )
    assert isinstance(data, bytes)  # one document in, one PDF out
    return data


def _compiler() -> typst.Compiler:
    """This thread's compiler, as in documents/pdf.py."""
    found = getattr(_compilers, "certificate", None)
    if found is None:
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[str(HERE / "documents" / "fonts")],
        )
        found = _compilers.certificate = typst.Compiler(
            str(HERE / "certificate.typ"), root=str(HERE), font_paths=fonts
        )
    return found


def _page(certificate: dict[str, Any], signature: bytes, lang: str) -> dict[str, Any]:
    words, formats = WORDS[lang], Formats()
    currency = Currency(certificate["currency"], certificate["minor_digits"])

    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, currency, lang, formats)

    def num(value: int) -> str:
        return format_number(value, lang, formats.digits)

    def energy(energy_wh: int) -> str:
        return format_energy(energy_wh, lang, formats)

    def reason(code: str) -> str:
        return REASONS[lang].get(code, code)

    accounts, ledger, period = certificate["accounts"], certificate["ledger"], certificate["period"]
    voids = [f"{first}–{end - 1}" for first, end in certificate["void_serials"]]
    return {
        "lang": lang,
        "rtl": lang in RTL_LANGUAGES,
        "w": words,
        "title": words["title"].format(month=format_month(Period.parse(period).start, lang, formats)),
        "truth": words["truth"].format(**{name: num(accounts[name]) for name in accounts}),
        "profile": f"{certificate['profile'].upper()} · {currency.code}",
        "facts": [
            [words[key], format_date(dt.date.fromisoformat(certificate[key]), lang, formats)]
            for key in ("issue_date", "due_date")
        ]
        + [
            [
                words["certified_at"],
                f"{dt.datetime.fromisoformat(certificate['certified_at']):%Y-%m-%d %H:%M}",
            ],
            [words["messages"], num(certificate["messages"])],
        ],
        "money": [[words[name], money(certificate["money"][name])] for name in MONEY],
        "ledger": [
            [words["debited_to_customers"], money(ledger["debited_to_customers"])],
            [words["credited_to_revenue_and_tax"], money(ledger["credited_to_revenue_and_tax"])],
            [words["transfers"], num(ledger["transfers"])],
            [words["kwh"], energy(certificate["energy_wh"])],
        ],
        "tariffs": [
            [
                name,
                num(row["bills"]),
                energy(row["energy_wh"]),
                money(row["tax_minor"]),
                money(row["total_minor"]),
            ]
            for name, row in certificate["tariffs"].items()
        ],
        "exceptions": [
            [words[row["outcome"]], reason(row["reason"]), num(row["accounts"]), energy(row["energy_wh"])]
            for row in certificate["exceptions"]
        ],
        "proof": [
            [words["numbers"], f"{certificate['first_number']} – {certificate['last_number']}"],
            [words["void"], ", ".join(voids) or "–"],
            [words["bills_sha256"], certificate["bills_sha256"]],
            [words["tariff_sha256"], certificate["tariff_sha256"]],
            [words["public_key"], certificate["public_key"]],
            [words["signature"], signature.hex()[:64] + "\n" + signature.hex()[64:]],
        ],
        "note": words["note"].format(period=period),
    }
