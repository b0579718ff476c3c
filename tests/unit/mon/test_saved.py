# SPDX-License-Identifier: GPL-2.0-or-later
"""A service's state survives the state file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core.values import PeriodState, ServiceState
from bpvs.mon.saved import saved_of, state_of
from bpvs.text.mon.escape import decode
from bpvs.text.mon.state import parse_opstatus, print_opstatus

GOLDEN = Path(__file__).parents[2] / "golden/mon/state/opstatus"
NUMBERS = st.integers(0, 2**40)
TEXTS = st.binary(max_size=30).map(decode)
STATES = st.builds(
    ServiceState,
    key=st.just(Key("G", "s")),
    op_status=st.integers(0, 9),
    last_op_status=st.integers(0, 9),
    exitval=st.none() | st.integers(-1, 255),
    last_success=NUMBERS,
    last_failure=NUMBERS,
    first_failure=NUMBERS,
    consec_failures=NUMBERS,
    failure_count=NUMBERS,
    alert_count=NUMBERS,
    last_summary=TEXTS,
    last_detail=TEXTS,
    last_output=st.none() | st.binary(max_size=30),
    failure_output=st.none() | st.binary(min_size=1, max_size=30),
    last_trap=NUMBERS,
    last_traphost=TEXTS,
    last_check=st.none() | NUMBERS,
    ack=NUMBERS,
    ack_comment=TEXTS,
    flaps=NUMBERS,
    changed=NUMBERS,
    host_failures=st.dictionaries(st.from_regex(r"[a-z0-9.:-]+", fullmatch=True), NUMBERS, max_size=3),
    periods=st.dictionaries(
        st.sampled_from(["", "wd {Sun-Sat}", "NIGHT"]), st.builds(PeriodState, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
    ),
)


@given(STATES)
def test_a_state_comes_back_from_the_file(state: ServiceState) -> None:
    assert [state_of(saved) for saved in parse_opstatus(print_opstatus([saved_of(state)]))] == [state]


def killed_while_telling(kind: AlertKind, status: Status, period: PeriodState) -> ServiceState:
    state = ServiceState(Key("G", "s"), op_status=status, changed=1000, periods={"": period})
    (saved,) = parse_opstatus(print_opstatus([saved_of(state, kind)]))
    return state_of(saved)


def test_a_failure_that_was_not_told_to_the_end_is_told_again() -> None:
    state = killed_while_telling(AlertKind.FAILURE, Status.FAIL, PeriodState(last_alert=1000, alert_sent=1))
    assert state.op_status == Status.FAIL
    assert state.periods[""] == PeriodState(last_alert=1000, alert_sent=1, is_owed=True)


def test_the_end_of_an_outage_that_was_not_told_to_the_end_is_told_again() -> None:
    state = killed_while_telling(AlertKind.UP, Status.OK, PeriodState())
    assert (state.op_status, state.first_failure) == (Status.FAIL, 1000)
    assert state.periods[""] == PeriodState(alert_sent=1, is_owed=True)


def test_an_outage_that_the_real_mon_saved() -> None:
    states = [state_of(saved) for saved in parse_opstatus(GOLDEN.read_text())]
    failing = next(state for state in states if state.op_status == 0)
    assert (failing.key, failing.first_failure, failing.consec_failures) == (Key("G", "s"), 1795378402, 3)
    assert failing.failure_output == b"h1 h2\nd1\n"
    assert failing.periods["wd {Sun-Sat}"] == PeriodState(last_alert=1795378402, alert_sent=2)
    assert states[2].exitval is None
    assert states[2].op_status == 7
