"""docs/new-country.md is true: its files make a country, and its quote is what comes out."""

import json
import re
from pathlib import Path

import pytest

from tayyar.profiles import load
from tayyar.tariffs.quote import Case, Quoter

PAGE = Path(__file__).parents[3] / "docs" / "new-country.md"


def test_the_country_of_the_page_quotes_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    files = re.findall(r"^## (\S+\.yaml)$.*?^```yaml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(files) == 4
    for name, content in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("TAYYAR_PROFILES", str(tmp_path))
    command = re.search(r"tayyar tariff quote --profile zz --category (\S+) --date (\S+) --kwh (\d+)", text)
    answer = re.search(r"^```json\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert command and answer
    profile = load("zz")
    assert [question.key for question in profile.unanswered()] == ["VAT_RATE"]
    day = profile.issue_date(2025, 6).fromisoformat(command[2])
    quote = Quoter("zz", tmp_path).quote(Case(command[1], day, int(command[3]) * 1000))
    wanted = json.loads(answer[1])
    assert {key: quote[key] for key in wanted} == wanted
