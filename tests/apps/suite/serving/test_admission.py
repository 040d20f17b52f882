"""No more requests at once than allowed, no more waiting, and every place is given back."""

import threading

import pytest

from apps.suite.serving.admission import Admission
from apps.suite.serving.models import Refusal


def test_what_goes_beyond_those_who_work_and_wait_is_refused():
    admission, entered, leave = Admission(2, 1), [], threading.Event()

    def work():
        with admission():
            entered.append(1)
            leave.wait(10)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    while admission._left > 0:  # all three have come
        pass
    with pytest.raises(Refusal, match="ask later") as caught, admission():
        pass
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert len(entered) <= 2
    leave.set()
    for worker in workers:
        worker.join()
    assert len(entered) == 3
    with admission(), admission():
        pass


def test_a_request_that_fails_gives_its_place_back():
    admission = Admission(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), admission():
            raise KeyError
