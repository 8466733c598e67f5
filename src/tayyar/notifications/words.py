"""The words of a template in one channel and language: read, checked, and made ready to be filled in quickly.

Pure: no database. Owns which texts a channel has and what may be wrong with them. Never decides which words are in
use. Next: templates.py renders with them, template_versions.py stores edited ones.
"""

import functools
import html
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from tayyar.core.errors import UserError
from tayyar.core.text import LANGUAGES, NBSP, RTL_LANGUAGES
from tayyar.customers.models import Channel
from tayyar.notifications.variables import FOLDER, TEMPLATES, usable

Words = Mapping[str, str]

# The texts of each channel, and whether they may be empty.
FIELDS: Mapping[Channel, Mapping[str, bool]] = {
    Channel.EMAIL: {
        "subject": False, "headline": False, "number": True, "lead": True, "button": True, "note": True,
        "details": True, "help": True,
    },
    Channel.SMS: {"text": False},
    Channel.WHATSAPP: {"template": False, "header": True, "body": False, "button": True},
    Channel.PUSH: {"title": False, "body": False},
    Channel.CALL: {"script": False},
}  # fmt: skip
# Push carries the link beside its words, and a caller reads none out; these must show it, or a button that leads there.
_LINK_IN: Mapping[Channel, tuple[str, str]] = {  # the text in which it may stand, and the button's
    Channel.EMAIL: ("", "button"),
    Channel.SMS: ("text", ""),
    Channel.WHATSAPP: ("body", "button"),
}
DOCUMENT = "DOCUMENT"  # a WhatsApp template's header that carries the bill's PDF
_WHATSAPP_NAME = re.compile(r"[a-z0-9_]{1,512}")
_WHATSAPP_BODY = 1024
_VARIABLE_AT_END = re.compile(r"^\s*\{[a-z_]+\}|\{[a-z_]+\}[\s.،,؛;:!؟?]*$")
# A variable is {name}: in a right-to-left text braces stay on both sides of their word, which a $ does not.
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[a-z_]+)\}|(?P<stray>[{}])")
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why words cannot be used: a code of PROBLEMS, the text it is about, and what exactly."""

    code: str
    field: str
    detail: str = ""


PROBLEMS: Mapping[str, str] = {
    "UNKNOWN_FIELD": "{field} is no text of this channel",
    "EMPTY": "{field} is empty",
    "STRAY_BRACE": "{field} has a brace that belongs to no variable; write it twice for the sign itself",
    "UNKNOWN_VARIABLE": "{field} uses {detail}, which is not a variable of this message",
    "MUST_SAY": "the words leave out {detail}",
    "NO_LINK": "the words leave out the link",
    "DETAIL_WITHOUT_LABEL": "in {field} each line is a label, |, and a value",
    "BAD_NAME": "{field} is what WhatsApp calls the template: a-z, 0-9 and _",
    "BAD_HEADER": "{field} is DOCUMENT or empty",
    "BODY_TOO_LONG": "{field} is longer than the 1,024 characters that WhatsApp takes",
    "VARIABLE_AT_END": "{field} begins or ends with a variable, which WhatsApp refuses",
}


@functools.cache
def shipped(template: str, language: str) -> Mapping[Channel, Words]:
    """The words that came with Tayyar; UserError naming file and fault when they cannot be used."""
    path = FOLDER / f"{template}.{language}.toml"
    if language not in LANGUAGES or template not in TEMPLATES or not path.exists():
        raise UserError(f"There is no template {path.name}. Each template needs {', '.join(LANGUAGES)}.")
    raw = tomllib.loads(path.read_text("utf-8"))
    found = {}
    for channel in FIELDS:
        words = raw.pop(channel.name.lower(), {})
        if wrong := problems(template, channel, words):
            raise UserError(f"{path.name}, {channel.name.lower()}: {explain(wrong[0])}.")
        found[channel] = complete(channel, words)
    if raw:
        raise UserError(f"{path.name}: {', '.join(sorted(raw))} is no channel.")
    return found


def complete(channel: Channel, words: Words) -> dict[str, str]:
    """Every text of the channel, in its order, without spaces around; one that was left out is empty."""
    return {name: str(words.get(name, "")).strip() for name in FIELDS[channel]}


def problems(template: str, channel: Channel, words: Words) -> list[Problem]:
    """What is wrong with the words; nothing when they can be used."""
    fields = FIELDS[channel]
    found = [Problem("UNKNOWN_FIELD", name) for name in sorted(words.keys() - fields.keys())]
    found += [
        Problem("EMPTY", name)
        for name, free in fields.items()
        if not free and not words.get(name, "").strip()
    ]
    known, said = set(usable(template)), set[str]()
    for name, text in words.items():
        if any(match["stray"] for match in _TOKEN.finditer(text)):
            found.append(Problem("STRAY_BRACE", name))
            continue
        said.update(used := variables_of(text))
        found += [Problem("UNKNOWN_VARIABLE", name, f"{{{one}}}") for one in used if one not in known]
    if found:
        return found
    spec, words = TEMPLATES[template], complete(channel, words)
    found += [
        Problem("MUST_SAY", "", " / ".join(f"{{{one}}}" for one in group))
        for group in spec.must_say
        if said.isdisjoint(group)
    ]
    text, button = _LINK_IN.get(channel, ("", ""))
    shown = "url" in variables_of(words.get(text, "")) or words.get(button)
    if spec.has_link and channel in _LINK_IN and not shown:
        found.append(Problem("NO_LINK", ""))
    if channel == Channel.EMAIL and any(_SEPARATOR not in line for line in words["details"].splitlines()):
        found.append(Problem("DETAIL_WITHOUT_LABEL", "details"))
    if channel == Channel.WHATSAPP:
        found += _whatsapp_problems(words)
    return found


def _whatsapp_problems(words: Words) -> list[Problem]:
    found = []
    if not _WHATSAPP_NAME.fullmatch(words["template"]):
        found.append(Problem("BAD_NAME", "template"))
    if words["header"] not in ("", DOCUMENT):
        found.append(Problem("BAD_HEADER", "header"))
    if len(words["body"]) > _WHATSAPP_BODY:
        found.append(Problem("BODY_TOO_LONG", "body"))
    if _VARIABLE_AT_END.search(words["body"]):
        found.append(Problem("VARIABLE_AT_END", "body"))
    return found


def explain(problem: Problem) -> str:
    """The problem in a plain English clause."""
    return PROBLEMS[problem.code].format(field=problem.field, detail=problem.detail)


@functools.lru_cache(maxsize=4096)
def variables_of(text: str) -> tuple[str, ...]:
    """The names of the variables in `text`, in the order of their first appearance."""
    return tuple(dict.fromkeys(match["name"] for match in _TOKEN.finditer(text) if match["name"]))


def pattern(text: str, *, escaped: bool = False) -> str:
    """`text` as a %-pattern over a mapping, the quickest way to fill it in. `escaped`: for HTML."""
    if escaped:
        text = html.escape(text)

    def variable(match: re.Match[str]) -> str:
        return f"%({match['name']})s" if match["name"] else match[0][0]

    return _TOKEN.sub(variable, text.replace("%", "%%"))


@dataclass(frozen=True, slots=True)
class Compiled:
    """Words ready to be filled in: the variables they need, and a %-pattern for each text."""

    needs: tuple[str, ...]
    patterns: Mapping[str, str]
    parameters: tuple[str, ...] = ()


def compile_words(channel: Channel, language: str, words: Words) -> Compiled:
    """Make checked words ready."""
    needs = tuple(dict.fromkeys(name for text in words.values() for name in variables_of(text)))
    if channel == Channel.EMAIL:
        link = ("url",) if words["button"] and "url" not in needs else ()
        return Compiled((*needs, *link), _mail(language, words))
    parameters = variables_of(words["body"]) if channel == Channel.WHATSAPP else ()
    return Compiled(needs, {name: pattern(text) for name, text in words.items()}, parameters)


def _mail(language: str, words: Words) -> dict[str, str]:
    """Patterns of a mail's subject, text and page. In the page `rows` and `preferences` are ready HTML or nothing."""
    details = [
        tuple(part.strip() for part in line.split(_SEPARATOR, 1)) for line in words["details"].splitlines()
    ]
    headline, number = words["headline"], words["number"]
    colon = f"{NBSP}:" if language == "fr" else ":"
    text = [f"{headline}{colon} {number}" if number else headline, words["lead"], ""]
    if words["button"]:
        text += [words["button"] + colon, "{url}", words["note"], ""]
    elif words["note"]:
        text += [words["note"], ""]
    text += [*(f"{label}{colon} {value}" for label, value in details)]
    tail = ["", "", words["help"], "", "{utility_name}", ""]
    frame = _frame()
    slots = {
        "language": language,
        "direction": "rtl" if language in RTL_LANGUAGES else "ltr",
        "details": "".join(
            _set(
                frame["detail"],
                {"label": pattern(label, escaped=True), "value": pattern(value, escaped=True)},
            )
            for label, value in details
        ),
        "url": "%(url)s",
        "utility": "%(utility_name)s",
        "rows": "%(rows)s",
        "preferences": "%(preferences)s",
    }
    for name in ("subject", "headline", "number", "lead", "button", "note", "help"):
        slots[name] = pattern(words[name], escaped=True)
    page = frame["page"]
    for name in ("number", "lead", "button", "note", "help"):
        if not words[name]:
            page = _block(name).sub("", page)
    return {
        "subject": pattern(words["subject"]),
        "text": pattern("\n".join(text))
        + "%(rows_text)s"
        + pattern("\n".join(tail))
        + "%(preferences_text)s",
        "page": _set(_MARK.sub("", page), slots),
    }


def _set(part: str, slots: Words) -> str:
    """A part of the frame with patterns in its slots: a pattern again."""
    return _TOKEN.sub(lambda match: slots[match["name"]], part.replace("%", "%%"))


_MARK = re.compile(r"<!--/?[a-z]+-->\n?")


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"<!--{name}-->.*?<!--/{name}-->\n?", re.DOTALL)


@functools.cache
def _frame() -> Mapping[str, str]:
    """The parts of frame.html: `page`, and those of which it holds none or many: `detail`, `row`, `preferences`."""
    text = (FOLDER / "frame.html").read_text("utf-8")
    parts = dict(re.findall(r"<!--part:([a-z]+)-->\n(.*?)(?=<!--part:|\Z)", text, re.DOTALL))
    return {name: part.rstrip("\n") if name != "page" else part for name, part in parts.items()}


@functools.cache
def frame_part(name: str) -> str:
    """A part of the mail's frame as a %-pattern."""
    return pattern(_frame()[name])
