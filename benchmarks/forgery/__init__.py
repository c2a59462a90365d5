"""Forged fingerprints: attacks on public probes, and what a secret key and `--deep` say to them.

What somebody who knows the probes can do, signal by signal:

- *operators, fixed basis*: imitated or erased at will by a step in 32 known directions on both sides of each product. A secret key moves
  the directions: what is forged in m of d dimensions shows in others as about (m / d)^2, 7 % at 128 wide, 0.3 % at 576, 0.006 % at 4096.
- *operators, token space*: the same, between the embeddings of anchor tokens. A key helps only if it chooses the tokens too.
- *response sketches, row samples, anchors' rows*: linear in the weights, so one step of least squares; a key moves them all.
- *unit index*: its null is that the order of neurons is an accident. Who sorts their neurons makes it none: equal numbers come free, the
  function unchanged, and what reads alike in all directions reads somewhat alike in secret ones. It erases as freely, by any permutation.
- *digests*: equal values cannot be forged otherwise than by copying them, which is a link; one changed bit erases one.
- *moments, traces, grids, zeros, names, configuration*: anything one likes; they decide nothing.
- *free disguises* (permutations, rotations, rescaling) cost no forgery: they move a copy out of the fixed basis, key or not, and leave
  token space, which an attacker then erases by a few per cent. Value by value, the rotation is recovered from the embeddings.

Not forged by any of this: exact cosines. A model whose cosines to its victim are 0 was not made from it, whatever its fingerprint says.
What was *really* copied into it, were it 1 % of its norm, is what a keyed fingerprint of a narrow model may see.
"""
