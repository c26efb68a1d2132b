"""Words and calls in whatever form, written down as one object of our json dialect."""

import json


class Script:
    """Writes words and calls into one JSON object as they come, for readers of raw output."""

    def __init__(self) -> None:
        self._open = ""  # the field that is being written

    def words(self, field: str, text: str) -> str:
        start = ""
        if self._open != field:
            start = f'{self._close()}"{field}":"'
            self._open = field
        return start + json.dumps(text, ensure_ascii=False)[1:-1]

    def call(self, name: str) -> str:
        start = "},"
        if self._open != "actions":
            first = '"thought":"",' if not self._open else ""
            start = f'{self._close()}{first}"actions":['
            self._open = "actions"
        return f'{start}{{"skill":{json.dumps(name, ensure_ascii=False)},"args":'

    def end(self) -> str:
        return {"": "", "actions": "}]}"}.get(self._open, '"}')

    def _close(self) -> str:
        return {"": "{", "actions": "}],"}.get(self._open, '",')
