import { FileDescriptor, type LocationLike } from "@nearfar/core";
import { namespaceId, native, numberOf, outOfRange, statxMask, toAt, wrongType } from "@nearfar/core/internal";

const END = 1n << 64n; // no id is that large
const ID = 144; // the offset of the id in a struct statx

/**
 * Returns the unique id of a mount: an id as it is, or that of the mount which a place lies on.
 *
 * @param mount - The id or the place.
 * @param name - The name of the parameter for error messages.
 */
export function toMountId(mount: bigint | LocationLike, name: string): bigint {
	if (typeof mount === "bigint") return id(mount, name);
	if (typeof mount === "number") throw wrongType(name, "a bigint, which is a unique id, or a place", mount);
	const { at, path, flags } = toAt(mount, name);
	const status = native().statx(at, path, flags, statxMask.mntIdUnique);
	// A kernel without unique ids has no calls that take them either: the next call fails with ENOSYS, whatever the id.
	return status.readUInt32LE(0) & statxMask.mntIdUnique ? status.readBigUInt64LE(ID) : 0n;
}

/** Returns the id of a mount namespace, which is given by this id or by a descriptor. */
export function toNamespaceId(namespace: bigint | FileDescriptor | undefined): bigint | undefined {
	if (namespace === undefined) return undefined;
	if (namespace instanceof FileDescriptor) return namespaceId(numberOf(namespace, "options.namespace"), "mountId");
	if (typeof namespace !== "bigint") throw wrongType("options.namespace", "a bigint or a FileDescriptor", namespace);
	// The kernel takes 0 for the namespace of the caller, and so for another one than an id that could not be found.
	if (namespace === 0n) throw outOfRange("options.namespace", "a bigint from 1 to 2^64-1", namespace);
	return id(namespace, "options.namespace");
}

/** Checks an id of 64 bits. */
export function id(value: bigint, name: string): bigint {
	if (typeof value !== "bigint") throw wrongType(name, "a bigint", value);
	if (value < 0n || value >= END) throw outOfRange(name, "a bigint from 0 to 2^64-1", value);
	return value;
}
