import { abis } from "./abis.generated.ts";

/** Bits of the three kinds that a ruleset can handle. */
export interface Rights {
	readonly fs: number;
	readonly net: number;
	readonly scope: number;
}

/** A version of the ABI. */
export type Abi = (typeof abis)[number];

/** The newest version that is known. */
export const NEWEST: number = abis.length;

/** Returns everything that a version of the ABI has. Of a version that is newer than all known ones: everything that is known. */
export function rightsOf(abi: number): Rights {
	const until = abis.slice(0, abi);
	const all = (kind: keyof Rights) => until.reduce((bits, each) => bits | each[kind], 0);
	return { fs: all("fs"), net: all("net"), scope: all("scope") };
}

/** Returns the flags of landlock_restrict_self(2) that a version of the ABI has. */
export function flagsOf(abi: number): number {
	return abis.slice(0, abi).reduce((bits, each) => bits | each.flags, 0);
}

/** Returns the version that has added one of these bits last. `undefined`: there are none. */
export function newestOf(bits: Partial<Rights & { flags: number }>): Abi | undefined {
	const kinds = ["fs", "net", "scope", "flags"] as const;
	return abis.findLast((abi) => kinds.some((kind) => abi[kind] & (bits[kind] ?? 0)));
}
