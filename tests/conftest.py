"""What all tests share: folders of their own, a private Redis, a whole running fleet."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from devices.firmware.artifact import FirmwareImage
from devices.firmware.build import build_firmware
from devices.host import kernel_settings
from devices.host.levers import SWAPPINESS
from fleetdash.deploy import firmwares
from tests.api.served import ROWS, Served, served
from tests.fleet import CACHE, CHECKOUT, Fleet, new_fleet, remove

# a test must never meet the fleet of whoever runs it
_FOLDER = Path(tempfile.mkdtemp(prefix="fleetdash-tests-"))
settings.VAR_DIR = _FOLDER
settings.STATIC_ROOT = _FOLDER / "static"
settings.REDIS_URL = f"unix://{_FOLDER}/redis.sock"


# in the background of a script it is ignored, and whatever tests start would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running, in which no other can start.

    What is marked `late` comes after the others of its file.
    """
    files = {path: place for place, path in enumerate(dict.fromkeys(item.path for item in items))}

    def place(item: pytest.Item) -> tuple[bool, int, bool]:
        browser, late = (item.get_closest_marker(name) for name in ("browser", "late"))
        return browser is not None, files[item.path], late is not None

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def own_folder() -> Iterator[Path]:
    """The folder that stands for `var`, removed at the end."""
    (_FOLDER / "static").mkdir(exist_ok=True)
    yield _FOLDER
    shutil.rmtree(_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_process(own_folder: Path) -> Iterator[str]:
    """A Redis on the unix socket that the settings name; its address."""
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: apt-get install redis-server"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(own_folder / "redis.sock"), "--save", ""],
        cwd=own_folder,
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 10
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < until, "redis-server does not start"
                time.sleep(0.02)
    yield settings.REDIS_URL
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def redis_server(redis_process: str) -> Iterator[str]:
    """That Redis, empty, with `devices.services.bus` connected to it; its address.

    It is left empty too: a test that has not asked for it still reads it, once it runs.
    """
    from devices.services import bus

    bus.client.cache_clear()
    # that another test's Redis went away is not this one's news
    bus._away.clear()
    with redis.Redis.from_url(redis_process) as client:
        client.flushall()
        yield redis_process
        client.flushall()
    bus.client().close()
    bus.client.cache_clear()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for a minute."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def web() -> Iterator[Served]:
    """A running web process with one host that has room, and `var/secrets/cli.json`."""
    # models, which want the settings above
    from tests.rows import a_sample

    with served("fleetdash.asgi:application", arguments=["-v", "0"], pages=True) as server:
        key = server.python(
            ROWS + "from django.contrib.auth.models import User\n"
            "from devices.services import tokens\n"
            "print(tokens.create(User.objects.create_user('ada'), 'cli')[1])"
        )
        with redis.Redis.from_url(server.environment["REDIS_URL"]) as client:
            client.set("fleet:host:here", json.dumps(a_sample()))
        secrets = server.folder / "secrets"
        secrets.mkdir()
        (secrets / "cli.json").write_text(json.dumps({"url": server.url, "token": key}))
        yield server


@pytest.fixture
def empty(web: Served) -> Served:
    """The web process with no device and no operation, on hosts that can emulate."""
    for table in ("tag", "event", "target", "operation", "device"):
        web.rows(f"delete from devices_{table}")
    proof = json.dumps({"arm64": {"accelerator": "tcg"}})
    web.rows("update devices_host set accelerators = ?", proof)
    return web


@pytest.fixture(scope="session")
def built() -> dict[str, FirmwareImage]:
    """The firmware of this tree by architecture: what bin/up builds here, and where."""
    return firmwares.build_all(
        firmwares.wanted({}), output=CHECKOUT / "var" / "firmware", cache=CACHE, say=lambda _: None
    )


@pytest.fixture(scope="session")
def firmware(built: dict[str, FirmwareImage]) -> FirmwareImage:
    """The arm64 firmware."""
    return built["arm64"]


@pytest.fixture(scope="session")
def x64_firmware(built: dict[str, FirmwareImage]) -> FirmwareImage:
    """The x64 firmware, on any machine."""
    return built.get("x64") or build_firmware(
        architecture="x64", version=firmwares.VERSION, output=CHECKOUT / "var/firmware/x64",
        cache=CACHE, progress=lambda _: None,
    )  # fmt: skip


@pytest.fixture(scope="session")
def fleet(built: dict[str, FirmwareImage]) -> Iterator[Fleet]:
    """A fleetdash started by bin/up and stopped by bin/down, which must leave nothing."""
    started = new_fleet()
    # another fleet of this machine may hold it
    untouched = kernel_settings.held(SWAPPINESS) is None
    swappiness = kernel_settings.read(SWAPPINESS)
    try:
        started.up()
        yield started
        started.down()
        assert started.leftovers() == []
        if untouched and kernel_settings.held(SWAPPINESS) is None:
            assert kernel_settings.read(SWAPPINESS) == swappiness
    finally:
        if started.processes():
            started.down()
        remove(started)
