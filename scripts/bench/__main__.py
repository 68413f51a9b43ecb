"""The benchmark's command line: chooses the scenarios, runs them, prints the tables, writes the raw figures and plots."""

import argparse
import json
import os
import signal
import sys
import time

import install
import machine
import ours
import plot
import proc
import scenarios
import table
from bench import Bench
from proc import adopt_orphans, stop_all

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size(text):
    """Bytes of `4G`, `512M`, `4096`."""
    unit = UNITS.get(text[-1:].upper(), 1)
    return int(float(text[:-1] if unit > 1 else text) * unit)


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh",
        description="Measures muxftp beside its peers on loopback and prints one markdown table a scenario.",
        epilog="Scenarios: " + " ".join(scenarios.ALL) + ". Without one, all of them; curves only with --plots.",
    )
    parser.add_argument("scenario", nargs="*", choices=[*scenarios.ALL, []], metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds after the warm-up (5)")
    parser.add_argument("--size", type=size, default=None, help="of the large file (4G; quick: 256M)")
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds: to see that all works")
    parser.add_argument("--full", action="store_true", help="the longest runs too: a million files, 64 GiB")
    parser.add_argument("--disk", help="a folder on a real disk, for durability (target/bench/disk)")
    parser.add_argument("--folder", help="where to work (/dev/shm)")
    parser.add_argument("--json", help="the raw figures (target/bench/results.json)")
    parser.add_argument("--plots", help="draw SVG plots into this folder")
    parser.add_argument("--binaries", help="a folder with ftp-server, ftp-client, ftp-load; nothing is built")
    parser.add_argument("--no-build", action="store_true", help="take what target/release has")
    parser.add_argument("--no-install", action="store_true", help="measure only against what is installed")
    parser.add_argument("--only", help="entries whose name holds this text (more, with commas)")
    parser.add_argument("--congestion", default="cubic", help="congestion control for all (cubic)")
    parser.add_argument("--nice", type=int, default=0, help="of all that is measured; -15 beside other work, as root (0)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take (600)")
    args = parser.parse_args(argv)
    args.size = args.size or size("256M" if args.quick else "4G")
    if args.quick and "--rounds" not in " ".join(argv):
        args.rounds = 2
    target = ours.target_folder(REPO)
    args.json = args.json or os.path.join(target, "bench", "results.json")
    args.disk = args.disk or os.path.join(target, "bench", "disk")
    args.tools = os.path.join(target, "bench", "peers")
    return args


def say(text):
    """Progress: to standard error, so that standard output is the tables alone."""
    print(text, file=sys.stderr, flush=True)


def versions(tools):
    """The versions of the peers that are here."""
    asked = {
        "nginx": ["nginx", "-v"],
        "lighttpd": ["lighttpd", "-v"],
        "vsftpd": ["dpkg-query", "-W", "-f", "vsftpd ${Version}", "vsftpd"],
        "rsync": ["rsync", "--version"],
        "sshd": ["ssh", "-V"],
        "lftp": ["lftp", "--version"],
        "curl": ["curl", "--version"],
        "openssl": ["openssl", "version"],
    }
    found = {}
    for name, argv in asked.items():
        path = install.find(argv[0], tools)
        said = machine.version([path, *argv[1:]]) if path else None
        if said:
            found[name] = said.strip()
    return found


def run(args):
    if not args.no_install:
        install.install(args.tools)
    programs = ours.Programs(REPO, args.binaries, build=not args.no_build)
    if not programs.server or not programs.client:
        say("(muxftp is not built: the peers alone)")
    names = args.scenario or [name for name in scenarios.ALL if name != "curves" or args.plots]
    results = {"machine": machine.facts(), "versions": versions(args.tools), "contests": []}
    if args.nice:
        os.nice(args.nice)
        proc.NICE = args.nice
    with machine.Congestion(args.congestion):
        results["machine"]["congestion control"] = machine.congestion()
        header(results)
        bench = Bench(args, programs, say)
        try:
            for name in names:
                begin = time.monotonic()
                run_one(bench, name, results)
                say(f"({name} took {time.monotonic() - begin:.0f} s)")
        finally:
            bench.close()
    return results


def run_one(bench, name, results):
    args = bench.args
    for contest in scenarios.ALL[name](bench):
        if args.only:
            words = args.only.split(",")
            contest.entries = [entry for entry in contest.entries if any(word in entry.name for word in words)]
        contest.run(args.rounds, args.timeout, say)
        print(table.of_contest(contest), flush=True)
        lines = table.commands(contest, bench.folder, bench.programs)
        if lines:
            print("```text\n" + "\n".join(lines) + "\n```\n", flush=True)
        results["contests"].append(contest.json())
        write(args.json, results)
    bench.stop_servers()


def header(results):
    facts = results["machine"]
    text = ", ".join(
        [
            f"{facts['cores']} cores of {facts['processor']}",
            f"{facts['memory'] / (1 << 30):.0f} GiB",
            f"Linux {facts['kernel']}",
            facts["congestion control"],
        ]
    )
    print(f"{text}.\n", flush=True)


def write(path, results):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
        file.write("\n")


def interrupted(number, _frame):
    raise SystemExit(128 + number)


def main(argv):
    args = arguments(argv)
    signal.signal(signal.SIGTERM, interrupted)
    adopt_orphans()
    try:
        results = run(args)
    except KeyboardInterrupt:
        return 130
    finally:
        stop_all()
    if args.plots:
        for path in plot.draw(results, args.plots):
            say(f"drawn: {path}")
    say(f"raw figures: {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
