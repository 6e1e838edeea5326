import numpy as np
import pytest

from dataset_script.layout import EMOTIONS
from dataset_script.sample.lexicon import EVENTS, MIXED_PAIRS
from dataset_script.sample.parameters import PROSODY, Parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speech_signal", -0.01),
        ("text_signal", 1.01),
        ("context_signal", float("nan")),
        ("neutral", 0.24),
        ("neutral", 0.91),
        ("turns_per_segment", 0),
        ("cue_window", -1),
    ],
)
def test_a_value_outside_its_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` is {value}"):
        Parameters(**{name: value})


def test_the_ends_of_the_ranges_are_allowed():
    Parameters(speech_signal=0, text_signal=0, context_signal=0, neutral=0.25, cue_window=0)
    Parameters(speech_signal=1, text_signal=1, context_signal=1, neutral=0.9, turns_per_segment=1)


def test_priors_are_distributions_over_what_they_are_for():
    parameters = Parameters()
    for prior, names in (
        (parameters.event_prior, EVENTS),
        (parameters.mixed_prior, MIXED_PAIRS),
        (parameters.line_shares, ("filler", "ambiguous", "emotion")),
    ):
        assert len(prior) == len(names) and np.isclose(sum(prior), 1)
    assert parameters.prototypes.shape == (len(EMOTIONS), 2)
    assert parameters.compatibility.shape == (len(EMOTIONS), len(EVENTS))
    assert parameters.prosody_offset.shape == (len(EMOTIONS), len(PROSODY))


def test_tables_are_in_the_order_of_the_emotions_and_belong_to_one_object():
    one, two = Parameters(), Parameters()
    assert one.prototypes[EMOTIONS.index("angry")].tolist() == [-0.70, 0.65]
    one.prototypes[:] = 0
    assert two.prototypes.any()
