import { abis } from "./abis.generated.ts";

/** Bits of the three kinds that a ruleset can handle. */
export interface Rights {
	readonly fs: number;
	readonly net: number;
	readonly scope: number;
}

/** Everything that a caller can ask for. */
export type Asked = Rights & { readonly flags: number };

/** A version of the ABI. */
export type Abi = (typeof abis)[number];

/** The newest version that is known. */
export const NEWEST: number = abis.length;

/** Everything that each version of the ABI has, from 0. */
const all: readonly Asked[] = [0, ...abis.map(({ abi }) => abi)].map((abi) => {
	const until = abis.slice(0, abi);
	const bitsOf = (kind: "fs" | "net" | "scope" | "flags") => until.reduce((bits, each) => bits | each[kind], 0);
	return { fs: bitsOf("fs"), net: bitsOf("net"), scope: bitsOf("scope"), flags: bitsOf("flags") };
});

/**
 * Returns everything that a version of the ABI has: rights, scopes, and flags of landlock_restrict_self(2). Of a version that is newer
 * than all known ones: everything that is known.
 */
export function rightsOf(abi: number): Asked {
	return all[Math.min(abi, NEWEST)] ?? { fs: 0, net: 0, scope: 0, flags: 0 };
}

/** Returns the version that has added one of these bits last. `undefined`: there are none. */
export function newestOf(bits: Partial<Asked>): Abi | undefined {
	const kinds = ["fs", "net", "scope", "flags"] as const;
	return abis.findLast((abi) => kinds.some((kind) => abi[kind] & (bits[kind] ?? 0)));
}
