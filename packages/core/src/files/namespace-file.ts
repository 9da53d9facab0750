import { native } from "../addon/native.ts";

/** Requests of ioctl(2) on the file of a namespace, from linux/nsfs.h. */
export const namespaceRequests = {
	/** The user namespace that owns the namespace. Linux 4.9. */
	owner: 0xb701,
	/** The parent of a user or pid namespace. Linux 4.9. */
	parent: 0xb702,
	/** The `CLONE_NEW*` flag of the kind. Linux 4.11. */
	kind: 0xb703,
	/** The user id of the owner of a user namespace. Linux 4.11. */
	ownerUid: 0xb704,
	/** The id of a mount namespace. Linux 6.11. */
	mountId: 0x8008_b705,
	/** A pid of the namespace, as the caller's pid namespace has it. Linux 6.11. */
	pidOutside: 0x8004_b706,
	/** A pid of the caller's pid namespace, as the namespace has it. Linux 6.11. */
	pidInside: 0x8004_b708,
	/** How many mounts a mount namespace has. Linux 6.12. */
	mountInfo: 0x8010_b70a,
	/** The next mount namespace. Linux 6.12. */
	next: 0x8010_b70b,
	/** The mount namespace before. Linux 6.12. */
	previous: 0x8010_b70c,
	/** The id. Linux 6.18. */
	id: 0x8008_b70d,
} as const;

/**
 * Returns the `CLONE_NEW*` flag of the kind of a namespace. Throws ENOTTY for another file.
 *
 * @param fd - The number of the descriptor.
 */
export function namespaceFlag(fd: number): number {
	return native().ioctl(fd, namespaceRequests.kind, 0, false);
}

/**
 * Returns the id of a namespace.
 *
 * @param fd - The number of the descriptor.
 * @param request - `mountId` for a mount namespace on a kernel before Linux 6.18, otherwise `id`.
 */
export function namespaceId(fd: number, request: "id" | "mountId"): bigint {
	return native().ioctlBytes(fd, namespaceRequests[request], new Uint8Array(8), true).readBigUInt64LE();
}
