"""The house kept tidy: every file says what it is, no float near money or energy, words complete."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "tayyar"
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent.name != "migrations")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_file_has_its_module_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


# Where a float is right: drawing, seconds, pseudo-random people. Money and energy are never computed there.
FLOATS_ALLOWED = {
    "billing/documents/chart.py",
    "console/charts.py",
    "core/progress.py",
    "demo/population.py",
    "tariffs/sampling.py",
}
MONEY_MODULES = ("tariffs", "metering", "ledger", "billing", "core/money.py", "profiles")


def _floats(tree: ast.AST) -> list[int]:
    """Lines with a float literal, a call of float() or a true division."""
    lines = []
    for node in ast.walk(tree):
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if is_literal or is_call:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_float_in_money_or_energy_code(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    if name in FLOATS_ALLOWED or not name.startswith(MONEY_MODULES) or path.name.startswith("test_"):
        return
    source = path.read_text().splitlines()
    found = [line for line in _floats(ast.parse("\n".join(source))) if not _is_about_time(source[line - 1])]
    assert not found, f"{name}: float in lines {found}"


def _is_about_time(line: str) -> bool:
    return any(word in line for word in ("SECONDS", "seconds", "sleep", "timeout", "monotonic"))
