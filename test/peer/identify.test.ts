/**
 * createIdentify: which way names the caller, which proof the name reaches, and that the ladder of proofs is one.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createIdentify, type Evidence, type Way } from "../../src/peer/identify.ts";
import { createNetworks } from "../../src/peer/networks.ts";
import { type Proof, reaches } from "../../src/peer/proof.ts";

const ALL: readonly Way[] = ["x-matrix", "http-signature", "mtls", "address"];
const NOTHING: Evidence = {
  authorization: [],
  signature: [],
  signatureInput: [],
  certificateNames: [],
  address: "",
};
const networks = createNetworks({ "relay.test": ["10.1.0.0/16"], "shared.test": ["10.1.0.0/16"] });

const MATRIX = { authorization: ["X-Matrix origin=hs.test:8448"] };
const SIGNED = { signature: ['keyId="https://ap.test/x"'] };

describe("createIdentify", () => {
  it.each<{
    why: string;
    order: readonly Way[];
    evidence: Partial<Evidence>;
    name: string | undefined;
    proof: Proof;
  }>([
    { why: "nothing was sent", order: ALL, evidence: {}, name: undefined, proof: "none" },
    { why: "X-Matrix", order: ALL, evidence: MATRIX, name: "hs.test:8448", proof: "claimed" },
    { why: "an HTTP signature", order: ALL, evidence: SIGNED, name: "ap.test", proof: "claimed" },
    {
      why: "a certificate",
      order: ALL,
      evidence: { certificateNames: ["a.test", "b.test"] },
      name: "a.test",
      proof: "mtls",
    },
    {
      why: "an address",
      order: ALL,
      evidence: { address: "10.1.2.3" },
      name: "relay.test",
      proof: "network",
    },
    {
      why: "an address of nobody",
      order: ALL,
      evidence: { address: "10.2.0.1" },
      name: undefined,
      proof: "none",
    },
    {
      why: "the first way of the order",
      order: ["http-signature", "x-matrix"],
      evidence: { ...MATRIX, ...SIGNED },
      name: "ap.test",
      proof: "claimed",
    },
    {
      why: "a way that is not in the order",
      order: ["mtls"],
      evidence: MATRIX,
      name: undefined,
      proof: "none",
    },
    { why: "no way at all", order: [], evidence: MATRIX, name: undefined, proof: "none" },
    {
      why: "an unreadable X-Matrix counts as absent",
      order: ALL,
      evidence: { authorization: ["X-Matrix "], ...SIGNED },
      name: "ap.test",
      proof: "claimed",
    },
    {
      why: "an opaque key id counts as absent",
      order: ALL,
      evidence: { signature: ['keyId="k"'], address: "10.1.2.3" },
      name: "relay.test",
      proof: "network",
    },
    {
      why: "two origins: nobody, whatever else is known",
      order: ALL,
      evidence: {
        authorization: ["X-Matrix origin=a.test", "X-Matrix origin=b.test"],
        certificateNames: ["a.test"],
        address: "10.1.2.3",
      },
      name: undefined,
      proof: "none",
    },
    {
      why: "key ids of two servers: nobody",
      order: ALL,
      evidence: { signature: [...SIGNED.signature, 'keyId="https://b.test/x"'], address: "10.1.2.3" },
      name: undefined,
      proof: "none",
    },
    {
      why: "a claimed name in the certificate",
      order: ALL,
      evidence: { ...SIGNED, certificateNames: ["x.test", "ap.test"] },
      name: "ap.test",
      proof: "mtls",
    },
    {
      why: "a certificate's name stands for every port",
      order: ALL,
      evidence: { ...MATRIX, certificateNames: ["hs.test"] },
      name: "hs.test:8448",
      proof: "mtls",
    },
    {
      why: "another's certificate proves nothing",
      order: ALL,
      evidence: { ...MATRIX, certificateNames: ["evil.test"] },
      name: "hs.test:8448",
      proof: "claimed",
    },
    {
      why: "a claimed name in its network, listed second",
      order: ALL,
      evidence: { authorization: ["X-Matrix origin=shared.test:1"], address: "::ffff:10.1.2.3" },
      name: "shared.test:1",
      proof: "network",
    },
    {
      why: "a claimed name in another's network",
      order: ALL,
      evidence: { ...MATRIX, address: "10.1.2.3" },
      name: "hs.test:8448",
      proof: "claimed",
    },
    {
      why: "the best proof of two",
      order: ["address"],
      evidence: { address: "10.1.2.3", certificateNames: ["relay.test"] },
      name: "relay.test",
      proof: "mtls",
    },
  ])("$why: $name, $proof", ({ order, evidence, name, proof }) => {
    expect(createIdentify({ order, networks })({ ...NOTHING, ...evidence })).toEqual({ name, proof });
  });

  it("never throws, and gives a proof exactly where it gives a name", () => {
    const identify = createIdentify({ order: ALL, networks });
    const lines = fc.array(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `X-Matrix origin=${text}`),
      ),
      { maxLength: 3 },
    );
    const evidence = fc.record({
      authorization: lines,
      signature: lines,
      signatureInput: lines,
      certificateNames: lines,
      address: fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()),
    });
    fc.assert(
      fc.property(evidence, (sent) => {
        const peer = identify(sent);
        expect(peer.name === undefined).toBe(peer.proof === "none");
      }),
    );
  });
});

describe("reaches", () => {
  it("is the ladder none < claimed < network < mtls < signature", () => {
    const ladder: readonly Proof[] = ["none", "claimed", "network", "mtls", "signature"];
    for (const [at, proof] of ladder.entries()) {
      expect(ladder.filter((least) => reaches(proof, least))).toEqual(ladder.slice(0, at + 1));
    }
  });
});
