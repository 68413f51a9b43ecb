"""The scenarios by name. Each is a function from a `Bench` to its contests, in the order in which they are run.

First those that need no file to have rested: a digest that a server has read counts only if the file was left alone for
a minute before, and meanwhile these can run (see `Bench.settled`).
"""

from scenarios import classic, curves, disk, large, listing, loops, scale, sessions, small, tls, wan

ALL = {
    "idle": sessions.idle,
    "connects": sessions.connects,
    "small-down": small.down,
    "small-up": small.up,
    "down": large.down,
    "down-null": large.down_null,
    "up": large.up,
    "many": sessions.many,
    "reactors": loops.reactors,
    "tls": tls.tls,
    "classic": classic.classic,
    "classic-idle": classic.beside_idle,
    "durability": disk.durability,
    "list": listing.listing,
    "scale": scale.scale,
    "wan": wan.wan,
    "curve-connections": curves.connections,
    "curve-sizes": curves.sizes,
    "curve-memory": curves.memory,
    "list-ftp": listing.first_byte,
}


def prepare(bench, names):
    """Makes the files that are to rest, before anything is run."""
    if {"down", "down-null", "up", "tls"}.intersection(names):
        bench.big()
    if {"many", "curve-connections"}.intersection(names):
        sessions.many_files(bench)
