"""The running turn as events tell of it."""

from functools import reduce

from llava_plus.agent import ActionProposed, AnswerDelta, Step, StepStarted, ThoughtDelta, Turn
from llava_plus.skills import Call, Observation
from llava_plus.ui.progress import advance

BLUR = Call(id="call_1", skill="blur")


def test_words_before_a_call_are_its_thought():
    events = [StepStarted(index=0), AnswerDelta(text="Now "), AnswerDelta(text="blur.")]
    turn = reduce(advance, events, Turn(message="go"))
    assert turn.answer == "Now blur."
    turn = advance(turn, ActionProposed(call=BLUR))
    assert (turn.answer, turn.steps[0].thought) == ("", "Now blur.")
    assert turn.steps[0].actions == (BLUR,)


def test_a_thought_stays_what_it_is():
    events = [StepStarted(index=0), ThoughtDelta(text="Hm."), ActionProposed(call=BLUR)]
    assert reduce(advance, events, Turn(message="go")).steps[0].thought == "Hm."


def test_a_run_that_goes_on_in_the_middle_of_a_step_leaves_the_step_before_alone():
    seen = Observation(call_id="call_1", skill="blur", ok=True, text="done")
    before = Step(thought="First.", actions=(BLUR,), observations=(seen,))
    call = Call(id="call_2", skill="crop")
    turn = advance(Turn(message="go", steps=(before,)), ActionProposed(call=call))
    assert turn.steps == (before, Step(thought="", actions=(call,)))
