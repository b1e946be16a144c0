"""Writes vectors.json: known answers for trees of RFC 6962, one case a line.

usage: python3 vectors.py > vectors.json

It shares nothing with the product: trees are built level by level, a node without a sibling going up unchanged, where
the product keeps a right edge and splits at powers of two. Entry i of every tree is the SHA-256 of i in eight bytes,
little-endian. Each case says what is wrong with it, or that it is right.
"""

import base64
import hashlib
import json
import struct


def entry(i):
    return hashlib.sha256(struct.pack("<q", i)).digest()


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


# Trees of which wrong proofs are made, too.
SPOILT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 257, 65537]

LEAVES = [leaf(entry(i)) for i in range(70000)]


def levels(size):
    level = LEAVES[:size]
    found = [level]
    while len(level) > 1:
        above = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        found.append(above)
        level = above
    return found


CACHE = {}


def tree(size):
    if size not in CACHE:
        CACHE[size] = levels(size)
    return CACHE[size]


def root(size):
    return tree(size)[-1][0] if size else hashlib.sha256(b"").digest()


def inclusion(index, size):
    path = []
    for level in tree(size)[:-1]:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index >>= 1
    return path


def consistency(old, size):
    """Walks up from the last leaf of the old tree: its left siblings, and all that is new to its right."""
    if old in (0, size):
        return []
    path, index, started = [], old - 1, False
    for level in tree(size)[:-1]:
        if not started and index % 2 == 0:
            # The largest perfect subtree that ends the old tree begins the proof, unless it is all of it.
            started = True
            if index:
                path.append(level[index])
        if started and index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index >>= 1
    return path


def text(data):
    return base64.b64encode(data).decode()


def flipped(data):
    return bytes([data[0] ^ 1]) + data[1:]


def wrong_proofs(proof, other):
    yield "a hash too many", proof + [other]
    yield "a hash before the first", [other] + proof
    if proof:
        yield "the last hash is missing", proof[:-1]
        yield "the first hash is missing", proof[1:]
        yield "a flipped bit", [flipped(proof[0])] + proof[1:]
        yield "no hashes", []
    if len(proof) > 1:
        yield "two hashes swapped", [proof[1], proof[0]] + proof[2:]


def inclusions():
    sizes = list(range(1, 10)) + [16, 31, 33, 255, 256, 257, 1000, 65536, 65537, 70000]
    for size in sizes:
        for index in sorted({0, 1, size // 2, size - 2, size - 1} & set(range(size))):
            def case(desc, want_err, index=index, size=size, hashes=None, top=None, data=None):
                return {
                    "index": index, "size": size, "root": text(top or root(size)),
                    "entry": text(data or entry(index)), "proof": [text(h) for h in hashes],
                    "desc": desc, "wantErr": want_err}

            proof = inclusion(index, size)
            yield case("right", False, hashes=proof)
            if index not in (0, size - 1) or size not in SPOILT:
                continue
            yield case("another root", True, hashes=proof, top=flipped(root(size)))
            yield case("another entry", True, hashes=proof, data=flipped(entry(index)))
            yield case("beyond the tree", True, hashes=proof, index=size, data=entry(index))
            for desc, wrong in wrong_proofs(proof, root(size)):
                yield case(desc, True, hashes=wrong)


def consistencies():
    sizes = list(range(1, 10)) + [16, 31, 33, 255, 256, 257, 1000, 65536, 65537, 70000]
    for size in sizes:
        for old in sorted({0, 1, 2, size // 2, size - 1, size, 256, 257} & set(range(size + 1))):
            def case(desc, want_err, size1=old, size2=size, hashes=None, root1=None, root2=None):
                return {
                    "size1": size1, "size2": size2, "root1": text(root1 or root(old)),
                    "root2": text(root2 or root(size)), "proof": [text(h) for h in hashes],
                    "desc": desc, "wantErr": want_err}

            proof = consistency(old, size)
            yield case("right", False, hashes=proof)
            if old not in (1, size // 2, size - 1) or old == 0 or size not in SPOILT:
                continue
            yield case("another earlier root", True, hashes=proof, root1=flipped(root(old)))
            yield case("another root", True, hashes=proof, root2=flipped(root(size)))
            if old != size:
                yield case("the trees the other way round", True, size1=size, size2=old, hashes=proof)
            for desc, wrong in wrong_proofs(proof, root(size)):
                yield case(desc, True, hashes=wrong)


def lines(cases):
    return ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)


hashes = ",\n".join([
    json.dumps({"leaf": text(leaf(entry(0))), "entry": text(entry(0))}),
    json.dumps({"node": text(node(LEAVES[0], LEAVES[1])), "left": text(LEAVES[0]), "right": text(LEAVES[1])}),
])
roots = ",\n".join(json.dumps({"size": size, "root": text(root(size))}) for size in
                   list(range(66)) + [127, 128, 129, 255, 256, 257, 511, 513, 1000, 65535, 65536, 65537, 70000])
print(f'{{"hashes":[\n{hashes}\n],"roots":[\n{roots}\n],')
print(f'"inclusion":[\n{lines(inclusions())}\n],"consistency":[\n{lines(consistencies())}\n]}}')
