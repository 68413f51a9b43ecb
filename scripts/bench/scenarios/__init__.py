"""The scenarios by name. Each is a function from a `Bench` to its contests, in the order in which they are run."""

from scenarios import curves, disk, large, loops, scale, sessions, small, wan

ALL = {
    "down": large.down,
    "down-null": large.down_null,
    "up": large.up,
    "small-down": small.down,
    "small-up": small.up,
    "idle": sessions.idle,
    "connects": sessions.connects,
    "many": sessions.many,
    "scale": scale.scale,
    "list": scale.listing,
    "durability": disk.durability,
    "reactors": loops.reactors,
    "wan": wan.wan,
    "curves": curves.curves,
}
