"""The one exception that commands show to the user."""


class UserError(Exception):
    """Something the user can mend.

    `str(error)` is one line that names the file, line or field and says what to do about it.
    Commands print it as `error: …` on stderr and exit with its `status`, without a traceback.
    """

    status = 2
