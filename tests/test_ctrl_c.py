"""Ctrl-C at any instant of a search: what is stored is counted, in the archive and in state.json."""

import json
import signal
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from edgeml.arch.space_file import load_space
from edgeml.search.evaluate import stamp
from edgeml.search.interrupt import done_whole
from edgeml.search.run_dir import RunDir
from edgeml.search.workers.executor import Inline
from tests.test_search import fake_evaluate, study_in
from tests.test_tiny import listen_to_ctrl_c


@pytest.fixture(autouse=True)
def _listening():
    before = signal.getsignal(signal.SIGINT)
    listen_to_ctrl_c()
    yield
    signal.signal(signal.SIGINT, before)


def press():
    signal.raise_signal(signal.SIGINT)


def test_what_is_begun_is_done_before_ctrl_c_takes_effect():
    done = []
    with pytest.raises(KeyboardInterrupt), done_whole():
        press()
        done.append("whole")
    assert done == ["whole"]
    with pytest.raises(KeyboardInterrupt):
        press()


def test_the_second_ctrl_c_takes_effect_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), done_whole():
        press()
        press()
        done.append("not reached")
    assert not done


def test_a_thread_without_ctrl_c_is_left_as_it_is():
    seen = []

    def other():
        with done_whole():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("where", ["archive.keep", "archive.rest", "pace.count", "_record.keep", "_count"])
def test_ctrl_c_while_a_training_is_counted(tmp_path, monkeypatch, where):
    study = study_in(tmp_path, load_space("nano"), trials=20)
    *owner, name = where.split(".")
    owner = getattr(study, owner[0]) if owner else study
    function, calls = getattr(owner, name), []

    def pressed(*arguments):
        calls.append(1)
        if len(calls) == 3:
            press()
        return function(*arguments)

    monkeypatch.setattr(owner, name, pressed)
    study.search()
    assert study.progress.interrupted
    stored = {candidate.key for candidate in study.run.load_candidates()}
    assert 2 <= len(stored) <= 3 and set(study.archive.candidates) == stored
    assert json.loads((tmp_path / "state.json").read_text())["trials"] == len(stored) == study.progress.trials


class Unheard(Inline):
    """Ctrl-C comes once the third training is stored and before anybody has heard of it."""

    calls = 0

    def submit(self, function, *arguments):
        self.calls += 1
        future = super().submit(function, *arguments)
        if self.calls == 3:
            main = threading.main_thread().ident
            threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
            return Future()
        return future


def stamped(job, order):
    done = stamp(fake_evaluate(job, order), order.at_s)
    RunDir(Path(job.run)).update(done)
    return done


def test_a_training_that_was_stored_as_ctrl_c_came_is_counted(tmp_path):
    study = study_in(tmp_path, load_space("nano"), trials=20, executor=Unheard())
    study._trainings._evaluate = stamped
    study.search()
    assert study.progress.interrupted and study.progress.trials == 2
    study.take_stored()
    stored = [candidate.key for candidate in study.run.load_candidates()]
    assert sorted(study.archive.candidates) == sorted(stored) and study.progress.trials == 3
    study.take_stored()
    assert study.progress.trials == 3
