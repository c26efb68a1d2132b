"""What a visitor gives for training: chats, thumbs, and what an answer should have been.

Nothing is asked where the program was started without a folder for it, and nothing is kept
without the visitor's consent, which is off in every new chat.
"""

from llava_plus.data_gen.feedback import Collection, Opinion
from llava_plus.errors import SetupError

from .state import Visit

LONGEST = 4000  # characters of a correction


class Giving:
    """One visitor's consent and opinions, chat by chat.

    Args:
        collection: Where they go.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._given: dict[str, bool] = {}
        self._opinions: dict[str, tuple[Opinion, ...]] = {}

    def given(self, visit: Visit) -> bool:
        """Say whether the visitor gives the chat that the page shows."""
        id = visit.session.id
        if id not in self._given:
            self._given[id] = self.collection.has(id)
            self._opinions[id] = self.collection.opinions(id)
        return self._given[id]

    def consent(self, visit: Visit, given: bool) -> None:
        """Give the chat, or take it back with its pictures."""
        self.given(visit)
        self._given[visit.session.id] = given
        if given:
            self.keep(visit)
        else:
            self.collection.forget(visit.session.id)

    def keep(self, visit: Visit) -> None:
        """Write the chat as it stands, if it is given and there is something in it."""
        if self.given(visit) and (trace := visit.session.trace).turns:
            self.collection.keep(trace, self._opinions[visit.session.id])

    def opinion(self, visit: Visit) -> Opinion | None:
        """Return the last thing that was said of the chat."""
        return (
            self._opinions[visit.session.id][-1]
            if self.given(visit) and self._said(visit)
            else None
        )

    def judge(self, visit: Visit, turn: int, liked: bool) -> None:
        """Note a thumb."""
        self._checked(visit)
        self._note(visit, Opinion(turn=turn, liked=liked))

    def correct(self, visit: Visit, better: str) -> None:
        """Note what the answer that was disliked last should have been."""
        self._checked(visit)
        last = self.opinion(visit)
        if last is None or last.liked:
            raise SetupError("Give an answer the thumb down first; then say what would be right.")
        if not better.strip() or len(better) > LONGEST:
            raise SetupError(f"Write what would be right, in up to {LONGEST:,} characters.")
        self._note(visit, last.model_copy(update={"better": better.strip()}))

    def carry_on(self, visit: Visit) -> None:
        """Give the chat that a given one goes on in, too."""
        self.given(visit)
        self._given[visit.session.id] = True

    def _said(self, visit: Visit) -> bool:
        return bool(self._opinions[visit.session.id])

    def _checked(self, visit: Visit) -> None:
        if not self.given(visit):
            raise SetupError("Nothing was noted: this chat is not given for training.")

    def _note(self, visit: Visit, opinion: Opinion) -> None:
        id = visit.session.id
        others = tuple(one for one in self._opinions[id] if one.turn != opinion.turn)
        self._opinions[id] = (*others, opinion)
        self.keep(visit)
