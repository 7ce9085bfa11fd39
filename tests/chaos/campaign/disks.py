"""A directory and a size in, a file system of its own there out: it can run full, and lose its power."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

#: No commit of the journal but those that an fsync asks for: what was not synced is lost with the power, and
#: a copy that takes a second is not torn by a commit in its midst.
_MOUNT_OPTIONS: Final = "loop,commit=600,noatime"
_FILLER: Final = "filler"
_DETACH_TRIES: Final = 50
_DETACH_AGAIN_S: Final = 0.2


class LoopDisk:
    """ext4 in a file beside `mount`, mounted there through a loop device. Needs root."""

    def __init__(self, mount: Path, *, size_mib: int) -> None:
        self.mount = mount
        self._image = mount.with_name(f"{mount.name}.img")
        self._size_mib = size_mib

    def make(self) -> None:
        """Raises OSError or CalledProcessError: not here."""
        self.mount.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(self._size_mib << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._attach()

    def fill(self) -> None:
        """Not one block is left, for root neither."""
        with (self.mount / _FILLER).open("ab", buffering=0) as filler:
            fd = filler.fileno()
            state = os.fstatvfs(fd)
            with suppress(OSError):
                os.posix_fallocate(fd, 0, max(0, state.f_bavail - 64) * state.f_bsize)
            block = bytes(4096)
            with suppress(OSError):
                while True:
                    filler.write(block)

    def free(self) -> None:
        (self.mount / _FILLER).unlink(missing_ok=True)

    def cut_power(self) -> None:
        """Keep what has reached the disk by now. Whatever writes to it must be frozen before."""
        _run("cp", "--sparse=always", str(self._image), str(self._copy))

    def power_on(self) -> None:
        """The disk as `cut_power` found it; nothing may use it now."""
        self._detach()
        self._copy.replace(self._image)
        self._attach()

    def remove(self) -> None:
        with suppress(OSError, subprocess.CalledProcessError):
            self._detach()
        for file in (self._image, self._copy):
            file.unlink(missing_ok=True)

    @property
    def _copy(self) -> Path:
        return self._image.with_suffix(".cut")

    def _attach(self) -> None:
        _run("mount", "-o", _MOUNT_OPTIONS, str(self._image), str(self.mount))

    def _detach(self) -> None:
        # A process of many threads that was killed lets go of its files a little after it is gone.
        for _ in range(_DETACH_TRIES):
            with suppress(subprocess.CalledProcessError):
                _run("umount", str(self.mount))
                return
            time.sleep(_DETACH_AGAIN_S)
        _run("umount", str(self.mount))


def detach_below(folder: Path) -> None:
    """Unmount whatever a harness that was killed left mounted here."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if Path(place).is_relative_to(folder):
            with suppress(subprocess.CalledProcessError):
                _run("umount", "--lazy", place)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
