"""What goes wrong when a run is shared, sent or fetched."""


class ShareError(ValueError):
    """A run cannot be shared, or what was shared not be used; the message says why and what to do."""
