"""Copies a tree as a careful but naive program does: temp file, sync, rename, sync of the folder, one file at a time."""

import os
import sys


def copy(source, target):
    os.makedirs(target, exist_ok=True)
    folder = os.open(target, os.O_RDONLY)
    for name in sorted(os.listdir(source)):
        here, there = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(here):
            copy(here, there)
            continue
        with open(here, "rb", buffering=0) as file:
            data = file.read()
        with open(there + ".new", "wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        os.rename(there + ".new", there)
        os.fsync(folder)
    os.close(folder)


copy(sys.argv[1], sys.argv[2])
