"""`bin/bench NAME`: one measurement, as a table for people or JSON for programs."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.findings import Findings
from bench.person import password


def parser() -> argparse.ArgumentParser:
    """The arguments `bin/bench` takes."""
    top = argparse.ArgumentParser(
        prog="bin/bench",
        description=__doc__,
        epilog="What was measured is printed even when a bench fails or is interrupted; it then "
        "removes the devices it added. --page and pages (without --rows) need "
        "FLEETDASH_ADMIN_PASSWORD.",
    )
    benches = top.add_subparsers(dest="name", required=True)

    launch = benches.add_parser("launch", help="devices a second, beside the raw limit")
    launch.add_argument("--count", type=int, default=100)
    launch.add_argument("--cold", action="store_true", help="through the boot-loader")
    launch.add_argument(
        "--raw", type=int, default=200, metavar="N",
        help="devices of the bare loop and of the ratio with it; 0 leaves it out",
    )  # fmt: skip
    launch.add_argument(
        "--width", type=int, nargs="+", default=[], metavar="W",
        help="how many the bare loop keeps starting; the best of them is the raw limit "
        "(default: the cores and twice that)",
    )  # fmt: skip
    launch.add_argument(
        "--script", type=int, default=0, metavar="N",
        help="also start N devices the old way: cold, bare, four at a time",
    )  # fmt: skip
    launch.add_argument(
        "--settle", type=float, default=0.0, metavar="S", help="then wait and measure memory"
    )
    launch.add_argument(
        "--calm", type=float, default=5, metavar="S", help="seconds of rest before each part"
    )

    idle = benches.add_parser("idle", help="what the control plane and idle devices cost")
    idle.add_argument("--count", type=int, default=10)
    idle.add_argument("--seconds", type=float, default=60)
    idle.add_argument("--settle", type=float, default=300, help="most seconds for memory to merge")
    idle.add_argument("--as-is", action="store_true", help="the fleet as it stands; nothing added")

    density = benches.add_parser("density", help="how many devices this machine holds")
    density.add_argument("--upto", type=int, default=1000)
    density.add_argument("--step", type=int, default=100, help="0: all at once")
    density.add_argument("--rest", type=float, default=15, help="seconds between steps")
    density.add_argument("--more", type=int, default=100, help="started while the wall is watched")
    density.add_argument("--idle", type=float, default=60, help="seconds to measure idle cost for")
    density.add_argument("--hold", type=float, default=60, help="seconds")
    density.add_argument("--out", type=Path, help="folder of samples and plots (docs/plots)")
    for each in (idle, density):
        each.add_argument("--page", action="store_true", help="with one page open in a browser")

    cycle = benches.add_parser("cycle", help="N devices, none, N, none: does anything leak?")
    cycle.add_argument("--count", type=int, default=100)
    cycle.add_argument("--rounds", type=int, default=2)
    cycle.add_argument("--calm", type=float, default=20, help="seconds before each look")

    faults = benches.add_parser("faults", help="is a device lost when our processes are killed?")
    faults.add_argument("--online", type=int, default=200)
    faults.add_argument("--starting", type=int, default=100)
    faults.add_argument("--every", type=float, default=1.0, help="seconds between two kills")

    pages = benches.add_parser("pages", help="how long pages, a log-in and a search take to answer")
    pages.add_argument("--rounds", type=int, default=50)
    pages.add_argument(
        "--rows", type=int, metavar="N",
        help="of N generated devices, in a database and by a web process of their own",
    )  # fmt: skip

    plots = benches.add_parser("plots", help="draw the plots again from density's samples")
    plots.add_argument("--out", type=Path, help="folder of samples and plots (docs/plots)")

    live = benches.add_parser("live", help="the live page's path, fed with a made-up fleet")
    live.add_argument("--clients", type=int, default=300)
    live.add_argument("--devices", type=int, default=10_000)
    live.add_argument("--cores", type=int, default=192)
    live.add_argument("--stalled", type=int, default=0, help="clients more, that read nothing")
    live.add_argument("--seconds", type=float, default=30)
    live.add_argument(
        "--loads", choices=("random", "wandering"), default="random",
        help="every load new each second (the worst case), or as devices have them",
    )  # fmt: skip
    live.add_argument("--record", type=Path, metavar="FILE", help="keep what the fleet says")
    live.add_argument("--replay", type=Path, metavar="FILE", help="feed from such a recording")
    live.add_argument("--demo", type=int, metavar="N", help="show N made-up devices on a page")
    live.add_argument("--port", type=int, help="of the demo's page")

    painting = benches.add_parser("painting", help="what the stage page costs a browser")
    painting.add_argument("--devices", type=int, default=10_000)
    painting.add_argument("--cores", type=int, default=192)
    painting.add_argument("--moving", type=int, default=1000, help="changes of state a second")
    painting.add_argument("--seconds", type=float, default=20)

    for each in (launch, idle, density, cycle, faults):
        each.add_argument("--clear", action="store_true", help="remove the devices there are first")
    for each in benches.choices.values():
        each.add_argument("--json", action="store_true", help="print JSON")
    return top


def main() -> int:
    """Parse, measure, print; 1 when something is not as it should be, 130 when interrupted."""
    arguments = parser().parse_args()
    findings = Findings(shlex.join(["bin/bench", *sys.argv[1:]]))
    # whoever was started in the background of a script was told to ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    status = 0
    try:
        _run(findings, arguments)
    except BenchError as error:
        findings.problem(str(error))
    except KeyboardInterrupt:
        findings.problem("interrupted: what follows the interruption was not measured")
        status = 130
    print(findings.as_json() if arguments.json else findings.as_text())
    return status or (1 if findings.problems else 0)


def _run(findings: Findings, given: argparse.Namespace) -> None:
    if hasattr(given, "clear") and not getattr(given, "as_is", False):
        from bench import fleet

        fleet.find().make_room(clear=given.clear)
    match given.name:
        case "launch":
            from bench import launch

            start = "cold" if given.cold else "warm"
            launch.run(findings, launch.Wish(
                count=given.count, start=start, raw=given.raw, widths=given.width,
                script=given.script, settle_s=given.settle, calm_s=given.calm,
            ))  # fmt: skip
        case "idle":
            from bench import idle

            idle.run(findings, idle.Wish(
                count=given.count, seconds=given.seconds, as_is=given.as_is,
                page_password=password() if given.page else None, settle_most_s=given.settle,
            ))  # fmt: skip
        case "density":
            from bench import density, plots

            density.run(findings, density.Wish(
                upto=given.upto, step=given.step, hold_s=given.hold, rest_s=given.rest,
                more=given.more, idle_s=given.idle, page=given.page,
                password=_password_if_given(given.page),
                folder=given.out or plots.FOLDER,
            ))  # fmt: skip
        case "cycle":
            from bench import cycle

            cycle.run(findings, cycle.Wish(
                count=given.count, rounds=given.rounds, calm_s=given.calm
            ))  # fmt: skip
        case "faults":
            from bench import faults

            faults.run(findings, faults.Wish(
                online=given.online, starting=given.starting, every_s=given.every
            ))  # fmt: skip
        case "pages" if given.rows:
            from bench import pages

            pages.run_generated(findings, rows=given.rows, rounds=given.rounds)
        case "pages":
            from bench import pages

            pages.run(findings, rounds=given.rounds, password=password())
        case "live" if given.demo:
            from bench.live import demo

            demo.show(devices=given.demo, cores=given.cores, port=given.port)
        case "live" if given.record:
            from bench.live import recording

            findings.values["messages"] = recording.record(given.record, given.seconds)
        case "live":
            from bench.live import run

            run.run(findings, run.Wish(
                clients=given.clients, devices=given.devices, cores=given.cores,
                stalled=given.stalled, seconds=given.seconds, loads=given.loads,
                replay=given.replay,
            ))  # fmt: skip
        case "painting":
            from bench.live import painting

            painting.run(findings, painting.Wish(
                devices=given.devices, cores=given.cores, moving=given.moving,
                seconds=given.seconds,
            ))  # fmt: skip
        case "plots":
            from bench import plots

            plots.run(findings, given.out or plots.FOLDER)


def _password_if_given(needed: bool) -> str | None:
    """Without it the wall's delay and the pages are left out; with --page it is needed."""
    try:
        return password()
    except BenchError:
        if needed:
            raise
        return None


if __name__ == "__main__":
    sys.exit(main())
