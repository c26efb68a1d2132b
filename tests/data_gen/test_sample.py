"""The small run of docs/data.md, smaller still."""

import pytest

from llava_plus.data_gen.sample import sample_traces
from llava_plus.data_gen.truth import truths_of
from llava_plus.data_gen.verify import Sieve, standard_verifiers
from llava_plus.skills import default_registry


@pytest.mark.slow
def test_a_sample_is_drawn_by_its_seed_and_verified():
    traces = list(sample_traces(5))
    assert [trace.id for trace in traces] == [f"sample-0-{number:05d}" for number in range(5)]
    assert all(trace.licence for trace in traces if trace.turns[-1].images)
    assert any(truth.boxes for trace in traces for truth in truths_of(trace))
    fewer = [trace.artifacts.to_json() for trace in sample_traces(2)]
    assert fewer == [trace.artifacts.to_json() for trace in traces[:2]]
    sieve = Sieve(standard_verifiers(default_registry()))
    assert [sieve.sift(trace)[1] for trace in traces] == [True] * 5
