"""Every error evolray raises on purpose, and the exit code each one means.

    EvolrayError              1   something of evolray's or the machine's failed (a full disk, a lost node)
    ├── UserError             2   a mistake in the config, the command or the seed file
    ├── EndpointError         3   the endpoint refuses, is gone or does not know the model
    ├── BudgetError           4   the budget is spent; the run resumes with a larger one
    └── Interrupted         130   Ctrl-C or SIGTERM; the run resumes with the same command

A message says what was found, what was expected and what to do. It never holds a key.
"""


class EvolrayError(Exception):
    """Base of the family; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UserError(EvolrayError):
    exit_code = 2


class EndpointError(EvolrayError):
    exit_code = 3


class BudgetError(EvolrayError):
    exit_code = 4


class Interrupted(EvolrayError):
    exit_code = 130
