"""What differs between the devices of the two architectures: their board and its boot-loader."""

from __future__ import annotations

from dataclasses import dataclass

from devices.firmware import uboot_env
from devices.firmware.errors import BuildFailed


@dataclass(frozen=True)
class Board:
    """One kind of device, as its firmware has to know it.

    Addresses are places in the guest's memory while the boot-loader runs: `image_address` is where
    a slot's image is read to, `environment_address` where the disk's environment is. What has to be
    said to U-Boot in another way from board to board is here as its commands:

    - `get_scripts`: take the boot-loader's own environment up again after it was dropped;
    - `decimal_to_hex`: set `fd_block`, in hexadecimal, from the decimal `fd_lba`;
    - `start`: start `fd_kernel` with the initramfs at `fd_ramdisk` of `fd_size` bytes;
    - `switch_off`.
    """

    architecture: str
    platform: str
    library_folder: str
    dynamic_linker: str
    dynamic_linker_folder: str
    elf_machine: int
    fit_architecture: str
    kernel_magic: bytes
    kernel_magic_offset: int
    kernel_alignment: int
    bootloader: str
    environment_in_flash: bool
    image_address: int
    environment_address: int
    get_scripts: str
    decimal_to_hex: str
    start: str
    switch_off: str


ARM64 = Board(
    architecture="arm64",
    platform="qemu_arm64",
    library_folder="aarch64-linux-gnu",
    dynamic_linker="ld-linux-aarch64.so.1",
    dynamic_linker_folder="lib",
    elf_machine=183,
    fit_architecture="arm64",
    kernel_magic=b"ARM\x64",
    kernel_magic_offset=56,
    # read to its address the kernel can be started where it lies
    kernel_alignment=2 * 1024 * 1024,
    bootloader="qemu_arm64/u-boot.bin",
    environment_in_flash=True,
    image_address=0x40200000,
    environment_address=0x40100000,
    get_scripts=f"env import -c {uboot_env.FLASH_ADDRESS:x} {uboot_env.FLASH_BYTES:x}",
    decimal_to_hex=r"""
setexpr fd_digits gsub "(.)" "\\\\1 " ${fd_lba};
setenv fd_block 0;
for fd_digit in ${fd_digits}; do
  setexpr fd_block ${fd_block} * a; setexpr fd_block ${fd_block} + ${fd_digit};
done
""",
    start="booti ${fd_kernel} ${fd_ramdisk}:${fd_size} ${fd_tree}",
    switch_off="poweroff",
)

# Debian's U-Boot for a PC has neither `setexpr` nor `poweroff`. A device tree takes decimal numbers
# and gives hexadecimal ones; the word written to the power management's control register asks for
# the state S5 (ACPI 4.8.3.2.1), at the address U-Boot has given it (CONFIG_ACPI_PM1_BASE, plus 4).
X64 = Board(
    architecture="x64",
    platform="qemu_x64",
    library_folder="x86_64-linux-gnu",
    dynamic_linker="ld-linux-x86-64.so.2",
    dynamic_linker_folder="lib64",
    elf_machine=62,
    fit_architecture="x86_64",
    kernel_magic=b"HdrS",
    kernel_magic_offset=0x202,
    kernel_alignment=4096,
    bootloader="qemu-x86/u-boot.rom",
    environment_in_flash=False,
    # the kernel unpacks itself to 16 MiB and what follows, 51.5 MiB of them (its `init_size`)
    image_address=0x4400000,
    environment_address=0x4000000,
    get_scripts="env default -a",
    decimal_to_hex="""
fdt addr ${fd_tree}; fdt move ${fd_tree} 4100000 10000;
fdt set / fd_lba <${fd_lba}>;
fdt get value fd_block / fd_lba
""",
    start="zboot ${fd_kernel} 0 ${fd_ramdisk} ${fd_size}",
    switch_off="iow.w e404 2000",
)

BOARDS = {board.architecture: board for board in (ARM64, X64)}


def board_of(architecture: str) -> Board:
    """The board of an architecture; raises `BuildFailed` where there is none."""
    try:
        return BOARDS[architecture]
    except KeyError:
        raise BuildFailed(
            f"There is no firmware for {architecture!r}: use {' or '.join(BOARDS)}."
        ) from None
