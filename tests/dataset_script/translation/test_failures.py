from dataset_script.translation.failures import StopError, TransientError


def test_a_failure_says_what_to_do_about_it():
    error = TransientError("too much", wait=2.0, is_refusal=True)
    assert str(error) == "too much"
    assert (error.wait, error.is_refusal, error.may_be_paid, error.is_silent) == (
        *(2.0, True),
        *(False, False),
    )


def test_a_reason_to_stop_is_shown_as_a_sentence_by_the_command_line():
    assert issubclass(StopError, RuntimeError) and not issubclass(TransientError, RuntimeError)
