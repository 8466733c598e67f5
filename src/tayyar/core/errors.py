"""The one error that is the user's to mend: it says what happened and what to do next."""


class UserError(Exception):
    """Bad input or missing configuration. The message is shown as it is; commands exit with 2."""
