"""What visitors give for training: chats, thumbs, and what an answer should have been.

Nothing is asked where the program was started without a folder for it, and nothing is kept
without the visitor's consent, which is off in every new chat.
"""

import threading

from llava_plus.data_gen.feedback import Collection, Opinion
from llava_plus.errors import SetupError

from .state import Visit

LONGEST = 4000  # characters of a correction


class Giving:
    """Consent and opinions, chat by chat, the same on all pages that show a chat.

    Args:
        collection: Where they go.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._given: dict[str, tuple[Opinion, ...]] = {}  # what was said of each chat given
        self._lock = threading.RLock()  # a chat taken back on one page is not kept by another

    def given(self, visit: Visit) -> bool:
        """Say whether the visitor gives the chat that the page shows."""
        id = visit.session.id
        with self._lock:
            if id not in self._given and self.collection.has(id):
                self._given[id] = self.collection.opinions(id)
            return id in self._given

    def consent(self, visit: Visit, given: bool) -> None:
        """Give the chat, or take it back with its pictures and all that was said of it."""
        id = visit.session.id
        with self._lock:
            if given:
                self._given.setdefault(id, ())
                self.keep(visit)
            else:
                self.collection.forget(id)
                self._given.pop(id, None)

    def keep(self, visit: Visit) -> None:
        """Write the chat as it stands, if it is given and there is something in it."""
        with self._lock:
            if self.given(visit) and (trace := visit.session.trace).turns:
                self.collection.keep(trace, self._given[trace.id])

    def opinion(self, visit: Visit) -> Opinion | None:
        """Return the last thing that was said of the chat."""
        with self._lock:
            said = self._given[visit.session.id] if self.given(visit) else ()
        return said[-1] if said else None

    def judge(self, visit: Visit, turn: int, liked: bool) -> None:
        """Note a thumb."""
        self._note(visit, Opinion(turn=turn, liked=liked))

    def correct(self, visit: Visit, better: str) -> None:
        """Note what the answer that was disliked last should have been."""
        last = self.opinion(visit)
        if last is None or last.liked:
            raise SetupError("Give an answer the thumb down first; then say what would be right.")
        if not better.strip() or len(better) > LONGEST:
            raise SetupError(f"Write what would be right, in up to {LONGEST:,} characters.")
        self._note(visit, last.model_copy(update={"better": better.strip()}))

    def _note(self, visit: Visit, opinion: Opinion) -> None:
        id = visit.session.id
        with self._lock:
            if not self.given(visit):
                raise SetupError("Nothing was noted: this chat is not given for training.")
            others = tuple(one for one in self._given[id] if one.turn != opinion.turn)
            self._given[id] = (*others, opinion)
            self.keep(visit)
