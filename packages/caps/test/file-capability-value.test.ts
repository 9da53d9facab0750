import { expect, test } from "vitest";
import { CapabilitySet } from "../src/capability-set.ts";
import { decodeValue, encodeValue } from "../src/file-capability-value.ts";

/** Returns the bytes of little-endian words. */
function words(...values: number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
	return bytes;
}

const set = (bits: bigint) => CapabilitySet.from(bits);

test.each([
	["version 1 has 32 capabilities", words(0x0100_0001, 0x8000_2000, 0x20), 0x8000_2000n, 0x20n, true, undefined, 1],
	[
		"version 2 has 64",
		words(0x0200_0000, 1, 2, 0x100, 0x8000_0000),
		0x100_0000_0001n,
		(1n << 63n) | 2n,
		false,
		undefined,
		2,
	],
	["version 3 has a root id", words(0x0300_0001, 0x2000, 0, 0, 0, 1000), 0x2000n, 0n, true, 1000, 3],
	["a root id may be 0", words(0x0300_0000, 0, 0, 0, 0, 0), 0n, 0n, false, 0, 3],
	["the largest root id", words(0x0300_0000, 0, 0, 0, 0, 0xffff_fffe), 0n, 0n, false, 0xffff_fffe, 3],
] as const)("%s", (_, bytes, permitted, inheritable, effective, rootId, version) => {
	const value = { permitted: set(permitted), inheritable: set(inheritable), effective, rootId, version };
	expect(decodeValue(bytes)).toEqual(value);
	// Bytes of the kernel may begin anywhere in the memory of a larger buffer.
	expect(decodeValue(Buffer.concat([Buffer.alloc(3), bytes]).subarray(3))).toEqual(value);
	if (version !== 1) expect(Buffer.from(encodeValue({ permitted, inheritable, effective, rootId }))).toEqual(bytes);
});

test("bytes of another length than their version has are no value", () => {
	for (const first of [0x0100_0000, 0x0200_0001, 0x0300_0000]) {
		const length = (first >>> 24) * 4 + (first >>> 24 === 1 ? 8 : 12);
		for (let other = 0; other < 64; other++) {
			const bytes = Buffer.alloc(64).subarray(0, other);
			if (other >= 4) bytes.writeUInt32LE(first);
			const expected = other === length ? expect.anything() : undefined;
			expect(decodeValue(bytes), `${first} ${other}`).toEqual(expected);
		}
	}
});

test("bytes of another version, or with flags that no kernel knows, are no value", () => {
	for (const first of [
		0, 1, 0x0000_0002, 0x0400_0000, 0x8200_0000, 0xff00_0001, 0x0200_0002, 0x0300_0100, 0x0201_0000,
	]) {
		for (const length of [12, 20, 24]) {
			expect(decodeValue(Buffer.concat([words(first), Buffer.alloc(length - 4)]))).toBeUndefined();
		}
	}
});
