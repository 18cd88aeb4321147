"""What U-Boot does at power-on: the A/B rule, as the boot-loader's own environment.

The rule is `little_loader`'s: with `upgrade_available=1`, the first boot of a slot sets
`bootcount=1`; if it is found set, the firmware never validated, so the other slot becomes active
and both are zeroed. The environment on the disk is written only then, not at every boot. When it
is torn, or the slot it names cannot be started, each slot is tried whose image verifies.

The scripts use what U-Boot 2023.01 of Debian offers: `env import` with a list of names, local
variables of its shell, `setexpr`. Names starting with `fd_` are such local variables.
"""

from __future__ import annotations

from devices.firmware import fit, layout, uboot_env

ENVIRONMENT_ADDRESS = 0x40100000
KEYS = (
    "nerves_fw_active",
    "upgrade_available",
    "bootcount",
    "a.kernel_lba",
    "b.kernel_lba",
    "a.kernel_args",
    "b.kernel_args",
)


def environment(*, kernel_args: str) -> dict[str, str]:
    """U-Boot's own variables; `kernel_args` are used when the disk's environment is torn."""
    return {
        "bootdelay": "-2",
        "fdt_high": "0xffffffffffffffff",
        "initrd_high": "0xffffffffffffffff",
        "fd_kernel_args": kernel_args,
        "bootcmd": _one_line(_BOOT),
        "fd_save": _one_line(_SAVE),
        "fd_slot_a": _one_line(_SLOT.format(slot="a", lba=layout.KERNEL["a"].first_block)),
        "fd_slot_b": _one_line(_SLOT.format(slot="b", lba=layout.KERNEL["b"].first_block)),
        "fd_load": _one_line(_LOAD),
        "fd_start": _one_line(_START),
        "fd_recover": _one_line(_RECOVER),
    }


def _one_line(script: str) -> str:
    words = script.split("\n")
    return " ".join(word.strip() for word in words if word.strip())


_ENV = f"{ENVIRONMENT_ADDRESS:x}"
_ENV_BLOCK = f"{layout.ENVIRONMENT.first_block:x}"
_ENV_BLOCKS = f"{layout.ENVIRONMENT.blocks:x}"
_ENV_BYTES = f"{layout.ENVIRONMENT.size:x}"
_FIT = f"{fit.LOAD_ADDRESS:x}"

# Importing with -d forgets where U-Boot's own device tree is, so that is noted first.
_BOOT = f"""
fd_tree=${{fdtcontroladdr}};
virtio scan;
if virtio read {_ENV} {_ENV_BLOCK} {_ENV_BLOCKS} &&
   env import -c {_ENV} {_ENV_BYTES} {" ".join(KEYS)}; then
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
poweroff
"""

# Reading the whole of it back with -d keeps the keys this script does not know, and only them;
# the scripts come back from the flash.
_SAVE = f"""
env import -d -c {_ENV} {_ENV_BYTES};
setenv nerves_fw_active ${{fd_active}};
setenv upgrade_available ${{fd_upgrade}};
setenv bootcount ${{fd_count}};
setenv fleetdash_reverted ${{fd_reverted}};
env export -c -s {_ENV_BYTES} {_ENV};
virtio write {_ENV} {_ENV_BLOCK} {_ENV_BLOCKS};
env import -c {uboot_env.FLASH_ADDRESS:x} {uboot_env.FLASH_BYTES:x};
env import -c {_ENV} {_ENV_BYTES} {" ".join(KEYS)}
"""

_SLOT = """
fd_lba={lba}; fd_slot={slot};
if test -n "${{{slot}.kernel_lba}}"; then fd_lba=${{{slot}.kernel_lba}}; fi;
fd_args="${{fd_kernel_args}}";
if test -n "${{{slot}.kernel_args}}"; then fd_args="${{{slot}.kernel_args}}"; fi
"""

# Block numbers are decimal in the environment, as fwup writes them; U-Boot reads hexadecimal.
_LOAD = f"""
setexpr fd_digits gsub "(.)" "\\\\\\\\1 " ${{fd_lba}};
setenv fd_block 0;
for fd_digit in ${{fd_digits}}; do
  setexpr fd_block ${{fd_block}} * a; setexpr fd_block ${{fd_block}} + ${{fd_digit}};
done;
virtio read {_FIT} ${{fd_block}} {fit.TREE_BYTES // layout.BLOCK_BYTES:x} &&
fdt addr {_FIT} &&
fdt get value fd_blocks / {fit.BLOCKS_PROPERTY} &&
virtio read {_FIT} ${{fd_block}} ${{fd_blocks}}
"""

# In quotes, or an argument more than U-Boot's 16 words a command would be the loss of all.
_START = f"""
fdt addr {_FIT};
fdt get value fd_kernel /images/kernel load;
fdt get value fd_ramdisk /images/ramdisk load;
fdt get value fd_size /images/ramdisk data-size;
setenv bootargs "${{fd_args}} fleetdash.slot=${{fd_slot}}";
echo fleetdash: slot ${{fd_slot}};
booti ${{fd_kernel}} ${{fd_ramdisk}}:${{fd_size}} ${{fd_tree}}
"""

_RECOVER = f"""
setenv a.kernel_lba; setenv b.kernel_lba; setenv a.kernel_args; setenv b.kernel_args;
for fd_try in a b; do
  run fd_slot_${{fd_try}};
  if run fd_load && iminfo {_FIT}; then run fd_start; fi;
done
"""
