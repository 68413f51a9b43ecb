"""Instruction counts of the hot paths against a stored baseline; see scripts/counts.sh."""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BASELINE = os.path.join(HERE, "counts.json")
# A path may cost so much more than it did, in percent. Less: the compiler's moods from one build to the next.
MARGIN = 5
# The difference of two runs is what so many repetitions cost: the start of the program drops out.
FEW, MANY = 200, 1_200


def build():
    """Builds the bench and gives its path."""
    words = "cargo bench -q --locked -p ftp-tests --bench counts --no-run --message-format=json".split()
    done = subprocess.run(words, cwd=REPO, stdout=subprocess.PIPE, check=True)
    for line in done.stdout.splitlines():
        told = json.loads(line)
        if told.get("executable") and told["target"]["name"] == "counts":
            return told["executable"]
    raise SystemExit("the bench did not build")


def instructions(program, path, times):
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, path, str(times)]
    done = subprocess.run(words, capture_output=True, check=False)
    found = re.search(rb"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return int(found.group(1))


def measure():
    """Path -> instructions for one run of it."""
    program = build()
    paths = subprocess.run([program], capture_output=True, check=True).stdout.decode().splitlines()
    return {
        path: round((instructions(program, path, MANY) - instructions(program, path, FEW)) / (MANY - FEW))
        for path in paths
    }


def compiler():
    return subprocess.run(["rustc", "--version"], capture_output=True, check=True).stdout.decode().strip()


def main(words):
    counts = measure()
    if words == ["--update"]:
        with open(BASELINE, "w", encoding="utf-8") as file:
            json.dump({"compiler": compiler(), "instructions": counts}, file, indent=2)
            file.write("\n")
    with open(BASELINE, encoding="utf-8") as file:
        baseline = json.load(file)
    worse = []
    for path, count in counts.items():
        before = baseline["instructions"].get(path)
        change = (count - before) / before * 100 if before else 0.0
        print(f"{count:>8,}  {change:+6.1f} %  {path}")
        if before is None or change > MARGIN:
            worse.append(path)
    if baseline["compiler"] != compiler():
        print(f"not compared: the baseline is of {baseline['compiler']}")
        return 0
    if worse:
        print(f"more than {MARGIN} % above the baseline (or not in it): {', '.join(worse)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
