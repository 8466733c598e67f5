"""The tariff book: every version of a profile's tariffs, and which one is in force for whom on a day.

Owns the choice. A version ends after its last day or when a later one of the same scope begins.
Never prices. The flow goes next to `timeline` and `kernel`.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.profiles.model import Profile
from tayyar.profiles.reader import ProfileError, read_yaml
from tayyar.tariffs.documents import Scope, Version
from tayyar.tariffs.parse import parse_version


class NoTariff(UserError):
    """No known tariff is in force for that category on that day; the message says what is known."""


class TariffBook:
    """All versions of one profile. Build it with `load_book`; it never changes afterwards."""

    def __init__(self, profile: Profile, versions: Iterable[Version]) -> None:
        self.profile = profile
        self.versions = tuple(sorted(versions, key=lambda version: version.number))
        self._by_number = {version.number: version for version in self.versions}
        self._by_id = {version.id.casefold(): version for version in self.versions}
        self._check()

    def version(self, number: int) -> Version:
        """The version with that stable number. Raises KeyError."""
        return self._by_number[number]

    def find(self, tariff_id: str) -> Version | None:
        """The version with that id, in any case; None when there is none."""
        return self._by_id.get(tariff_id.casefold())

    def candidates(self, category: str, entitled: bool) -> tuple[Version, ...]:
        """The versions written for that category and entitlement, unknown start first, then by first day."""
        fitting = [version for version in self.versions if _fits(version, category, entitled)]
        return tuple(sorted(fitting, key=lambda version: version.first_day or dt.date.min))

    def in_force(self, category: str, day: dt.date, entitled: bool) -> Version | None:
        """The version in force: of those whose days cover `day`, the one that began last."""
        covering = [
            version
            for version in self.candidates(category, entitled)
            if version.selectable
            and (version.first_day is None or version.first_day <= day)
            and (version.end_day is None or day < version.end_day)
        ]
        return covering[-1] if covering else None

    def select(self, category: str, day: dt.date, entitled: bool = False) -> Version:
        """The version in force for a category code on a day. Raises NoTariff with the reason."""
        version = self.in_force(category, day, entitled)
        if version is None:
            raise NoTariff(self.explain_missing(category, day, entitled))
        return version

    def explain_missing(self, category: str, day: dt.date, entitled: bool) -> str:
        """Why no tariff is in force: what is known, what is remembered but not used, what to do."""
        code = self.profile.code.upper()
        parts = [f"{code} {category}: no tariff is known for {day}."]
        known = [
            f"{v.id} ({v.first_day or 'unknown'} to {_last_day(v) or 'today'})"
            for v in self.candidates(category, entitled)
            if v.selectable
        ]
        parts.append(f"Known: {', '.join(known)}." if known else "None is known for this category.")
        parts += [
            f"Unverified values are remembered for {u.first_day} to {u.last_day} ({u.remembered}); "
            "they are not used because no source confirms them."
            for u in self.profile.unverified
            if u.category == category and u.first_day <= day <= u.last_day
        ]
        parts.append("Add a tariff document with its source to the profile, or choose another date.")
        return " ".join(parts)

    def only(self, version: Version) -> "TariffBook":
        """A book in which `version` is the only one for its scopes: to quote one document by its id."""
        others = [
            other
            for other in self.versions
            if other.number != version.number and other.id != version.id and not _overlap(version, other)
        ]
        return TariffBook(self.profile, [replace(version, selectable=True), *others])

    @cached_property
    def categories(self) -> dict[int, str]:
        """Category number -> code."""
        return {category.number: category.code for category in self.profile.categories}

    def _check(self) -> None:
        """Numbers and ids are unique, and two versions of one scope do not begin on the same day."""
        if len(self._by_number) != len(self.versions) or len(self._by_id) != len(self.versions):
            seen: dict[int | str, str] = {}
            for version in self.versions:
                for key in (version.number, version.id.casefold()):
                    if key in seen:
                        raise ProfileError(f"{version.file}: number, id: {key} is also used in {seen[key]}")
                    seen[key] = version.file
        for category in self.profile.categories:
            for entitled in (False, True):
                self._check_starts(self.candidates(category.code, entitled))
        for version in self.versions:
            moves_to = version.threshold and version.threshold.moves_to
            targets = self.candidates(moves_to, False) if moves_to else ()
            if any(target.threshold for target in targets):
                raise ProfileError(f"{version.file}: annual_threshold.moves_to: {moves_to} has one itself")

    @staticmethod
    def _check_starts(versions: Sequence[Version]) -> None:
        selectable = [version for version in versions if version.selectable]
        for first, second in pairwise(selectable):
            if first.first_day == second.first_day:
                raise ProfileError(f"{second.file}: first_day: {first.id} begins on the same day")


def load_book(profile: Profile) -> TariffBook:
    """The book of all tariff documents of a profile (cached per profile). Raises ProfileError."""
    return _load_book(profile)


def book_with_file(profile: Profile, path: Path) -> tuple[TariffBook, Version]:
    """A profile's book in which the tariff document `path` replaces the tariffs of its categories."""
    version = parse_version(read_yaml(path), str(path), profile)
    return load_book(profile).only(version), version


@lru_cache(maxsize=32)
def _load_book(profile: Profile) -> TariffBook:
    return TariffBook(profile, [parse_version(raw, file, profile) for file, raw in profile.tariff_documents])


def _fits(version: Version, category: str, entitled: bool) -> bool:
    return any(
        scope.category == category and scope.entitled in (None, entitled) for scope in version.applies_to
    )


def _overlap(one: Version, other: Version) -> bool:
    """Whether some account could fall under both."""
    return any(
        a.category == b.category and (None in (a.entitled, b.entitled) or a.entitled == b.entitled)
        for a in one.applies_to
        for b in other.applies_to
    )


def _last_day(version: Version) -> dt.date | None:
    return None if version.end_day is None else version.end_day - dt.timedelta(days=1)


def scope_of(version: Version) -> Scope:
    """The first scope of a version: whom to quote when only the tariff's id is given."""
    return version.applies_to[0]
