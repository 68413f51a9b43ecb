"""The scenarios by name. Each is a function from a `Bench` to its contests, in the order in which they are run."""

from scenarios import large, small

ALL = {
    "down": large.down,
    "down-null": large.down_null,
    "up": large.up,
    "small-down": small.down,
    "small-up": small.up,
}
