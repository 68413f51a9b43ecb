"""The benchmark's command line: chooses the scenarios, runs them, keeps what was measured; or draws it again."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import install
import machine
import ours
import plot
import proc
import report
import results
import scenarios
import table
from bench import Bench
from proc import adopt_orphans, stop_all

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLOTS = os.path.join(REPO, ".github", "plots")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
EPILOG = f"""scenarios: {" ".join(scenarios.ALL)}
Without one, all of them: about 35 minutes on two cores. Each run writes a file of its own into target/bench/results;
--from reads such files, or whole folders of them, and the newest of each row wins:

  scripts/bench.sh --nice -15                                   all, tables on standard output
  scripts/bench.sh down up --only muxftp,rsync                  a part again
  scripts/bench.sh --from target/bench/results --markdown       all tables, nothing is run
  scripts/bench.sh --from target/bench/results --plots --pages  README's part, BENCHMARKS.md's, and the plots that it shows"""


def size(text):
    """Bytes of `4G`, `512M`, `4096`."""
    unit = UNITS.get(text[-1:].upper(), 1)
    return int(float(text[:-1] if unit > 1 else text) * unit)


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh",
        description="Measures muxftp beside its peers on loopback and prints one markdown table a contest.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", choices=[*scenarios.ALL, []], metavar="SCENARIO")
    of_running(parser.add_argument_group("what is run"))
    of_results(parser.add_argument_group("what is made of it"))
    args = parser.parse_args(argv)
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.size = args.size or size("256M" if args.quick else "4G")
    args.patience = args.patience or (10.0 if args.full else 1.0)
    return args


def of_running(group):
    add = group.add_argument
    add("--rounds", type=int, help="counted rounds after the warm-up (5; quick: 2)")
    add("--size", type=size, help="of the large file (4G; quick: 256M)")
    add("--quick", action="store_true", help="small sizes, two rounds: to see that all works")
    add("--full", action="store_true", help="the longest runs too: a million files, 64 GiB, one stream of cubic on the long path")
    add("--patience", type=float, help="multiplies the seconds after which slow peers sit out (1; full: 10)")
    add("--only", help="entries whose name holds this text (more, with commas)")
    add("--disk", help="a folder on a real disk, for durability (target/bench/disk)")
    add("--folder", help="where to work (/dev/shm)")
    add("--binaries", help="a folder with ftp-server, ftp-client, ftp-load; nothing is built")
    add("--no-build", action="store_true", help="take what target/release has")
    add("--no-install", action="store_true", help="measure only against what is installed")
    add("--congestion", default="cubic", help="congestion control for all (cubic)")
    add("--nice", type=int, default=0, help="of all that is measured; -15 beside other work, as root (0)")
    add("--timeout", type=float, default=600, help="seconds that one run may take (600)")


def of_results(group):
    add = group.add_argument
    add("--json", metavar="FILE", help="what was measured, as JSON lines (target/bench/results/TIME.jsonl)")
    add("--from", dest="sources", nargs="+", metavar="FILE", help="run nothing: read files or folders of results")
    add("--markdown", action="store_true", help="with --from: goals and all tables on standard output (the default)")
    add("--plots", nargs="?", const=PLOTS, metavar="DIR", help="draw SVG plots (into .github/plots)")
    add("--pages", action="store_true", help="rewrite README's part and that of crates/BENCHMARKS.md")


def say(text):
    """Progress: to standard error, so that standard output is the tables alone."""
    print(text, file=sys.stderr, flush=True)


def run(args):
    """Measures; gives the file with what was measured."""
    target = ours.target_folder(REPO)
    args.disk = args.disk or os.path.join(target, "bench", "disk")
    args.tools = os.path.join(target, "bench", "peers")
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path = args.json or os.path.join(target, "bench", "results", started.replace(":", "") + ".jsonl")
    if not args.no_install:
        install.install(args.tools, say)
    programs = ours.Programs(REPO, args.binaries, build=not args.no_build)
    if not programs.server or not programs.client:
        say("(muxftp is not built: the peers alone)")
    if args.nice:
        os.nice(args.nice)
        proc.NICE = args.nice
    with machine.Congestion(args.congestion):
        writer = results.Writer(path, run_facts(args, started))
        bench = Bench(args, programs, say)
        try:
            run_all(bench, writer)
        finally:
            bench.close()
            writer.close()
    say(f"kept: {path}")
    return path


def run_facts(args, started):
    """The first line of the file: when, of what, on which machine, beside which peers."""
    return {
        "run": started,
        "commit": commit() + (" or older (built before)" if args.no_build or args.binaries else ""),
        "options": {"rounds": args.rounds, "size": args.size, "quick": args.quick, "full": args.full, "nice": args.nice},
        "machine": machine.facts(),
        "versions": install.versions(args.tools),
    }


def commit():
    """The tree's, as git names it."""
    words = ["git", "-C", REPO, "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.decode().strip() or "unknown"


def run_all(bench, writer):
    names = bench.args.scenario or list(scenarios.ALL)
    scenarios.prepare(bench, names)
    begun = time.monotonic()
    for name in names:
        begin = time.monotonic()
        run_one(bench, name, writer)
        bench.say(f"({name} took {time.monotonic() - begin:.0f} s)")
    bench.say(f"(all took {(time.monotonic() - begun) / 60:.1f} min)")


def run_one(bench, name, writer):
    args = bench.args
    shorten = table.shortener(bench.folder, bench.programs)
    order = 100 * list(scenarios.ALL).index(name)
    for contest in scenarios.ALL[name](bench):
        places = {entry.name: place for place, entry in enumerate(contest.entries)}
        if args.only:
            words = args.only.split(",")
            contest.entries = [entry for entry in contest.entries if any(word in entry.name for word in words)]
        contest.run(args.rounds, args.timeout, say, args.patience)
        kept = [contest.kept(entry, places[entry.name], shorten) for entry in contest.entries]
        writer.contest(contest.info(order), kept)
        order += 1
    bench.stop_servers()


def show(args, paths):
    """Tables, plots, the pages' parts: what was asked for, from the files."""
    found = results.read(paths)
    if not found.runs or not found.groups:
        say("(nothing was measured)")
        return 1
    if args.sources and args.json:
        results.merge(found, args.json)
    if args.plots:
        for path in plot.draw(found, args.plots):
            say(f"drawn: {path}")
    if args.pages:
        report.readme(found, os.path.join(REPO, "README.md"))
        report.benchmarks(found, os.path.join(REPO, "crates", "BENCHMARKS.md"), args.plots or PLOTS)
    if args.markdown or not (args.plots or args.pages or args.sources and args.json):
        print(report.whole(found))
    return 0


def interrupted(number, _frame):
    raise SystemExit(128 + number)


def main(argv):
    args = arguments(argv)
    if args.sources:
        try:
            return show(args, args.sources)
        except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
            say(f"bench.sh: cannot read the results: {error!r}")
            return 1
    signal.signal(signal.SIGTERM, interrupted)
    adopt_orphans()
    try:
        path = run(args)
    except KeyboardInterrupt:
        return 130
    finally:
        stop_all()
    return show(args, [path])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
