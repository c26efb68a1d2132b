"""The two kinds of error that somebody can act on; every other exception is a bug."""


class LlavaPlusError(Exception):
    """Root of the errors raised on purpose."""


class SkillError(LlavaPlusError):
    """Goes back to the planner: what came, what was wanted, what to do next."""


class SetupError(LlavaPlusError):
    """Goes to the person, without a traceback: something that only a person can put right."""


class ImageError(SetupError):
    """A picture that cannot be read or must not be opened."""
