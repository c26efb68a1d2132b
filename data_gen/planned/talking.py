"""Requests that need no skill: talk, questions about skills, what is harmful or cannot be."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from llava_plus.data_gen.requests import FOLDER as PHRASES
from llava_plus.data_gen.truth import Truth
from llava_plus.data_gen.verify.claims import claims_in

from .building import Act
from .heldout import apart
from .kinds import TRIES
from .scene import Dialogue, Request, Scene
from .script import Given, Script, Seen
from .wishes import BY_KEY, WISHES, possible

TALK = ("hello", "thanks", "bye", "who", "able")
# Words that say that a user's own skill may do what no built-in one can.
_MAYBE = {
    "music": "music play song", "weather": "weather", "mail": "mail send", "print": "print",
    "buy": "buy shop order", "video": "video animate", "web": "web search wiki",
    "who": "place locat city geo", "call": "call phone", "sound": "sound speak voice",
    "smell": "weigh smell", "future": "predict", "translate": "translat", "make": "generat paint",
}  # fmt: skip
_ENGLISH = frozenset(["the", "a", "my", "this", "her", "his", "me", "to", "and", "of", "is", "so"])


def talk(scene: Scene) -> Dialogue | None:
    """Say hello, thank, ask who is there and what can be done."""
    key = scene.rng.choice([key for key in TALK if key in scene.bank and key in scene.words])
    text = scene.say(key)
    items = 1 if scene.rng.random() < 0.5 else 0
    return _answered(scene, text, key, "talk", items=items, thought="talk")


def explain(scene: Scene) -> Dialogue | None:
    """Ask what a skill does; its description is the answer."""
    spec = scene.rng.choice(list(scene.skills))
    text = scene.say("explain", skill=spec.name)
    if text is None or "explain" not in scene.words:
        return None
    told = scene.words.says.get(f"told.{spec.name}")
    words = told[0].words if told else spec.description
    if next(claims_in(words), None) is not None:
        return None  # verifiers want numbers to come from what was seen
    if scene.words.code == "zh" and told is None:
        words = f"“{spec.description}”"
    return _answered(
        scene, text, "explain", "explain", items=scene.rng.choice((0, 1)), skill=spec.name,
        told=words, thought="explain",
    )  # fmt: skip


def refuse(scene: Scene) -> Dialogue | None:
    """Ask for something harmful."""
    if "refuse" not in scene.words:
        return None
    keys = [key for key in scene.bank.wordings if key.startswith("refuse.")]
    hands = _refused() if scene.words.code == "en" else ()
    if hands and scene.rng.random() < 0.8:
        text: str | None = scene.rng.choice(hands)
    else:
        text = scene.say(scene.rng.choice(keys)) if keys else None
    found = _answered(scene, text, "refuse", "refuse", items=1, thought="refuse")
    if found is None:
        return None
    return replace(found, requests=(replace(found.requests[0], truth=Truth(refuse=True)),))


def cannot(scene: Scene) -> Dialogue | None:
    """Ask for what no skill of these can do: something far off, or what a missing skill would."""
    if "cannot" not in scene.words:
        return None
    missing = [
        wish
        for wish in WISHES
        if wish.skill not in scene.skills
        and not _replaced(wish.skill, scene)
        and wish.key in scene.bank
        and not wish.region
        and wish.images == 1
        and wish.skill != "detect"
    ]
    if missing and scene.rng.random() < 0.5:
        act = scene.act(scene.rng.choice(missing))
        text = scene.clause(act) if act else None
    else:
        told = " ".join(f"{spec.name} {spec.description}" for spec in scene.skills).lower()
        keys = [
            key
            for key in scene.bank.wordings
            if key.startswith("cannot.")
            and not any(word in told for word in _MAYBE[key.removeprefix("cannot.")].split())
        ]
        text = scene.say(scene.rng.choice(keys), **scene.fill_ins()) if keys else None
    return _answered(scene, text, "cannot", "impossible", items=1, thought="cannot")


def ask(scene: Scene) -> Dialogue | None:
    """Say too little; where one is asked back, answer, and it is done."""
    makers: list[Callable[[Scene], Dialogue | None]] = [_no_picture, _which, _which, _what, _words]
    for _ in range(TRIES):
        if (found := scene.rng.choice(makers)(scene)) is not None:
            return found
    return None


def _no_picture(scene: Scene) -> Dialogue | None:
    """Forget the picture, then add it."""
    wishes = [wish for wish in scene.wishes() if not wish.region and wish.images == 1]
    wishes = [wish for wish in wishes if wish.skill != "detect"]
    act = scene.act(scene.rng.choice(wishes)) if wishes else None
    text = scene.clause(act) if act else None
    if act is None or text is None or "ask.picture" not in scene.words:
        return None
    first = Script(tongue=scene.words, told=_saying(scene, "ask.picture"), thought=_thought(scene))
    request = Request(text=text)
    if scene.rng.random() < 0.3:
        return Dialogue(kind="clarify", requests=(request,), scripts=(first,))
    plot = scene.plot(1)
    plot.image = Given(turn=1)
    plot.act(act)
    again = scene.clause(act)
    if again is None:
        return None
    second = Request(text=again, items=(scene.item.item,), truth=plot.truth())
    return Dialogue(kind="clarify", requests=(request, second), scripts=(first, plot.script()))


def _which(scene: Scene) -> Dialogue | None:
    """Say "blur it" where there are several things, then which."""
    target = scene.target()
    wishes = [
        wish
        for wish in WISHES
        if wish.key in ("blur.part", "erase", "crop", "pixelate.part")
        and possible(wish, scene.skills)
        and wish.key in scene.bank
    ]
    if target is None or not wishes or "ask.where" not in scene.words:
        return None
    wish = scene.rng.choice(wishes)
    text = scene.say("vague", verb=scene.words.verb(wish.skill))
    reply = scene.say("reply", **target.slots(scene.bank))
    if text is None or reply is None:
        return None
    first = Script(tongue=scene.words, told=_saying(scene, "ask.where"), thought=_thought(scene))
    plot = scene.plot(1)
    plot.act(Act(wish=wish, target=target))
    requests = (
        Request(text=text, items=(scene.item.item,)),
        Request(text=reply, truth=plot.truth(), bare=True),
    )
    return Dialogue(kind="clarify", requests=requests, scripts=(first, plot.script()))


def _what(scene: Scene) -> Dialogue | None:
    """Say "change something", then what."""
    wishes = [wish for wish in scene.wishes(edits=True) if not wish.region]
    text = scene.say("vague.what") if "vague.what" in scene.bank else None
    act = scene.act(scene.rng.choice(wishes)) if wishes else None
    reply = scene.clause(act) if act else None
    if text is None or act is None or reply is None or "ask.what" not in scene.words:
        return None
    return _clarified(scene, text, "ask.what", reply, act)


def _words(scene: Scene) -> Dialogue | None:
    """Say "write something", then what."""
    if "write.vague" not in scene.bank or "add_text" not in scene.skills:
        return None
    act = scene.act(BY_KEY["write"])
    text = scene.say("write.vague")
    reply = scene.clause(act) if act else None
    if act is None or text is None or reply is None:
        return None
    return _clarified(scene, text, "ask.words", reply, act)


def _clarified(scene: Scene, text: str, key: str, reply: str, act: Act) -> Dialogue:
    """Ask back with the words of a key, hear the reply, and do what it says."""
    first = Script(tongue=scene.words, told=_saying(scene, key), thought=_thought(scene))
    plot = scene.plot(1)
    plot.act(act)
    requests = (Request(text=text, items=(scene.item.item,)), Request(text=reply))
    return Dialogue(kind="clarify", requests=requests, scripts=(first, plot.script()))


def _answered(
    scene: Scene, text: str | None, key: str, kind: str, *, items: int, thought: str, **slots: str
) -> Dialogue | None:
    if text is None or key not in scene.words:
        return None
    script = Script(
        tongue=scene.words,
        told=_saying(scene, key, **slots),
        thought=scene.words.thought(thought, scene.rng),
    )
    pictures = (scene.item.item,) if items else ()
    return Dialogue(kind=kind, requests=(Request(text=text, items=pictures),), scripts=(script,))


def _saying(scene: Scene, key: str, **slots: str) -> Callable[[Seen], str]:
    words, able = scene.words, scene.words.able(_some(scene))

    def said(seen: Seen) -> str:
        sentence = words.say(key, seen.rng, **{"able": able, **slots})
        return able if key == "able" else sentence

    if key == "able":
        return lambda seen: able
    return said


def _some(scene: Scene) -> list[str]:
    names = [spec.name for spec in scene.skills]
    return scene.rng.sample(names, min(5, len(names)))


def _thought(scene: Scene) -> str:
    return scene.words.thought("ask", scene.rng)


def _replaced(skill: str, scene: Scene) -> bool:
    """Whether another skill does much the same, so that nobody can say it cannot be done."""
    alike = ({"blur", "pixelate"}, {"rotate", "flip"}, {"ocr", "describe"}, {"enhance", "adjust"},
             {"image_info", "describe"}, {"colors", "describe"}, {"adjust", "stylize"},
             {"remove_background", "replace_background", "segment"})  # fmt: skip
    return any(skill in group and any(one in scene.skills for one in group) for group in alike)


@cache
def _refused() -> tuple[str, ...]:
    """Return what hands wrote that is to be refused, in English, apart from the evaluation."""
    rows = [
        line.split("\t")
        for path in sorted(PHRASES.glob("hand_*.tsv"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("\tsay(refuse)")
    ]
    texts = [row[1].strip() for row in rows if row[0] == "1"]
    texts = [text for text in texts if text.isascii() and set(text.lower().split()) & _ENGLISH]
    return tuple(text for text in texts if not apart().near(text))
