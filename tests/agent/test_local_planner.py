import asyncio
import json
import logging
import threading
import time
from contextlib import nullcontext

import pytest
import torch

from llava_plus.agent import Agent, Decision, PlannerError, PlanView, load_planner
from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planners.devices import choose_device
from llava_plus.agent.planners.local import LocalPlanner
from llava_plus.agent.trace import Step, Turn
from llava_plus.errors import SetupError, SkillError
from llava_plus.model import LMM, LMMProcessor, tiny_config, train_tokenizer
from llava_plus.skills import Artifacts, Image, Observation
from llava_plus.skills.arguments import resolve

BOILERPLATE = ['{"thought":"', '","answer":"', '","actions":[{"skill":"', '"}}]}']


@pytest.fixture(scope="module")
def processor():
    return LMMProcessor(train_tokenizer(["find the faces"] * 9, boilerplate=BOILERPLATE))


def hurry(model, tokenizer):
    """Make a model likelier to end its strings: channel 0 is constant, and large for quotes."""
    rows = model.get_input_embeddings().weight
    rows[:, 0] = 1
    rows[[token for text, token in tokenizer.get_vocab().items() if text.startswith('"')], 0] = 2


@pytest.fixture
def make(processor):
    """Make a planner with random weights."""

    def build(weights=0, **options):
        torch.manual_seed(weights)
        config = tiny_config(len(processor.tokenizer) + 9, image_token_id=processor.image_token_id)
        model = LMM(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
            hurry(model, processor.tokenizer)
        return LocalPlanner(model, processor, **{"max_tokens": 3000, **options})

    return build


@pytest.fixture
def view_of(skills, picture):
    """Make a view of a session with one picture."""

    def build(*steps, message="Blur the faces", artifacts=None, **facts):
        if artifacts is None:
            artifacts = Artifacts()
            artifacts.add(Image.from_array(picture))
        turn = Turn(message=message, images=("img_1",), steps=steps)
        return PlanView(
            **{"cancel": threading.Event(), **facts},
            turns=(turn,),
            artifacts=artifacts,
            skills=skills,
        )

    return build


def plan(planner, view):
    async def collect():
        return [item async for item in planner.plan(view)]

    return asyncio.run(collect())


def check(decision, view):
    """Resolve every call as the runtime does; only corners of literal boxes may be out of order."""
    for call in decision.calls:
        literal = any(isinstance(arg, list) for arg in call.args.values())
        with pytest.raises(SkillError, match="a box is") if literal else nullcontext():
            resolve(view.skills.find(call.skill), call.args, view.artifacts)
            if literal:
                raise SkillError("a box is in order")


def seen(decision, text="2 boxes: face, face"):
    """The step that a decision leads to, when all of its calls fail."""
    observations = tuple(
        Observation(call_id=call.id, skill=call.skill, ok=False, text=text, error="skill")
        for call in decision.calls
    )
    return Step(
        thought=decision.thought,
        actions=decision.calls,
        observations=observations,
        answer=decision.answer,
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_weights_every_output_can_be_carried_out(make, view_of, seed, temperature):
    view = view_of()
    *pieces, decision = plan(make(seed, temperature=temperature, seed=seed), view)
    said = json.loads("".join(pieces))
    assert said["thought"].strip() == decision.thought
    assert bool(decision.calls) != bool(decision.answer)
    check(decision, view)


def test_an_agent_runs_on_it(make, skills, picture):
    session = Agent(make(3), skills).session()
    trace = session.run_sync("Blur the faces", images=[picture])
    assert trace.turns[0].reason in ("answered", "steps", "error", "time")
    assert trace.planner == "local"


def test_a_session_reads_only_what_is_new(make, view_of):
    planner = make(temperature=1.0)
    view = view_of()
    decision = plan(planner, view)[-1]
    first = planner.stats.prefilled
    assert planner.stats.reused == 0
    assert planner.stats.images == 1
    later = view_of(seen(decision), artifacts=view.artifacts)
    plan(planner, later)
    assert planner.stats.reused >= first
    assert planner.stats.images == 1
    stats = planner.stats
    plan(planner, view_of(message="Something else"))
    assert stats.images == 1  # the same picture in another session
    assert stats.prefilled > first


def test_a_warm_session_writes_what_a_cold_one_does(make, view_of):
    warm = make(5)
    view = view_of()
    steps = []
    for _ in range(3):
        now = view_of(*steps, artifacts=view.artifacts)
        decision = plan(warm, now)[-1]
        assert decision == plan(make(5), now)[-1]
        steps.append(seen(decision))
    assert warm.stats.reused


def test_sessions_do_not_disturb_each_other(make, view_of):
    planner = make(2, sessions=2)
    views = {name: view_of(message=name) for name in ("Find a hat", "Blur it", "Read it")}
    alone = {name: plan(make(2), view)[-1] for name, view in views.items()}
    for name in [*views, *reversed(views)]:
        assert plan(planner, views[name])[-1] == alone[name]
    assert planner.stats.reused


def test_forced_tokens_are_not_sampled(make, view_of):
    planner = make(1)
    pieces = plan(planner, view_of())[:-1]
    tokens = planner.stats.decoded + planner.stats.forced
    assert planner.stats.forced > 0
    assert tokens >= len(pieces)


def test_text_comes_in_pieces_while_it_is_written(make, view_of):
    async def first_piece():
        planner = make(temperature=1.0)
        stream = planner.plan(view_of())
        piece = await anext(stream)
        decoded = planner.stats.decoded
        await stream.aclose()
        return piece, decoded

    piece, decoded = asyncio.run(first_piece())
    assert piece
    assert decoded < 20


def halted(make, view, after):
    """How many tokens were written after ``after`` was called at the first piece."""

    async def run():
        planner = make(temperature=1.0)
        stream = planner.plan(view)
        await anext(stream)
        after()
        with pytest.raises(HaltedError):
            async for _ in stream:
                pass
        return planner

    planner = asyncio.run(run())
    decoded = planner.stats.decoded
    time.sleep(0.1)
    assert planner.stats.decoded == decoded
    return planner


def test_it_stops_when_the_view_is_cancelled(make, view_of):
    view = view_of()
    planner = halted(make, view, view.cancel.set)
    again = view_of(artifacts=view.artifacts)
    assert isinstance(plan(planner, again)[-1], Decision)
    assert planner.stats.reused  # what was read before the stop


def test_it_stops_at_the_deadline(make, view_of):
    with pytest.raises(HaltedError):
        plan(make(), view_of(deadline=time.monotonic() - 1))


def test_it_stops_when_nobody_listens_any_more(make, view_of):
    async def leave():
        planner = make(temperature=1.0)
        stream = planner.plan(view_of())
        await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0.1)
        before = planner.stats.decoded
        await asyncio.sleep(0.1)
        return planner.stats.decoded - before

    assert asyncio.run(leave()) == 0


def test_an_endless_output_is_given_up(make, view_of):
    planner = make(grammar=False, max_tokens=30)
    with pytest.raises(PlannerError, match="did not end within 30 tokens"):
        plan(planner, view_of())


def test_a_conversation_that_is_too_long_is_said(make, view_of):
    with pytest.raises(SetupError, match=r"grown to \d+ tokens.*Begin a new session"):
        plan(make(), view_of(message="word " * 9000))


def test_loading_gives_the_planner_that_was_saved(make, view_of, tmp_path, caplog):
    planner = make(4)
    engine = planner._engine
    engine.model.save_pretrained(tmp_path)
    engine.processor.save_pretrained(tmp_path)
    with caplog.at_level(logging.INFO, "llava_plus"):
        loaded = load_planner(str(tmp_path), device="cpu")
    assert "device cpu: asked for; dtype float32" in caplog.text
    loaded._engine.max_tokens = 3000
    assert plan(loaded, view_of())[-1] == plan(planner, view_of())[-1]
    assert loaded.name == tmp_path.name


def test_weights_that_do_not_fit_are_refused(make, tmp_path):
    engine = make()._engine
    engine.model.save_pretrained(tmp_path)
    engine.processor.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["text_config"]["num_hidden_layers"] = 3
    config["text_config"]["layer_types"] = ["full_attention"] * 3
    file.write_text(json.dumps(config))
    with pytest.raises(SetupError, match=r"do not fit their config.*missing_keys"):
        LocalPlanner.from_pretrained(tmp_path, device="cpu")


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(SetupError, match="Cannot load a planner from"):
        LocalPlanner.from_pretrained(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("name", "message"), [("tpu", "No device 'tpu'"), ("mps", "PyTorch finds none")]
)
def test_a_device_that_is_not_there_is_said(name, message, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SetupError, match=message):
        choose_device(name)


def test_auto_takes_the_best_device_and_says_why(monkeypatch, caplog):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.INFO, "llava_plus"):
        assert choose_device() == (torch.device("cpu"), torch.float32)
    assert "no CUDA and no MPS found" in caplog.text


def test_an_unknown_dialect_is_said(make):
    with pytest.raises(SetupError, match="No dialect 'yaml'"):
        make(dialect="yaml")


def test_a_model_of_transformers_plans_under_the_same_grammar(llava, view_of):
    planner = LocalPlanner(*llava, temperature=1.0, max_tokens=3000)
    view = view_of()
    *pieces, decision = plan(planner, view)
    assert json.loads("".join(pieces))["thought"].strip() == decision.thought
    check(decision, view)
    assert planner.stats.images == 1
    assert planner.stats.decoded > 0


def test_a_model_of_transformers_stops_when_the_view_is_cancelled(llava, view_of):
    async def run():
        planner = LocalPlanner(*llava, temperature=1.0, max_tokens=3000)
        view = view_of()
        stream = planner.plan(view)
        await anext(stream)
        view.cancel.set()
        with pytest.raises(HaltedError):
            async for _ in stream:
                pass
        return planner.stats.decoded

    assert asyncio.run(run()) < 1000


def test_a_model_of_transformers_loads_from_its_folder(llava, view_of, tmp_path):
    model, processor = llava
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    planner = LocalPlanner.from_pretrained(tmp_path, device="cpu", temperature=1.0)
    planner._engine.max_tokens = 3000
    assert isinstance(plan(planner, view_of())[-1], Decision)


def test_many_sessions_at_once_take_turns(make, view_of):
    planner = make(6)
    names = [f"Request {number}" for number in range(4)]
    alone = [plan(make(6), view_of(message=name))[-1] for name in names]

    async def together():
        async def one(name):
            return [item async for item in planner.plan(view_of(message=name))][-1]

        return await asyncio.gather(*map(one, names))

    assert asyncio.run(together()) == alone
