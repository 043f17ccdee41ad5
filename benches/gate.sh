#!/usr/bin/env bash
# What a gate costs: a change of 20 files in a real repository, offkey beside gitleaks and kingfisher, in turns.
#
#   benches/gate.sh REPOSITORY      a clone, bare or not, of about 100 MB; it is cloned again, not touched
#
# OFFKEY, GITLEAKS, KINGFISHER name the programs (the wheels of tests/lab/requirements-programs.txt bring two of them);
# ROUNDS is the number of turns (default 15), LEDGER the number of fingerprints (default 1000000, 0 leaves it out).
# Every program must find the one planted token, else the run ends: a scanner that looked at nothing is not fast.
set -euo pipefail
repository=$(realpath "${1:?a git repository}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OFFKEY=${OFFKEY:-$here/target/release/offkey} GITLEAKS=${GITLEAKS:-gitleaks} KINGFISHER=${KINGFISHER:-kingfisher}
export ROUNDS=${ROUNDS:-15} LEDGER=${LEDGER:-1000000} WORK=$work
git clone -q "$repository" "$work/repo"
cd "$work/repo"
du -sh .git | awk '{ print "repository: " $1 " of objects" }'
git -c gc.auto=0 checkout -q -b bench-gate
python3 - <<'PYTHON'
import os, random, resource, sqlite3, statistics, string, subprocess, time
from pathlib import Path

work, rounds = Path(os.environ["WORK"]), int(os.environ["ROUNDS"])
dice = random.Random(20)
letters = string.ascii_letters + string.digits
token = "gl" + "pat-" + "".join(dice.choice(letters) for _ in range(20))
git = lambda *words: subprocess.run(["git", "-c", "user.name=bench", "-c", "user.email=b@harbourfinch.example", *words],
                                    check=True, capture_output=True, text=True).stdout
base = git("rev-parse", "HEAD").strip()
files = [f for f in git("ls-files").splitlines() if Path(f).is_file() and not Path(f).is_symlink()
         and f.endswith((".js", ".py", ".c", ".h", ".md", ".rst", ".ts")) and 2000 < Path(f).stat().st_size < 60000]
chosen = dice.sample(files, 20)
for number, name in enumerate(chosen):
    lines = Path(name).read_text(errors="replace").splitlines(keepends=True)
    at = dice.randrange(len(lines))
    lines.insert(at, f"GITLAB_TOKEN={token}\n" if number == 7 else f"// a changed line, number {dice.randrange(10**6)}\n")
    Path(name).write_text("".join(lines))
git("add", "-A")

home = work / "home"
home.mkdir()
(home / "fingerprint.key").write_text("5a" * 32)
env = {**os.environ, "OFFKEY_HOME": str(home)}
for name in ("OFFKEY_LEDGER", "OFFKEY_FINGERPRINT_KEY"):
    env.pop(name, None)
offkey, gitleaks, kingfisher = (os.environ[name] for name in ("OFFKEY", "GITLEAKS", "KINGFISHER"))

def run(command, more=None):
    """Wall time and CPU time in milliseconds, peak memory in MB, and how it ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**env, **(more or {})})
    wall = (time.perf_counter() - start) * 1000
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
    return (wall, cpu), done

def found(command, report=None):
    done = run(command)[1]
    text = done.stdout + done.stderr + (Path(report).read_text() if report else "")
    assert chosen[7].split("/")[-1] in text, f"{command[0]} did not find the planted token: {text[-600:]}"

def turns(title, commands):
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(run(command)[0])
    middle = lambda name, which: statistics.median(one[which] for one in times[name])
    print(f"\n{title} ({rounds} turns, milliseconds; wall time, then CPU time)")
    for name, all_ in times.items():
        wall = [one[0] for one in all_]
        print(f"  {name:<12} median {middle(name, 0):8.1f}   least {min(wall):8.1f}   most {max(wall):8.1f}"
              f"   {middle(name, 0) / middle('offkey', 0):6.1f} x   CPU {middle(name, 1):8.1f}   {middle(name, 1) / middle('offkey', 1):6.1f} x")

staged = {"offkey": [offkey, "gate", "--staged"],
          "gitleaks": [gitleaks, "git", ".", "--staged", "--no-banner", "-r", str(work / "gl.json")],
          "kingfisher": [kingfisher, "scan", ".", "--staged", "--no-validate", "--no-update-check", "-q", "--format", "json", "-o", str(work / "kf.json")]}
found(staged["offkey"]); found(staged["gitleaks"], work / "gl.json"); found(staged["kingfisher"], work / "kf.json")
turns("20 staged files", staged)

git("commit", "-q", "--no-verify", "-m", "bench")
merge = {"offkey": [offkey, "gate", "--base", base],
         "gitleaks": [gitleaks, "git", ".", f"--log-opts={base}..HEAD", "--no-banner", "-r", str(work / "gl2.json")],
         "kingfisher": [kingfisher, "scan", ".", "--since-commit", base, "--no-validate", "--no-update-check", "-q", "--format", "json", "-o", str(work / "kf2.json")]}
found(merge["offkey"]); found(merge["gitleaks"], work / "gl2.json"); found(merge["kingfisher"], work / "kf2.json")
turns("a merge request of one commit with 20 files", merge)
turns("--version", {"offkey": [offkey, "--version"]})

# A second look at the whole repository: unchanged, after one commit, and after one commit in a hundred came at once.
watch = [offkey, "watch", str(work / "repo")]
first = run(watch)[0]
again = [run(watch)[0] for _ in range(3)]
git("commit", "-q", "--allow-empty", "--no-verify", "-m", "one more")
more = run(watch)[0]
cpu = statistics.median(one[1] for one in again)
commits = git("rev-list", "--first-parent", "HEAD").split()
hundredth = int(git("rev-list", "--count", "HEAD")) // 100
old = next(one for one in commits if int(git("rev-list", "--count", f"{one}..HEAD")) >= hundredth)
came = int(git("rev-list", "--count", f"{old}..HEAD"))
late = work / "late"
subprocess.run(["git", "init", "-q", "--bare", str(late)], check=True)
fetch = lambda ref: subprocess.run(["git", "-C", str(late), "fetch", "-q", str(work / "repo"), f"+{ref}:refs/heads/main"],
                                   check=True, capture_output=True)
git("branch", "-f", "bench-old", old)
fetch("bench-old")
whole = run([offkey, "watch", str(late)])[0]
fetch("HEAD")
grown = run([offkey, "watch", str(late)])[0]
print(f"\nwatch (CPU milliseconds): first look {first[1]:.0f}, unchanged {cpu:.0f} ({cpu / first[1]:.1%}), one new commit {more[1]:.0f} ({more[1] / first[1]:.1%}),"
      f" {came} new commits of {hundredth * 100}: {grown[1]:.0f} after {whole[1]:.0f} ({grown[1] / whole[1]:.1%})")

count = int(os.environ["LEDGER"])
if count:
    db = sqlite3.connect(home / "ledger.db")
    db.execute("CREATE TABLE credential (fingerprint BLOB PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, owner TEXT NOT NULL,"
               " state TEXT NOT NULL, since TEXT NOT NULL, departed TEXT, until TEXT, first_seen TEXT NOT NULL, case_id TEXT NOT NULL,"
               " guessable INTEGER NOT NULL) STRICT, WITHOUT ROWID")
    row = lambda n: (dice.randbytes(16), "token", f"token {n % 500}", f"person {n % 2000}", "live", "2026-03-01T00:00:00Z", None, None,
                     "2026-02-01T00:00:00Z", "case", 0)
    rows = sorted(row(n) for n in range(count))
    db.executemany("INSERT INTO credential VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
    db.execute("PRAGMA user_version = 1")
    db.commit(); db.close()
    start = time.perf_counter()
    subprocess.run([offkey, "ledger", "export", "-o", str(work / "ledger.offkey")], check=True, env=env, capture_output=True)
    size = (work / "ledger.offkey").stat().st_size
    print(f"\nexport of {count} fingerprints: {time.perf_counter() - start:.1f} s, {size / 1e6:.1f} MB")
    none = {"OFFKEY_HOME": str(work / "none"), "OFFKEY_FINGERPRINT_KEY": "5a" * 32}
    kinds = {"no ledger": none, "exported": {**none, "OFFKEY_LEDGER": str(work / "ledger.offkey")}, "at home": {}}
    times = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, more in kinds.items():
            times[name].append(run([offkey, "gate", "--base", base], more)[0][1])
    plain = statistics.median(times["no ledger"])
    print(f"the same merge request with {count} fingerprints (CPU milliseconds)")
    for name, all_ in times.items():
        print(f"  {name:<12} median {statistics.median(all_):8.1f}   adds {statistics.median(all_) - plain:6.1f}")
PYTHON
