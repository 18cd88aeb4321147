from __future__ import annotations

from pathlib import Path

import pytest

from devices.qemu.unix_socket import connect, listen
from tests.open_files import open_files


@pytest.mark.parametrize("depth", [0, 12])
def test_a_path_of_any_length_can_be_reached(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*(["a" * 20] * depth))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "console.sock"
    assert (len(str(path)) > 107) == (depth > 0)
    before = open_files()
    with listen(path) as listening, connect(path) as client:
        server, _ = listening.accept()
        with server:
            server.send(b"hello")
            assert client.recv(10) == b"hello"
        assert path.stat().st_mode & 0o777 == 0o600
    assert open_files() == before


def test_nobody_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(tmp_path / "none.sock")
    listen(tmp_path / "left.sock").close()
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path / "left.sock")
