#!/usr/bin/env python3
"""Trains the ranker of generic secrets and writes src/detect/generic/ranker.txt (and, with --triples, trigrams.txt).

    scripts/train-ranker.py --offkey target/release/offkey --scorer ../shared/eval/score.py --data DIR [--ordinary DIR ...]

DIR is the development half of CredData with natural values, as the scorer unpacks it (labels.csv and data/). Folders given
with --ordinary hold source code without labels: every site in them counts as no secret, at a small weight, so that the
ranker knows what code looks like when nobody selected it.

Needs numpy, lightgbm and scikit-learn (a virtual environment outside of the tree). Prints precision, recall and F1 of a
cross-validation in which no repository is in both halves: that is the honest figure, the fit on all data is not.
No value and no path of the data goes into the table: it holds thresholds and leaf scores only.
"""
import argparse
import collections
import importlib.util
import json
import math
import os
import re
import subprocess

import lightgbm as lgb
import numpy as np
from sklearn.linear_model import LogisticRegression

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "detect", "generic")
PARAMETERS = dict(objective="binary", extra_trees=True, learning_rate=0.09, num_leaves=15, min_data_in_leaf=20, feature_fraction=0.3,
                  bagging_fraction=0.8, bagging_freq=1, lambda_l2=8.0, max_bin=63, verbose=-1, seed=7, num_threads=2)
FOLDS = 5
TREES = 450


def sites(offkey, folders, cwd):
    """What `offkey explain` saw and did not drop."""
    run = subprocess.run([offkey, "explain", "--format", "jsonl", "--features", "--reveal", *folders], cwd=cwd,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    rows = []
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        row = json.loads(line)
        if row["features"]:
            row["names"] = row["names"] if not rows else None
            rows.append(row)
    return rows


def label(scorer, root, labels, rows):
    """1 for a secret, 0 for none, -1 for what counts neither way; and the labelled items that a site hits."""
    lines = scorer.Lines(root)
    marks, hits = [], []
    for row in rows:
        finding = scorer.F(row["path"], row["line_start"], row["line_end"], row["rule"], row["secret"],
                           row["col_start"], row["col_end"])
        secrets, others = labels.get(row["path"], ([], []))
        text = lines.get(row["path"])
        spans = scorer.locate(finding, text)
        first, last = (spans[0][0], spans[-1][0]) if spans else (finding["ls"], finding["le"])
        hit = [i for i in secrets if i.ls <= last and i.le >= first and covers(i, spans, text)]
        core = [id(i) for i in hit if i.tier != "ident"]
        mark = 1 if core else -1 if hit else 0
        if not hit and any(i.tier == "ident" and i.ls <= finding["le"] and i.le >= finding["ls"] for i in others):
            mark = -1
        marks.append(mark)
        hits.append(core)
    return np.array(marks), hits


def covers(item, spans, text):
    if not spans or item.ls != item.le or item.vs < 0:
        return True
    for line, start, end in spans:
        stop = item.ve if item.ve > item.vs else max(item.vs + 1, len(text[line - 1]))
        overlap = min(end, stop) - max(start, item.vs)
        if line == item.ls and overlap > 0 and overlap * 2 >= min(end - start, stop - item.vs):
            return True
    return False


def folds(repositories, marks):
    """Repositories spread over folds so that each has as many secrets."""
    secrets = collections.Counter(repositories[marks == 1])
    load, place = [0] * FOLDS, {}
    for name in sorted(set(repositories), key=lambda r: (-secrets[r], r)):
        place[name] = int(np.argmin(load))
        load[place[name]] += secrets[name] + 1
    return np.array([place[name] for name in repositories])


def fit(x, y, extra, weight, trees):
    if len(extra):
        x = np.vstack([x, extra])
        y = np.concatenate([y, np.zeros(len(extra))])
    weights = np.ones(len(y))
    weights[len(y) - len(extra):] = weight
    return lgb.train(PARAMETERS, lgb.Dataset(x, y, weight=weights), trees)


def report(p, marks, hits, rows, everything):
    places = [(row["path"], row["line_start"], row["col_start"]) for row in rows]
    for threshold in np.arange(0.2, 0.81, 0.1):
        kept = p >= threshold
        found = {h for keep, hit in zip(kept, hits) if keep for h in hit}
        false = {place for keep, place, mark in zip(kept, places, marks) if keep and mark == 0}
        precision, recall = len(found) / max(1, len(found) + len(false)), len(found) / everything
        print("threshold %.1f  TP %d  FP %d  precision %.3f  recall %.3f  F1 %.3f" % (
            threshold, len(found), len(false), precision, recall, 2 * precision * recall / max(1e-9, precision + recall)))
    for low, high in [(0, .1), (.1, .3), (.3, .5), (.5, .7), (.7, .9), (.9, 1.01)]:
        chosen = (p >= low) & (p < high) & (marks >= 0)
        if chosen.any():
            print("of those said %.2f, true %.2f (%d)" % (p[chosen].mean(), (marks[chosen] == 1).mean(), chosen.sum()))


def write(model, names, slope, offset):
    def walk(node, into):
        if "split_feature" in node:
            into.append("%d:%.6g" % (node["split_feature"], node["threshold"]))
            walk(node["left_child"], into)
            walk(node["right_child"], into)
        else:
            into.append("=%.4g" % (node["leaf_value"] * slope))
        return into
    trees = [" ".join(walk(tree["tree_structure"], [])) for tree in model.dump_model()["tree_info"]]
    with open(os.path.join(HERE, "ranker.txt"), "w") as out:
        out.write("# Made by scripts/train-ranker.py. Feature names, base score, one tree a line in preorder.\n")
        out.write("\n".join([" ".join(names), "%.4g" % offset, *trees]) + "\n")


def triples(root, labels):
    """Log-likelihood of letter triples in the words of all lines without a secret."""
    words = collections.Counter()
    for folder, _, files in os.walk(os.path.join(root, "data")):
        for name in files:
            path = os.path.join(folder, name)
            secrets = labels.get(os.path.relpath(path, root), ([], []))[0]
            skip = {n for i in secrets for n in range(i.ls, i.le + 1)}
            with open(path, encoding="utf-8", errors="replace") as text:
                for number, line in enumerate(text.read(400_000).split("\n"), 1):
                    if number in skip or len(line) > 400:
                        continue
                    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", line):
                        if 3 <= len(word) <= 20:
                            words[word.lower()] += 1
    triple, pair = [1.0] * 27 ** 3, [27.0] * 27 ** 2
    for word, count in words.items():
        if count < 3:
            continue
        codes = [26, 26] + [ord(c) - 97 for c in word] + [26]
        for a, b, c in zip(codes, codes[1:], codes[2:]):
            # the square root keeps the words of one kind of file from ruling the table
            triple[(a * 27 + b) * 27 + c] += math.sqrt(count)
            pair[a * 27 + b] += math.sqrt(count)
    score = (math.log(triple[i] / pair[i // 27]) for i in range(27 ** 3))
    with open(os.path.join(HERE, "trigrams.txt"), "wb") as out:
        out.write(bytes(33 + round(max(0.0, min(60.0, (s + 9.0) / 9.0 * 60.0))) for s in score))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--offkey", required=True)
    ap.add_argument("--scorer", required=True)
    ap.add_argument("--data", required=True)
    ap.add_argument("--ordinary", nargs="*", default=[])
    ap.add_argument("--weight", type=float, default=0.3, help="weight of a site of an ordinary folder")
    ap.add_argument("--trees", type=int, default=TREES)
    ap.add_argument("--triples", action="store_true", help="make trigrams.txt first; build offkey again, then train")
    a = ap.parse_args()
    spec = importlib.util.spec_from_file_location("score", a.scorer)
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    labels = scorer.load_labels(os.path.join(a.data, "labels.csv"))
    if a.triples:
        return triples(a.data, labels)
    offkey = os.path.abspath(a.offkey)
    rows = sites(offkey, ["data"], a.data)
    marks, hits = label(scorer, a.data, labels, rows)
    x = np.array([row["features"] for row in rows], dtype=np.float32)
    extra = np.array([row["features"] for row in sites(offkey, a.ordinary, ".")] if a.ordinary else [], dtype=np.float32)
    everything = sum(1 for secrets, _ in labels.values() for i in secrets if i.tier != "ident")
    reached = {h for hit in hits for h in hit}
    print("%d sites, %d ordinary, %d of %d secrets reached" % (len(rows), len(extra), len(reached), everything))
    repositories = np.array([row["path"].split("/")[1] for row in rows])
    fold, known = folds(repositories, marks), marks >= 0
    p = np.zeros(len(rows))
    for n in range(FOLDS):
        model = fit(x[(fold != n) & known], marks[(fold != n) & known], extra, a.weight, a.trees)
        p[fold == n] = model.predict(x[fold == n])
    logit = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    close = known & (logit > -4)
    platt = LogisticRegression(C=100).fit(logit[close].reshape(-1, 1), marks[close])
    slope, offset = float(platt.coef_[0][0]), float(platt.intercept_[0])
    report(1 / (1 + np.exp(-(logit * slope + offset))), marks, hits, rows, len(reached))
    write(fit(x[known], marks[known], extra, a.weight, a.trees), rows[0]["names"], slope, offset)


if __name__ == "__main__":
    main()
