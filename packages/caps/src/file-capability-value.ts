import { CapabilitySet } from "./capability-set.ts";

/** The capabilities of a file, which a program gets when it is executed from the file. */
export interface FileCapabilities {
	/** The capabilities that the program gets, as far as its bounding set has them. */
	permitted: CapabilitySet;
	/** The capabilities that the program gets if they are inheritable already in the process that executes it. */
	inheritable: CapabilitySet;
	/** True when what the program gets is effective at once. False: the program has to make it effective with capset(2). */
	effective: boolean;
	/**
	 * The user id, as the current task counts, that is user 0 in the user namespaces in which the program gets the capabilities.
	 * `undefined`: the program gets them in the user namespace of the current task.
	 */
	rootId: number | undefined;
	/** The version of the bytes: 3 with a root id, 2 without, and 1 of Linux 2.6.24, which has room for 32 capabilities alone. */
	version: 1 | 2 | 3;
}

/** The number of bytes of each version: a word of flags, two words for each 32 capabilities, and a word for a root id. */
const lengths = { 1: 12, 2: 20, 3: 24 } as const;

/** The length in bytes of the longest value. */
export const LONGEST_VALUE = lengths[3];

const EFFECTIVE = 1;

/** Returns the bytes of the extended attribute `security.capability`. Without a root id that is version 2, otherwise version 3. */
export function encodeValue({
	permitted,
	inheritable,
	effective,
	rootId,
}: {
	permitted: bigint;
	inheritable: bigint;
	effective: boolean;
	rootId: number | undefined;
}): Uint8Array {
	const version = rootId === undefined ? 2 : 3;
	const bytes = new Uint8Array(lengths[version]);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, ((version << 24) | (effective ? EFFECTIVE : 0)) >>> 0, true);
	for (const [half, shift] of [0n, 32n].entries()) {
		view.setUint32(4 + 8 * half, Number((permitted >> shift) & 0xffff_ffffn), true);
		view.setUint32(8 + 8 * half, Number((inheritable >> shift) & 0xffff_ffffn), true);
	}
	if (rootId !== undefined) view.setUint32(20, rootId, true);
	return bytes;
}

/** Returns what the bytes of `security.capability` mean. `undefined`: their length or their first word is of no known version. */
export function decodeValue(bytes: Uint8Array): FileCapabilities | undefined {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (bytes.length < 4) return undefined;
	const flags = view.getUint32(0, true);
	const version = ([1, 2, 3] as const).find((version) => (flags & ~EFFECTIVE) >>> 0 === version << 24);
	if (version === undefined || bytes.length !== lengths[version]) return undefined;
	const word = (at: number) => (at < bytes.length ? BigInt(view.getUint32(at, true)) : 0n);
	return {
		permitted: CapabilitySet.from(word(4) | (word(12) << 32n)),
		inheritable: CapabilitySet.from(word(8) | (word(16) << 32n)),
		effective: (flags & EFFECTIVE) !== 0,
		rootId: version === 3 ? view.getUint32(20, true) : undefined,
		version,
	};
}
