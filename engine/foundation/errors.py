"""Errors a person is meant to read.

Every message says which file, row or field, what was found, what is allowed and what to do.
The command line and the pages print them without a traceback.
"""


class BasinError(Exception):
    """Base of all errors whose message is written for the user."""


class DataError(BasinError):
    """A dataset on disk, or given in memory, is not what its format allows."""


class ConfigError(BasinError):
    """A setting, or a combination of settings, is not allowed."""


class MissingExtraError(BasinError):
    """An optional package is needed and not installed."""


class RunError(BasinError):
    """A run folder is missing, incomplete, or written by a newer version."""


class ResultError(BasinError):
    """A kept result is missing, damaged, of a newer version, or made from other weights."""


class TrainingError(BasinError):
    """Training cannot start or go on with what it was given."""


class JobError(BasinError):
    """Background work cannot be started, found or reached."""


class Cancelled(BasinError):
    """The user asked the running work to stop."""
