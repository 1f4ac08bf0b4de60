"""What is under way in a session ends when it is told to, or when its successor begins."""

import threading


class Running:
    """What is under way, at most one thing a session, which can be asked to end."""

    def __init__(self) -> None:
        self._ends: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def begin(self, session: str) -> threading.Event:
        """Something new of a session; whatever is under way is asked to end.

        Returns:
            set once this is asked to end.
        """
        with self._lock:
            self._end(session)
            self._ends[session] = threading.Event()
            return self._ends[session]

    def end(self, session: str) -> None:
        """Ask what is under way in a session to end."""
        with self._lock:
            self._end(session)

    def _end(self, session: str) -> None:
        event = self._ends.pop(session, None)
        if event is not None:
            event.set()
