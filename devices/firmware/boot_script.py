"""What U-Boot does at power-on: the A/B rule, as the boot-loader's own environment.

The rule is `little_loader`'s: with `upgrade_available=1`, the first boot of a slot sets
`bootcount=1`; if it is found set, the firmware never validated, so the other slot becomes active
and both are zeroed. The environment on the disk is written only then, not at every boot. When it
is torn, or the slot it names cannot be started, each slot is tried whose image verifies.

The scripts use what U-Boot 2023.01 of Debian offers: `env import` with a list of names, local
variables of its shell. Names starting with `fd_` are such local variables.
"""

from __future__ import annotations

from devices.firmware import fit, layout
from devices.firmware.board import Board

KEYS = (
    "nerves_fw_active",
    "upgrade_available",
    "bootcount",
    "a.kernel_lba",
    "b.kernel_lba",
    "a.kernel_args",
    "b.kernel_args",
)
_ENV_BLOCK = f"{layout.ENVIRONMENT.first_block:x}"
_ENV_BLOCKS = f"{layout.ENVIRONMENT.blocks:x}"
_ENV_BYTES = f"{layout.ENVIRONMENT.size:x}"


def environment(board: Board, *, kernel_args: str) -> dict[str, str]:
    """U-Boot's own variables; `kernel_args` are used when the disk's environment is torn."""
    scripts = {
        "bootcmd": _boot(board),
        "fd_save": _save(board),
        "fd_slot_a": _slot("a"),
        "fd_slot_b": _slot("b"),
        "fd_load": _load(board),
        "fd_start": _start(board),
        "fd_recover": _recover(board),
    }
    return {
        "bootdelay": "-2",
        "fdt_high": "0xffffffffffffffff",
        "initrd_high": "0xffffffffffffffff",
        "fd_kernel_args": kernel_args,
        **{name: _one_line(script) for name, script in scripts.items()},
    }


def _one_line(script: str) -> str:
    words = script.split("\n")
    return " ".join(word.strip() for word in words if word.strip())


def _boot(board: Board) -> str:
    # Importing with -d forgets where U-Boot's own device tree is, so that is noted first.
    env = f"{board.environment_address:x}"
    return f"""
fd_tree=${{fdtcontroladdr}};
virtio scan;
if virtio read {env} {_ENV_BLOCK} {_ENV_BLOCKS} &&
   env import -c {env} {_ENV_BYTES} {" ".join(KEYS)}; then
  fd_active=a;
  if test "${{nerves_fw_active}}" = b; then fd_active=b; fi;
  if test "${{upgrade_available}}" = 1; then
    if test "${{bootcount}}" = 1; then
      echo fleetdash: slot ${{fd_active}} never validated, going back;
      if test ${{fd_active}} = a; then fd_active=b; else fd_active=a; fi;
      fd_upgrade=0; fd_count=0; fd_reverted=1;
    else
      fd_upgrade=1; fd_count=1; fd_reverted=;
    fi;
    run fd_save;
  fi;
  run fd_slot_${{fd_active}};
  if run fd_load; then run fd_start; fi;
  echo fleetdash: slot ${{fd_active}} cannot be started;
else
  echo fleetdash: the environment is damaged;
fi;
run fd_recover;
echo fleetdash: no slot can be started;
{board.switch_off}
"""


def _save(board: Board) -> str:
    # Reading the whole of it back with -d keeps the keys this script does not know, and only them;
    # the scripts come back from where U-Boot has them.
    env = f"{board.environment_address:x}"
    return f"""
env import -d -c {env} {_ENV_BYTES};
setenv nerves_fw_active ${{fd_active}};
setenv upgrade_available ${{fd_upgrade}};
setenv bootcount ${{fd_count}};
setenv fleetdash_reverted ${{fd_reverted}};
env export -c -s {_ENV_BYTES} {env};
virtio write {env} {_ENV_BLOCK} {_ENV_BLOCKS};
{board.get_scripts};
env import -c {env} {_ENV_BYTES} {" ".join(KEYS)}
"""


def _slot(slot: str) -> str:
    return f"""
fd_lba={layout.KERNEL[slot].first_block}; fd_slot={slot};
if test -n "${{{slot}.kernel_lba}}"; then fd_lba=${{{slot}.kernel_lba}}; fi;
fd_args="${{fd_kernel_args}}";
if test -n "${{{slot}.kernel_args}}"; then fd_args="${{{slot}.kernel_args}}"; fi
"""


def _load(board: Board) -> str:
    # Block numbers are decimal in the environment, as fwup writes them; U-Boot reads hexadecimal.
    image = f"{board.image_address:x}"
    return f"""
{board.decimal_to_hex.strip()};
virtio read {image} ${{fd_block}} {fit.TREE_BYTES // layout.BLOCK_BYTES:x} &&
fdt addr {image} &&
fdt get value fd_blocks / {fit.BLOCKS_PROPERTY} &&
virtio read {image} ${{fd_block}} ${{fd_blocks}}
"""


def _start(board: Board) -> str:
    # In quotes, or an argument more than U-Boot's 16 words a command would be the loss of all.
    return f"""
fdt addr {board.image_address:x};
fdt get value fd_kernel /images/kernel load;
fdt get value fd_ramdisk /images/ramdisk load;
fdt get value fd_size /images/ramdisk data-size;
setenv bootargs "${{fd_args}} fleetdash.slot=${{fd_slot}}";
echo fleetdash: slot ${{fd_slot}};
{board.start}
"""


def _recover(board: Board) -> str:
    return f"""
setenv a.kernel_lba; setenv b.kernel_lba; setenv a.kernel_args; setenv b.kernel_args;
for fd_try in a b; do
  run fd_slot_${{fd_try}};
  if run fd_load && iminfo {board.image_address:x}; then run fd_start; fi;
done
"""
