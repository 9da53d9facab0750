import { Buffer } from "node:buffer";
import type { NamespaceKind } from "@nearfar/core";
import { array, namespaceFlags, outOfRange, toBits, wrongType, wrongValue } from "@nearfar/core/internal";
import { callByName } from "./call-by-name.ts";

const SIZE = 32; // bytes of a struct ns_id_req
const PAGE = 512; // ids that one call returns at most
/** Stands for the user namespace of the current task: LISTNS_CURRENT_USER. */
export const currentUserNamespace = 2n ** 64n - 1n;

/** Which namespaces to list. */
export interface NamespaceQuery {
	/** The flags of the kinds; 0: all kinds. */
	readonly kinds: number;
	/** The id of the user namespace that owns them; 0: any. */
	readonly owner: bigint;
	/** The id after which the list begins. */
	readonly after: bigint;
}

/** Returns the flags for a list of kinds. An empty list would mean all kinds to the kernel. */
export function kindsToList(kinds: readonly NamespaceKind[] | undefined): number {
	if (kinds === undefined) return 0;
	if (array(kinds, "options.kinds").length === 0)
		throw wrongValue("options.kinds", "a list of one kind or more", kinds);
	return toBits(namespaceFlags, kinds, "options.kinds");
}

/** Checks the id after which a list begins. */
export function idToListAfter(after: bigint | undefined): bigint {
	if (after === undefined) return 0n;
	if (typeof after !== "bigint") throw wrongType("options.after", "a bigint", after);
	if (after < 0n || after >= 2n ** 64n) throw outOfRange("options.after", "a bigint from 0 to 2^64-1", after);
	return after;
}

/** Returns the ids of namespaces, in the order of the kernel. */
export function listIds(query: NamespaceQuery): bigint[] {
	return readPages(query.after, (after) => {
		const request = Buffer.alloc(SIZE);
		request.writeUInt32LE(SIZE);
		request.writeBigUInt64LE(after, 8);
		request.writeUInt32LE(query.kinds, 16);
		request.writeBigUInt64LE(query.owner, 24);
		const ids = new BigUint64Array(PAGE);
		const count = callByName("listns", [request, new Uint8Array(ids.buffer), PAGE, 0]);
		return [...ids.subarray(0, count)];
	});
}

/**
 * Reads pages until one is empty.
 *
 * @param after - The id after which the first page begins.
 * @param readPage - Returns the ids after an id. They ascend.
 */
export function readPages(after: bigint, readPage: (after: bigint) => bigint[]): bigint[] {
	const all: bigint[] = [];
	for (;;) {
		const page = readPage(all.at(-1) ?? after);
		if (page.length === 0) return all;
		all.push(...page);
	}
}
