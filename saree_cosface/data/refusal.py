"""Why a picture cannot be used, said where nobody knows yet which file it is."""


class Refused(ValueError):
    """A picture that cannot be used; the message is the reason, in words for the person who owns the file."""
