"""The name of a browser and its device, for people: "Chrome, Android". From what the browser calls itself; pure."""

from collections.abc import Mapping

# The first that occurs names it: every browser also names those it descends from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def agent_name(agent: str, words: Mapping[str, str]) -> str:
    """Browser and device, or the word for one that is not known."""
    names = [next((name for sign, name in known if sign in agent), "") for known in (_BROWSERS, _DEVICES)]
    return words["list_comma"].join(name for name in names if name) or words["unknown_device"]
