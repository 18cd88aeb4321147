from __future__ import annotations

from pathlib import Path

from devices.host import ksm

KSM = {
    "run": "1\n",
    "pages_shared": "10\n",
    "pages_sharing": "1000\n",
    "pages_unshared": "77\n",
    "full_scans": "5\n",
    "pages_to_scan": "100\n",
    "sleep_millisecs": "20\n",
    "general_profit": "-81920\n",
}


def test_ksm_profit_keeps_its_sign() -> None:
    sample = ksm.parse(KSM, page_bytes=4096)
    assert sample.general_profit_bytes == -81920
    assert sample.saved_bytes == 1000 * 4096
    assert (sample.run, sample.pages_shared, sample.pages_sharing) == (1, 10, 1000)
    assert (sample.pages_unshared, sample.full_scans) == (77, 5)


def test_ksm_counts_zero_pages_as_saved() -> None:
    assert ksm.parse({**KSM, "ksm_zero_pages": "24"}, page_bytes=4096).saved_bytes == 1024 * 4096


def test_ksm_of_an_older_kernel_has_no_profit(tmp_path: Path) -> None:
    folder = tmp_path / "sys/kernel/mm/ksm"
    folder.mkdir(parents=True)
    for name, text in KSM.items():
        if name != "general_profit":
            (folder / name).write_text(text)
    sample = ksm.read(tmp_path)
    assert sample is not None
    assert sample.general_profit_bytes is None


def test_what_the_kernel_does_not_have_is_none(tmp_path: Path) -> None:
    assert ksm.read(tmp_path) is None
