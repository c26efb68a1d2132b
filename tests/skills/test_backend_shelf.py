"""Models that calls share: done together where they fit, and dropped when room is short."""

import threading

import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Boxes
from llava_plus.skills.backends import Shelf
from llava_plus.skills.backends.together import Queue
from llava_plus.skills.outcome import Failed
from llava_plus.skills.workers import GIVEN_UP


class Crowd:
    """Does up to three calls of one group at once; fails where one of them is "bad"."""

    at_once = 3

    def __init__(self):
        self.runs = []
        self.first, self.more = threading.Event(), threading.Event()

    def __call__(self, image, label, *, threshold=0.5):
        self.runs.append([label])
        if label == "first":
            self.first.set()
            assert self.more.wait(60)
        if label == "bad":
            raise SkillError("detect: bad")
        return Boxes((), query=f"{label} {threshold}")

    def group(self, arguments):
        return arguments["image"]

    def together(self, calls):
        self.runs.append([call["label"] for call in calls])
        if "bad" in self.runs[-1]:
            raise SkillError("detect: one of them is bad")
        return [Boxes((), query=f"{c['label']} {c.get('threshold', 0.5)}") for c in calls]


def crowded(*calls, leaves=()):
    """Make calls that all wait while the first one runs; return the model and what came of them.

    Args:
        calls: Each a picture, a label and more by name.
        leaves: Labels of the calls that are given up before their turn.
    """
    crowd, queue, lock, found = Crowd(), Queue("__call__"), threading.Lock(), {}

    gone = threading.Event()

    def call(image, label, **named):
        GIVEN_UP.set(gone if label in leaves else threading.Event())
        with queue.waiting((image, label), named) as waiting, lock:
            try:
                found[label] = queue.done(crowd, waiting).query
            except (SkillError, Failed) as error:
                found[label] = str(error)

    threads = [threading.Thread(target=call, args=("a", "first"))]
    threads[0].start()
    assert crowd.first.wait(60)
    for image, label, named in calls:
        threads.append(threading.Thread(target=call, args=(image, label), kwargs=named))
        threads[-1].start()
    while len(queue) < len(threads):
        threading.Event().wait(0.005)
    gone.set()
    crowd.more.set()
    for thread in threads:
        thread.join()
    assert len(queue) == 0
    return crowd, found


def test_calls_that_wait_go_through_together_as_far_as_they_fit():
    calls = [("a", f"cat {n}", {"threshold": n / 10}) for n in range(4)]
    crowd, found = crowded(*calls, ("b", "dog", {}))
    assert found == {
        "first": "first 0.5",
        **{f"cat {n}": f"cat {n} {n / 10}" for n in range(4)},
        "dog": "dog 0.5",
    }
    assert crowd.runs[0] == ["first"]
    assert sorted(len(run) for run in crowd.runs) == [1, 1, 1, 3]


def test_a_call_that_cannot_be_done_fails_alone():
    crowd, found = crowded(("a", "cat", {}), ("a", "bad", {}), ("a", "dog", {}))
    assert found == {
        "first": "first 0.5",
        "cat": "cat 0.5",
        "bad": "detect: bad",
        "dog": "dog 0.5",
    }
    assert sorted(map(len, crowd.runs)) == [1, 1, 1, 1, 3]


def test_a_call_that_nobody_waits_for_any_more_is_not_done():
    calls = [("a", "cat", {}), ("a", "dog", {}), ("b", "bird", {})]
    crowd, found = crowded(*calls, leaves=("dog", "bird"))
    assert {label for run in crowd.runs for label in run} == {"first", "cat"}
    assert found["dog"] == found["bird"] == "Nobody waited for it any more."


def test_the_least_recently_used_model_goes_when_room_is_short():
    shelf = Shelf(budget=10)
    loads = []

    def use(name, need):
        with shelf.borrow(name, need, lambda: loads.append(name) or (lambda: name)) as model:
            return model()

    assert [use("a", 4), use("b", 4), use("a", 4)] == ["a", "b", "a"]
    assert shelf.loaded() == ("b", "a")
    use("c", 5)
    assert shelf.loaded() == ("a", "c")
    use("b", 4)
    assert shelf.loaded() == ("c", "b")
    use("d", 99)
    assert shelf.loaded() == ("d",)
    assert loads == ["a", "b", "c", "b", "d"]


def test_a_model_in_use_is_not_dropped_and_one_that_failed_to_load_is_loaded_again():
    shelf = Shelf(budget=10)
    first, second = (shelf.borrow(name, 8, lambda: "a model") for name in ("a", "b"))
    with first, second:
        assert shelf.loaded() == ("a", "b")
    with pytest.raises(SetupError), shelf.borrow("c", 1, failing):
        pass
    assert "c" not in shelf.loaded()
    with shelf.borrow("c", 1, lambda: "model c") as model:
        assert model == "model c"


def test_a_model_that_is_being_loaded_takes_room_already():
    shelf, loading, more = Shelf(budget=10), threading.Event(), threading.Event()
    with shelf.borrow("idle", 4, lambda: "a model"):
        pass

    def slow():
        loading.set()
        assert more.wait(60)
        return "a model"

    def use():
        with shelf.borrow("slow", 4, slow):
            pass

    thread = threading.Thread(target=use)
    thread.start()
    assert loading.wait(60)
    with shelf.borrow("third", 4, lambda: "a model"):
        assert shelf.loaded() == ("third",)
    more.set()
    thread.join()
    assert set(shelf.loaded()) == {"slow", "third"}


def test_a_model_that_was_dropped_is_not_loaded_twice_while_a_call_still_uses_it():
    shelf, loads = Shelf(budget=10), []

    def load():
        loads.append("a")
        return "a model"

    with shelf.borrow("a", 4, load):
        shelf.drop("a")
        assert shelf.loaded() == ("a",)
    assert shelf.loaded() == ()
    with shelf.borrow("a", 4, load):
        assert loads == ["a", "a"]
    assert shelf.loaded() == ("a",)


def failing():
    raise SetupError("no weights")
