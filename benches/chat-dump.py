"""Makes a chat export in Slack's layout: chat-dump.py FOLDER MEGABYTES. Text from the Python library's own comments."""

import json
import random
import string
import sys
import sysconfig
from pathlib import Path

folder, size = Path(sys.argv[1]), int(sys.argv[2]) * 1_000_000
dice = random.Random(7)
letters = string.ascii_letters + string.digits
lines = []
for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:80]:
    lines += [line.strip() for line in file.read_text(errors="replace").splitlines() if len(line.strip()) > 20]
people = [f"U{n:08X}" for n in range(40)]


def secret():
    """One of five kinds, made up."""
    return dice.choice([
        lambda: "AK" + "IA" + "".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)),
        lambda: "gl" + "pat-" + "".join(dice.choice(letters) for _ in range(20)),
        lambda: "postgres://shop:" + "".join(dice.choice(letters) for _ in range(18)) + "@db.internal:5432/shop",
        lambda: "password = '" + "".join(dice.choice(letters + "!#%") for _ in range(16)) + "'",
        lambda: "xo" + "xb-" + "".join(dice.choice(string.digits) for _ in range(12)) + "-"
        + "".join(dice.choice(string.digits) for _ in range(12)) + "-" + "".join(dice.choice(letters) for _ in range(24)),
    ])()


folder.mkdir(parents=True, exist_ok=True)
users = [{"id": one, "name": f"user{n}", "profile": {"email": f"user{n}@harbourfinch.example"}} for n, one in enumerate(people)]
(folder / "users.json").write_text(json.dumps(users))
channels = [{"id": f"C{n:08X}", "name": f"channel-{n}", "members": people} for n in range(20)]
(folder / "channels.json").write_text(json.dumps(channels))
days = max(1, size // 20 // 400_000 + 1)
each = size // (20 * days)
files = [(channel["name"], f"2026-{1 + day // 28 % 12:02}-{1 + day % 28:02}.json") for channel in channels for day in range(days)]
planted = {n: 0 for n in range(len(files))}
for _ in range(500):
    planted[dice.randrange(len(files))] += 1
for n, (channel, name) in enumerate(files):
    (folder / channel).mkdir(exist_ok=True)
    messages, written, stamp = [], 0, 1_767_225_600 + n * 1000
    while written < each or planted[n]:
        text = " ".join(dice.choice(lines) for _ in range(dice.randrange(1, 4)))
        if planted[n] and (written >= each or dice.random() < 0.01):
            text += " " + secret()
            planted[n] -= 1
        stamp += 1
        messages.append({"type": "message", "user": dice.choice(people), "text": text, "ts": f"{stamp}.{n:06}"})
        written += len(text) + 80
    (folder / channel / name).write_text(json.dumps(messages, indent=1))
