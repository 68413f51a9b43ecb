"""The files that are transferred, and the proof that they arrived."""

import filecmp
import os
import shutil

from proc import Failed

BLOCK = 16 << 20
# Comparing by the few KiB that are its choice takes longer than the transfers.
filecmp.BUFSIZE = 1 << 20


def big(path, size):
    """A file of random bytes."""
    if os.path.exists(path) and os.path.getsize(path) == size:
        return path
    with open(path, "wb", buffering=0) as file:
        left = size
        while left > 0:
            left -= file.write(os.urandom(min(left, BLOCK)))
    return path


def sparse(path, size):
    """A file of zeros that takes no room."""
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def tree(path, count, size, per_folder=100):
    """A folder of `count` files of `size` bytes each, `per_folder` in each folder beneath it."""
    if os.path.exists(path):
        return path
    noise = os.urandom(size + count)
    for number in range(count):
        folder = os.path.join(path, f"d{number // per_folder:05}")
        if number % per_folder == 0:
            os.makedirs(folder)
        with open(os.path.join(folder, f"f{number % per_folder:05}"), "wb", buffering=0) as file:
            file.write(noise[number : number + size])
    return path


def flat(path, count):
    """One folder with `count` empty files."""
    if not os.path.exists(path):
        os.makedirs(path)
        for number in range(count):
            os.mknod(os.path.join(path, f"file-{number:07}"))
    return path


def files_of(path):
    """Every file beneath a folder, by relative name."""
    found = []
    for folder, _, names in os.walk(path):
        found += [os.path.relpath(os.path.join(folder, name), path) for name in names]
    return sorted(found)


def remove(path):
    """Removes a file or a folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


class Proof:
    """Compares what arrived with what was sent: size every time, bytes the first time."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.looked = False

    def __call__(self):
        if os.path.isdir(self.source):
            self._tree()
        else:
            self._file()
        self.looked = True

    def _file(self):
        if not os.path.exists(self.target):
            raise Failed(f"{self.target} did not arrive")
        if os.path.getsize(self.target) != os.path.getsize(self.source):
            raise Failed(f"{self.target} has another size")
        if not self.looked and not filecmp.cmp(self.source, self.target, shallow=False):
            raise Failed(f"{self.target} has other bytes")

    def _tree(self):
        names = files_of(self.source)
        arrived = files_of(self.target) if os.path.isdir(self.target) else []
        if names != arrived:
            raise Failed(f"{len(arrived)} of {len(names)} files in {self.target}")
        if not self.looked:
            same, other, odd = filecmp.cmpfiles(self.source, self.target, names, shallow=False)
            if other or odd:
                raise Failed(f"{len(other) + len(odd)} files differ in {self.target}, {len(same)} do not")
