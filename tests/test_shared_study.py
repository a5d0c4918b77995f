"""The transactions of a study that several coordinators share, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time
import uuid
from types import SimpleNamespace

import pytest

from edgeml.errors import RunError
from edgeml.search.candidate import Candidate
from edgeml.search.cluster.store import Store
from edgeml.search.database.database import Database
from edgeml.search.run_dir import RunDir
from edgeml.search.shared.folders import SameDisk, ThroughStore, identity, sign
from edgeml.search.shared.news import Silence
from edgeml.search.shared.shared import Shared
from edgeml.search.shared.sharing import Sharing

AGREED = {"seed": 0, "the data (hash)": "abc", "limits": {"ram_bytes": 1000.0}}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return request.getfixturevalue("postgres").create(f"test_{uuid.uuid4().hex[:8]}")


@pytest.fixture
def coordinator(url, tmp_path):
    """`coordinator("a", trials=5)` has joined the study."""
    made = []

    def join(name="a", trials=None, agreed=AGREED, silent_s=None, store=None):
        run = RunDir(tmp_path / name)
        run.candidates.mkdir(parents=True, exist_ok=True)
        folders = ThroughStore(run, Store(store), "study") if store else SameDisk(run)
        me = identity(run, bool(store))
        shared = Shared(Database(url, give_up_s=5), "study", me, folders, trials, silent_s)
        made.append(shared)
        shared.run = run
        shared.join(agreed)
        sign(run, me, "", "study")
        shared.known = shared.take_up(run.load_candidates())
        return shared

    yield join
    for shared in made:
        shared.close()


def candidate(key, number=0, rung=0, **more):
    rows = [{"rung": r, "accuracy": 0.5} for r in range(rung + 1)]
    return Candidate(key, number, "stopped", {}, {}, 0, accuracy=0.5, rung=rung, rungs=rows, **more)


def finish(shared, key, number, rung=0):
    one = candidate(key, number, rung)
    shared.run.store(one, {"model.tflite": f"{key} {rung}".encode(), "weights.safetensors": b"w"})
    shared.publish(one)
    return one


def hear(shared):
    return shared.news(wait=True)


def test_a_training_goes_to_the_first_who_asks(coordinator):
    a, b = coordinator("a"), coordinator("b")
    assert (a.place, b.place) == (0, 1)
    assert a.claim("k1", 0, 0) == 0
    assert a.claim("k1", 0, 0) == 0, "asked again after a lost connection"
    assert b.claim("k1", 0, 0) is None and ("k1", 0) in b.taken()
    assert b.claim("k2", 0, 0) == 1, "numbers are the study's"
    hear(a)
    assert a.taken() == {("k2", 0)} and a.busy
    finish(b, "k2", 1)
    (news,) = hear(a)
    assert (news.key, news.number) == ("k2", 1)
    assert a.run.model("k2") == b"k2 0"
    assert not a.taken() and not a.busy
    assert a.claim("k2", 0, 5) is None, "it is done"
    assert a.claim("k2", 1, 5) == 1, "trained further under its own number"
    assert b.claim("k2", 1, 1) is None


def test_nobody_hears_of_his_own_and_nothing_is_heard_twice(coordinator):
    a, b = coordinator("a"), coordinator("b")
    a.claim("k", 0, 0)
    finish(a, "k", 0)
    assert hear(a) == []
    assert [c.key for c in hear(b)] == ["k"]
    assert hear(b) == []
    a.publish(candidate("k"))
    assert hear(b) == [], "published twice, as after a lost connection"


def test_trials_are_the_whole_studys(coordinator):
    a, b = coordinator("a", trials=3), coordinator("b", trials=3)
    assert a.claim("k0", 0, 0) == 0
    finish(a, "k0", 0)
    assert b.claim("k1", 0, 0) == 1
    assert a.claim("k2", 0, 1) == 2
    assert b.claim("k3", 0, 2) is None and b.spent
    assert a.claim("k0", 1, 0) == 0, "promotions are no new trials"
    a.close()
    hear(b)
    assert not b.spent, "what a has given back may be trained by b"
    assert b.claim("k3", 0, 2) == 3


def test_the_trainings_of_a_silent_coordinator_are_taken_over(coordinator):
    dead, other = coordinator("dead"), coordinator("other", silent_s=0.6)
    number = dead.claim("k", 0, 0)
    dead._ended.set()  # its heart stops, its claims stay
    assert other.claim("k", 0, 0) is None
    deadline = threading.Event()
    for _ in range(100):
        if other._silence.silent:
            break
        deadline.wait(0.1)
    hear(other)
    assert not other.busy and not other.taken()
    assert other.claim("k", 0, 7) == number


def test_silence_is_what_was_watched_all_the_time():
    silence = Silence(60)
    silence.see({"a": 1, "b": 1}, 0)
    silence.see({"a": 2, "b": 1}, 25)
    silence.see({"a": 3, "b": 1}, 50)
    assert not silence.silent
    silence.see({"a": 4, "b": 1}, 61)
    assert silence.silent == {"b"}
    silence.interrupted()
    assert not silence.silent, "the database was away: b could say nothing"
    silence.see({"a": 4, "b": 1}, 90)
    silence.see({"a": 4, "b": 1}, 115)
    assert not silence.silent
    silence.see({"a": 4, "b": 1}, 200)
    assert not silence.silent, "this process was stopped for longer than it may be"


def test_who_joins_takes_up_all_and_who_resumes_publishes_what_he_had(coordinator):
    a = coordinator("a")
    for n in range(3):
        a.claim(f"k{n}", 0, n)
        finish(a, f"k{n}", n)
    finish(a, "k1", 1, rung=1)
    b = coordinator("b")
    assert [(c.key, c.number, c.rung) for c in b.known] == [("k0", 0, 0), ("k1", 1, 1), ("k2", 2, 0)]
    assert b.run.model("k1") == b"k1 1"
    claimed = b.claim("k3", 0, 3), b.claim("k4", 0, 4)
    b.run.store(candidate("k3", 3), {})  # killed between the folder and the database
    again = coordinator("b")
    assert again.me.id == b.me.id and claimed == (3, 4)
    assert [c.key for c in hear(a)] == ["k3"]
    assert a.claim("k4", 0, 9) == 5, "given back; holes in the numbers do not matter"


def test_a_run_that_joins_later_gets_numbers_of_the_study(coordinator, tmp_path):
    a = coordinator("a")
    a.claim("k0", 0, 0)
    finish(a, "k0", 0)
    lone = RunDir(tmp_path / "lone")
    lone.candidates.mkdir(parents=True)
    lone.store(candidate("m0", 0), {})
    lone.store(candidate("m1", 7), {})
    joined = coordinator("lone")
    numbers = {c.key: c.number for c in joined.known}
    assert numbers["k0"] == 0 and len(set(numbers.values())) == 3
    assert a.claim("k9", 0, 0) not in numbers.values()


def test_other_settings_are_refused_by_name(coordinator):
    coordinator("a")
    with pytest.raises(RunError, match=r"seed is 0 there and 1 here; use the same, or another --study"):
        coordinator("b", agreed={**AGREED, "seed": 1})
    with pytest.raises(RunError, match=r"limits is \{.*\} there and null here"):
        coordinator("b", agreed={"seed": 0, "the data (hash)": "abc"})


def test_models_that_cannot_be_read_ask_for_a_store(coordinator, tmp_path):
    a = coordinator("a")
    a.claim("k0", 0, 0)
    finish(a, "k0", 0)
    (tmp_path / "a").rename(tmp_path / "moved")  # as it looks from another computer
    with pytest.raises(RunError, match=r"cannot be read from here; give every coordinator the same --store"):
        coordinator("b")


def test_models_of_a_run_that_is_gone_come_from_who_has_them(coordinator, tmp_path):
    a, b = coordinator("a"), coordinator("b")
    a.claim("k0", 0, 0)
    finish(a, "k0", 0)
    assert [c.key for c in hear(b)] == ["k0"]
    (tmp_path / "a").rename(tmp_path / "moved")
    c = coordinator("c")
    assert [one.key for one in c.known] == ["k0"] and c.run.model("k0") == b"k0 0"


def test_models_go_through_a_store(coordinator, tmp_path):
    store = (tmp_path / "store").as_uri()
    a = coordinator("a", store=store)
    a.claim("k0", 0, 0)
    finish(a, "k0", 0)
    (tmp_path / "a").rename(tmp_path / "moved")
    b = coordinator("b", store=store)
    assert [c.key for c in b.known] == ["k0"] and b.run.model("k0") == b"k0 0"


def test_eight_at_once_get_every_training_exactly_once(coordinator):
    keys = [f"k{n}" for n in range(100)]
    everyone = [coordinator(f"c{n}", trials=90) for n in range(8)]
    got: dict[str, list[tuple[str, int]]] = {}
    failures = []

    def work(one):
        try:
            for key in keys[one.place * 7 :] + keys[: one.place * 7]:
                number = one.claim(key, 0, 0)
                if number is not None:
                    time.sleep(0.005)  # SQLite has no queue: who has just written writes again
                    got.setdefault(key, []).append((one.me.id, number))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    owners = list(got.values())
    assert len(got) == 90 and all(len(one) == 1 for one in owners), "each once, and no more than --trials"
    assert sorted(number for ((_, number),) in owners) == list(range(90))
    assert len({owner for ((owner, _),) in owners}) > 1


def test_trainings_that_are_given_back_one_after_the_other_are_all_proposed_again():
    peers = SimpleNamespace(held={("A", 0), ("B", 0)}, place=0, spent=False)
    peers.claim = lambda key, rung, number: None if (key, rung) in peers.held else number
    peers.taken = lambda: frozenset(peers.held)
    proposer = SimpleNamespace(seen=set())
    sharing = Sharing(peers, proposer)
    for key in "AB":
        sharing.claim(SimpleNamespace(key=key, rung=0))
    assert proposer.seen == {"A", "B"}
    for left in ("B", ""):
        peers.held = {(key, 0) for key in left}
        assert sharing.given_back({}) and proposer.seen == set(left)
