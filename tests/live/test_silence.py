from __future__ import annotations

from devices.live.silence import Silence


def test_a_host_that_falls_silent_is_named_once_and_again_after_it_spoke() -> None:
    silence = Silence(5.0)
    assert silence.fallen(100.0) == []
    silence.heard("a", 100.0)
    silence.heard("b", 103.0)
    assert silence.fallen(104.9) == []
    assert silence.fallen(105.0) == ["a"]
    assert silence.fallen(106.0) == []
    silence.heard("a", 107.0)
    assert silence.fallen(108.0) == ["b"]
    assert silence.fallen(112.0) == ["a"]
