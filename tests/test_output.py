"""Results and sentences, also where nobody reads them any more."""

import io
import os
import sys

import pytest

from ibcore.output import NoOutput, flush, put, say


class Broken(io.StringIO):
    """A stream whose reader has gone, or whose disk is full."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise self.error


def test_results_and_sentences_go_to_their_own_streams(capsys):
    put("a result")
    say("a sentence.")
    found = capsys.readouterr()
    assert found.out == "a result\n"
    assert found.err == "ibcore: a sentence.\n"


@pytest.mark.parametrize(
    ("error", "closed"),
    [(BrokenPipeError(32, "Broken pipe"), True), (OSError(28, "No space left"), False)],
)
def test_a_result_that_cannot_be_printed_says_why(monkeypatch, error, closed):
    monkeypatch.setattr(sys, "stdout", Broken(error))
    with pytest.raises(NoOutput, match=error.strerror) as caught:
        put("lost")
    assert caught.value.closed == closed


def test_a_sentence_that_nobody_reads_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(BrokenPipeError()))
    say("lost.")


def test_what_cannot_be_written_at_the_end_goes_nowhere(monkeypatch, tmp_path):
    """Python writes again at its end; the descriptor then leads to the null device."""
    with (tmp_path / "out").open("w") as file:
        stream = Broken(OSError(28, "No space left"))
        stream.fileno = file.fileno
        monkeypatch.setattr(sys, "stdout", stream)
        flush()
        os.write(file.fileno(), b"more")
    assert (tmp_path / "out").read_text() == ""
    monkeypatch.setattr(sys, "stdout", None)
    flush()
