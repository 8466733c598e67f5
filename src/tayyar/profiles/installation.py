"""Which country this installation serves, with the utility's answers to its profile's open questions."""

from tayyar.core.errors import UserError
from tayyar.core.models import Setting
from tayyar.core.paths import data_dir
from tayyar.profiles import Profile, answers_file, load, read_answers


def installed_profile() -> Profile:
    """The profile of this installation; UserError when none was chosen yet."""
    setting = Setting.objects.filter(key="PROFILE").first()
    if setting is None:
        raise UserError(
            "No profile is chosen yet. Start with `tayyar demo`, or `tayyar generate --profile sa`."
        )
    return load_answered(setting.value)


def load_answered(code: str) -> Profile:
    """A profile with the answers in the data folder's profile-<code>.yaml."""
    return load(code, read_answers(answers_file(data_dir(), code)))


def choose_profile(code: str) -> Profile:
    """Make `code` this installation's profile. One database serves one profile, for good."""
    profile = load_answered(code)
    setting, created = Setting.objects.get_or_create(key="PROFILE", defaults={"value": profile.code})
    if not created and setting.value != profile.code:
        raise UserError(
            f"This database serves profile {setting.value!r} already. "
            f"Name another data folder in TAYYAR_DATA for {profile.code!r}."
        )
    return profile
