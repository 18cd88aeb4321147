"""A guest's command line, made from values (qemu-system(1), 7.2)."""

from __future__ import annotations

from devices.qemu.errors import BadShape
from devices.qemu.identity_file import FW_CFG_NAME
from devices.qemu.spec import (
    QEMU_PROGRAMS,
    Accelerator,
    Architecture,
    Bootloader,
    ColdStart,
    GuestSpec,
    TemplateStart,
    WarmStart,
)

# The second flash bank of the `virt` board, where U-Boot looks for its environment
UBOOT_ENVIRONMENT_ADDRESS = 0x4000000

# "-runas" and "-chroot" die under this sandbox: user and namespace are changed before qemu starts
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

_TCG_MODELS: dict[Architecture, str] = {"arm64": "cortex-a53", "x64": "qemu64"}


def guest_argv(spec: GuestSpec) -> list[str]:
    """The guest's exact command line, program first; it holds no secret and no path of a user's.

    Raises BadShape when the parts do not go together.
    """
    if spec.accelerator == "tcg":
        tcg = f"tcg,tb-size={spec.shape.translation_buffer_mib}"
    return [
        spec.program or QEMU_PROGRAMS[spec.architecture],
        "-name", f"guest={spec.serial}",
        "-uuid", str(spec.uuid),
        "-no-user-config", "-nodefaults", "-display", "none",
        *(["-sandbox", SANDBOX] if spec.sandbox else []),
        "-machine", _machine(spec),
        "-cpu", spec.cpu_model or _cpu_model(spec.architecture, spec.accelerator),
        "-accel", tcg if spec.accelerator == "tcg" else spec.accelerator,
        "-smp", str(spec.shape.cpus),
        "-m", str(spec.shape.memory_mib),
        *_memory(spec),
        *_boot(spec),
        *_network(spec),
        *_disk(spec),
        *_identity(spec),
        "-device", f"virtio-rng-{_bus(spec)}",
        *_balloon(spec),
        "-chardev", f"socket,id=console,fd={spec.console_fd},server=on,wait=off",
        "-serial", "chardev:console",
        "-chardev", f"socket,id=qmp,fd={spec.qmp_fd},server=on,wait=off",
        "-mon", "chardev=qmp,mode=control",
        *(["-incoming", "defer"] if isinstance(spec.start, WarmStart) else []),
    ]


def _bus(spec: GuestSpec) -> str:
    """How virtio devices are attached: memory-mapped on the arm64 board, PCI on a PC."""
    return "device" if spec.architecture == "arm64" else "pci"


def _machine(spec: GuestSpec) -> str:
    memory = "" if isinstance(spec.start, ColdStart) else ",memory-backend=ram"
    if spec.architecture == "x64":
        return f"pc{memory}"
    # kvm has to take the interrupt controller of the machine it runs on
    gic = "host" if spec.accelerator == "kvm" else "2"
    return f"virt,gic-version={gic}{memory}"


def _cpu_model(architecture: Architecture, accelerator: Accelerator) -> str:
    return _TCG_MODELS[architecture] if accelerator == "tcg" else "host"


def _memory(spec: GuestSpec) -> list[str]:
    if isinstance(spec.start, ColdStart):
        return []
    share = "on" if isinstance(spec.start, TemplateStart) else "off"
    return [
        "-object",
        f"memory-backend-file,id=ram,size={spec.shape.memory_mib}M,share={share},"
        f"mem-path={_open_file(spec.start.memory_fd)}",
    ]


def _boot(spec: GuestSpec) -> list[str]:
    boot = spec.boot
    if not isinstance(boot, Bootloader):
        return [
            "-kernel", _open_file(boot.kernel_fd),
            "-initrd", _open_file(boot.initramfs_fd),
            "-append", boot.command_line,
        ]
    words = ["-bios", _open_file(boot.image_fd)]
    if boot.environment_fd is not None:
        if spec.architecture != "arm64":
            raise BadShape("Only the arm64 board has flash for its boot-loader's environment.")
        # a flash drive would cost 64 MiB a guest
        words += [
            "-device",
            f"loader,file={_open_file(boot.environment_fd)},"
            f"addr={UBOOT_ENVIRONMENT_ADDRESS:#x},force-raw=on",
        ]
    return words


def _network(spec: GuestSpec) -> list[str]:
    modern = ["-global", "virtio-mmio.force-legacy=false"] if spec.architecture == "arm64" else []
    rom = ",romfile=" if spec.architecture == "x64" else ""
    return [
        *modern,
        "-netdev", "user,id=net0,ipv6=off",
        "-device", f"virtio-net-{_bus(spec)},netdev=net0,mac={spec.mac}{rom}",
    ]


def _disk(spec: GuestSpec) -> list[str]:
    if spec.disk is None:
        return []
    return [
        "-add-fd", f"fd={spec.disk.overlay_fd},set=1",
        "-add-fd", f"fd={spec.disk.backing_fd},set=2",
        "-blockdev",
        "driver=file,node-name=backing-file,filename=/dev/fdset/2,read-only=on,auto-read-only=off",
        "-blockdev", "driver=raw,node-name=backing,file=backing-file,read-only=on",
        "-blockdev", "driver=file,node-name=overlay-file,filename=/dev/fdset/1,discard=unmap",
        "-blockdev",
        "driver=qcow2,node-name=disk,file=overlay-file,backing=backing,discard=unmap",
        "-device", f"virtio-blk-{_bus(spec)},drive=disk",
    ]


def _identity(spec: GuestSpec) -> list[str]:
    if spec.identity_fd is None:
        return []
    return ["-fw_cfg", f"name={FW_CFG_NAME},file={_open_file(spec.identity_fd)}"]


def _balloon(spec: GuestSpec) -> list[str]:
    # on a privately mapped template qemu 7.2 would punch the holes into the template's file
    if not spec.shape.free_page_reporting or not isinstance(spec.start, ColdStart):
        return []
    return ["-device", f"virtio-balloon-{_bus(spec)},free-page-reporting=on"]


def _open_file(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"
