from __future__ import annotations

from typing import Any

from fleetdash.cli.standing import Check, checks

GIB = 1 << 30


def a_summary(**changed: Any) -> dict[str, Any]:
    """A fleet in which nothing is wrong; `changed` replaces values of its host's sample."""
    sample = {
        "cpu": {"run_queue": 0.5},
        "memory": {
            "total_bytes": 24 * GIB,
            "available_bytes": 20 * GIB,
            "swap_total_bytes": 8 * GIB,
            "swap_free_bytes": 8 * GIB,
        },
        "ksm": {"run": 1, "saved_bytes": 5 * GIB},
        "zram": [{"size_bytes": 8 * GIB, "ratio": 3.0}],
        "psi": {"memory_some": 0.0},
    }
    host = {
        "name": "here",
        "cores": 2,
        "accelerators": {"arm64": {"accelerator": "tcg"}},
        "missing_protections": [],
        "processes": {"worker": True, "poller": True, "control": True, "gateway": True},
        "sample": {**sample, **changed},
        "template": {"state": "ready", "sentence": "Clones wake."},
        "merging": {"state": "resting", "sentence": "Rests: nothing is new."},
    }
    return {
        "counts": {"online": 0},
        "total": 0,
        "fits": 1200,
        "capacity": {"device_cost_bytes": 18 << 20, "cost_source": "measured", "waiting": ""},
        "notices": [],
        "hosts": [host],
        "operations": [],
        "firmware": {"architecture": "arm64", "version": "0.1.0"},
    }


def found(summary: dict[str, Any], needed: int = 1111) -> dict[str, Check]:
    return {check.what: check for check in checks(summary, needed)}


def not_right(summary: dict[str, Any], needed: int = 1111) -> dict[str, Check]:
    return {what: check for what, check in found(summary, needed).items() if check.ok is not True}


def test_a_fleet_in_order_has_nothing_to_mend_or_to_know() -> None:
    assert not_right(a_summary()) == {}


def test_too_little_room_says_how_much_there_is() -> None:
    check = found(a_summary(), 1201)["capacity"]
    assert check.ok is False
    assert check.sentence.startswith("1,200 more devices fit, 1,201 are needed; one takes")


def test_what_happened_and_what_launching_waits_for_is_said() -> None:
    summary = a_summary()
    summary["capacity"]["waiting"] = "Memory is short."
    notice = {"at": "2026-01-02T03:04:05Z", "host": "here", "text": "40 guests ended."}
    summary["notices"] = [notice]
    odd = not_right(summary)
    assert {what: check.sentence for what, check in odd.items()} == {
        "launching": "Memory is short.",
        "here: notice": "2026-01-02 03:04:05: 40 guests ended.",
    }


def test_what_a_host_does_not_have_is_said_and_stops_nothing() -> None:
    memory = {**a_summary()["hosts"][0]["sample"]["memory"], "swap_total_bytes": 0}
    odd = not_right(a_summary(ksm=None, zram=None, psi=None, memory=memory))
    assert {what: check.ok for what, check in odd.items()} == {
        "here: merging": None,
        "here: swap": None,
    }


def test_merging_that_is_off_is_to_be_known() -> None:
    summary = a_summary()
    summary["hosts"][0]["merging"] = {"state": "off", "sentence": "Switched off."}
    (check,) = not_right(summary).values()
    assert (check.mark, check.sentence) == ("!", "Switched off. 5,120 MiB are saved now.")


def test_other_work_and_pressure_are_said() -> None:
    odd = not_right(a_summary(cpu={"run_queue": 5.2}, psi={"memory_some": 30.0}))
    assert {what: check.mark for what, check in odd.items()} == {
        "here: load": "!",
        "here: pressure": "!",
    }


def test_a_running_operation_stops_a_rehearsal() -> None:
    summary = a_summary()
    summary["operations"] = [{"id": 7, "state": "running"}, {"id": 6, "state": "failed"}]
    odd = not_right(summary)
    assert (odd["operations"].ok, "7." in odd["operations"].sentence) == (False, True)


def test_a_silent_poller_a_missing_template_and_failed_devices_are_said() -> None:
    summary = a_summary()
    host = summary["hosts"][0]
    host["sample"], host["template"] = None, {"state": "making", "sentence": "Booting."}
    summary["counts"]["failed"] = 2
    odd = not_right(summary)
    assert "No word from the poller" in odd["here: processes"].sentence
    assert odd["here: template"].sentence == "Booting. Wait until it is ready."
    assert odd["fleet"].ok is None


def test_why_no_accelerator_is_proven_stands_on_the_hosts_page() -> None:
    summary = a_summary()
    summary["hosts"][0]["accelerators"]["arm64"] = {"accelerator": None}
    check = not_right(summary)["here: accelerator"]
    assert (check.ok, "/hosts/here/ says why" in check.sentence) == (False, True)
