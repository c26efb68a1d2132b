"""Further turns of a conversation: undo, the other one, also that, more, again, and so on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from llava_plus.skills import Number

from .answers import Told
from .building import Act, Plot
from .kinds import TRIES, know
from .scene import Request, Scene
from .script import Deed, Made, Ref, Script, Seen
from .talking import TALK
from .targets import picked
from .wishes import BY_KEY, Wish

MORE = {"blur": 0.9, "pixelate": 0.9}  # strengths
_THEM = {"en": ("it", "them"), "zh": ("它", "它们")}
_AFTER_FIND = ("crop", "blur.part", "pixelate.part", "erase", "box", "circle", "highlight",
               "measure", "count", "outline", "plot.sizes", "bright.part", "gray.else")  # fmt: skip


@dataclass(kw_only=True)
class Talk:
    """A conversation while it goes on: its turns so far, and what the last one did."""

    scene: Scene
    requests: list[Request]
    scripts: list[Script]
    plot: Plot
    act: Act | None
    region: Made | None = None
    over: bool = False

    def add(
        self, text: str, plot: Plot, script: Script | None = None, *, bare: bool = False
    ) -> None:
        """Add a turn."""
        self.requests.append(Request(text=text, truth=plot.truth(), bare=bare))
        self.scripts.append(script or plot.script())

    def next(self) -> Plot:
        """Begin the moves of a further turn, on the newest picture."""
        plot = Plot(turn=len(self.requests), image=self.plot.image, words=self.scene.words)
        plot.known = dict(self.plot.known)
        return plot


def more_said(talk: Talk) -> None:
    """Add a turn that goes on from the last."""
    makers: list[Callable[[Talk], bool]] = [
        _undo, _original, _other, _other, _also, _more, _recall, _then, _then, _with_it, _with_it,
        _narrow, _narrow, _plotted, _ended,
    ]  # fmt: skip
    for _ in range(0 if talk.over else TRIES):
        if talk.scene.rng.choice(makers)(talk):
            return


def _undo(talk: Talk) -> bool:
    """Show the picture before the last edit."""
    act, text = talk.act, talk.scene.say("undo") if "undo" in talk.scene.bank else None
    before = talk.plot.original
    if act is None or not act.wish.edits or before is None or text is None:
        return False
    return _shown_again(talk, text, "undo", before)


def _original(talk: Talk) -> bool:
    """Show the picture as it came."""
    scene = talk.scene
    text = scene.say("original") if "original" in scene.bank else None
    before = scene.plot().image
    if text is None or talk.plot.image == before:
        return False
    return _shown_again(talk, text, "original", before)


def _shown_again(talk: Talk, text: str, key: str, before: Ref) -> bool:
    words, plot = talk.scene.words, talk.next()

    def said(seen: Seen) -> str:
        return words.say(key, seen.rng, out="{" + seen.handle(before) + "}")

    thought = words.thought("recall", talk.scene.rng)
    plot.image = before
    plot.known = {} if key == "original" else plot.known
    talk.add(text, plot, Script(tongue=words, told=said, thought=thought))
    talk.plot, talk.act = plot, None
    return True


def _other(talk: Talk) -> bool:
    """Take the other one of two, on the picture as it was."""
    act, scene = talk.act, talk.scene
    target = act.target if act else None
    text = scene.say("other") if "other" in scene.bank else None
    if act is None or target is None or text is None or not target.picked:
        return False
    if target.group is None or len(target.group.things) != 2:
        return False
    plot = talk.next()
    plot.image = talk.plot.original or talk.plot.image
    all_of = [ref for (image, phrase), ref in talk.plot.known.items() if phrase == target.phrase]
    if not all_of or not isinstance(all_of[0], Made):
        return False
    picked_by = all_of[0]
    boxes = Made(turn=picked_by.turn, move=picked_by.move - 1, call=picked_by.call)
    region = plot.call("select", region=boxes, by=target.picked, invert=True)
    plot.act(replace(act, shaped=False), region)
    talk.add(text, plot)
    talk.plot, talk.act = plot, None
    return True


def _also(talk: Talk) -> bool:
    """Do the same to something else."""
    act, scene = talk.act, talk.scene
    if act is None or act.target is None or not act.wish.edits or act.wish.moves:
        return False
    other = scene.target(besides=act.target)
    if other is None or not scene.fits(act.wish, other) or "also" not in scene.bank:
        return False
    text = scene.say("also", **other.slots(scene.bank))
    if text is None or act.wish.group == "back":
        return False
    plot = talk.next()
    next_act = replace(act, target=other, shaped=False)
    plot.act(next_act)
    talk.add(text, plot)
    talk.plot, talk.act = plot, next_act
    return True


def _more(talk: Talk) -> bool:
    """Do it more strongly: again, or on the picture before with more strength."""
    act, scene = talk.act, talk.scene
    text = scene.say("more") if "more" in scene.bank else None
    before = talk.plot.original
    if act is None or text is None or before is None or act.wish.moves:
        return False
    plot = talk.next()
    if act.wish.skill in MORE:
        plot.image = before
        plot.act(replace(act, args={**act.args, "strength": MORE[act.wish.skill]}, shaped=False))
    elif act.wish.skill == "adjust" and "grayscale" not in act.wish.args:
        plot.act(replace(act, shaped=False))
    else:
        return False
    talk.add(text, plot)
    talk.plot = plot
    return True


def _recall(talk: Talk) -> bool:
    """Ask again for what was told."""
    act, scene, ref = talk.act, talk.scene, talk.region
    if act is None or ref is None or act.wish.tell not in ("count", "read"):
        return False
    key = "recall" if act.wish.tell == "count" else "recall.read"
    text = scene.say(key) if key in scene.bank else None
    if text is None:
        return False
    words, target = scene.words, act.target

    def said(seen: Seen) -> str:
        value, cite = seen.value(ref), "{" + seen.handle(ref) + "}"
        if words.code == "en":
            return words.say("recall", seen.rng, cite=cite)
        if not isinstance(value, Number):
            return words.say("recall.read", seen.rng, cite=cite)
        name = words.name(target.label) if target else None
        slots = {"x": name.one if name else "", "m": name.measure if name else "个"}
        return words.say("recall", seen.rng, n=f"{value.value:g}", **slots)

    plot = talk.next()
    thought = words.thought("recall", scene.rng)
    talk.add(text, plot, Script(tongue=words, told=said, thought=thought))
    talk.plot = plot
    talk.act = None
    return True


def _then(talk: Talk) -> bool:
    """Wish something else of the newest picture."""
    scene = talk.scene
    moved = talk.plot.image != scene.plot().image
    wishes = [wish for wish in scene.wishes() if wish.images == 1 and wish.skill != "plot"]
    used = talk.act.wish.group if talk.act else ""
    wishes = [one for one in wishes if not (moved and (one.region or one.skill == "detect"))]
    wishes = [one for one in wishes if not (one.group and one.group == used)]
    wishes = [one for one in wishes if not moved or one.tell in ("done", "size", "colors")]
    act = scene.act(scene.rng.choice(wishes)) if wishes else None
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return False
    plot = talk.next()
    made = plot.act(replace(act, shaped=False))
    if not moved:
        know(plot, act, scene)
    elif act.wish.tell == "size":
        plot.answers = ()
    talk.add(text, plot)
    talk.plot, talk.act, talk.region = plot, act, None if act.wish.edits else made
    return True


def _with_it(talk: Talk) -> bool:
    """Do something with what was found."""
    scene, act = talk.scene, talk.act
    if act is None or act.wish.key != "find" or act.target is None or talk.region is None:
        return False
    them = _THEM.get(scene.words.code)
    if them is None:
        return False
    word = them[1 if (act.target.count or 0) > 1 else 0]
    wishes = [
        wish
        for key in _AFTER_FIND
        if key in scene.bank
        and (wish := BY_KEY[key]).skill in scene.skills
        and (key != "plot.sizes" or "measure" in scene.skills)
        and scene.fits(wish, act.target)
    ]
    wish: Wish | None = scene.rng.choice(wishes) if wishes else None
    target = replace(act.target, phrase=word, bare=word, plural=word in ("them",))
    drawn = scene.act(wish, target) if wish else None
    text = scene.clause(drawn) if drawn else None
    if drawn is None or text is None:
        return False
    plot = talk.next()
    made = plot.act(replace(drawn, shaped=False, target=act.target), talk.region)
    if drawn.wish.tell == "count":
        know(plot, replace(drawn, target=act.target), scene)
    talk.add(text, plot)
    talk.plot, talk.act = plot, replace(drawn, target=act.target)
    talk.region = None if drawn.wish.edits else made
    return True


def _narrow(talk: Talk) -> bool:
    """Keep one of the things that were found."""
    scene, act = talk.scene, talk.act
    if act is None or act.wish.key != "find" or act.target is None or talk.region is None:
        return False
    group = act.target.group
    if group is None or len(group.things) < 2 or len(act.target.deeds) != 1:
        return False
    target = picked(group, scene.words, scene.rng) if "select" in scene.skills else None
    text = scene.say("reply", **target.slots(scene.bank)) if target else None
    if target is None or text is None:
        return False
    plot = talk.next()
    (deed,) = target.deeds[1:]
    kept = plot.step(Deed(skill="select", args={"region": talk.region, **deed.args}))[0]
    plot.told = [Told(tell="found", ref=kept, target=target)]
    talk.add(text, plot, bare=True)
    talk.plot, talk.act = plot, None
    return True


def _plotted(talk: Talk) -> bool:
    """Draw a table that was made as a chart."""
    scene, act = talk.scene, talk.act
    if act is None or talk.region is None or act.wish.tell != "colors":
        return False
    wish = BY_KEY["plot.colors"]
    drawn = scene.act(wish) if wish.key in scene.bank and "plot" in scene.skills else None
    text = scene.clause(drawn) if drawn else None
    if drawn is None or text is None:
        return False
    plot = talk.next()
    chart = plot.call("plot", table=talk.region, **drawn.args)
    plot.told = [Told(tell="chart", ref=chart)]
    talk.add(text, plot)
    talk.plot, talk.act = plot, None
    return True


def _ended(talk: Talk) -> bool:
    """Say thanks or goodbye."""
    scene = talk.scene
    key = scene.rng.choice(TALK[1:3])
    text = scene.say(key) if key in scene.bank and key in scene.words else None
    if text is None or any(one.text == text for one in talk.requests):
        return False
    words = scene.words
    thought = words.thought("talk", scene.rng)
    script = Script(tongue=words, told=lambda seen: words.say(key, seen.rng), thought=thought)
    talk.add(text, talk.next(), script)
    talk.over = True
    return True
