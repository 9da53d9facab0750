import { type FileDescriptor, type NamespaceKind, type OpenFile, SyscallError } from "@nearfar/core";
import { atFlags, namespaceId, namespaceRequests, native, numberOf, statxMask } from "@nearfar/core/internal";

/** What tells one namespace from every other that is open at the same time. */
export interface Inode {
	readonly ino: bigint;
	/** The device, as two numbers. */
	readonly dev: string;
}

// By open file: a namespace has the same inode as long as the file is open, and its text is asked for after that too.
const inodes = new WeakMap<OpenFile, Inode>();

/** Returns the inode of a namespace of the current task. */
export function readInode(fd: FileDescriptor): Inode {
	const status = native().statx(numberOf(fd), "", atFlags.emptyPath, statxMask.ino);
	const inode = { ino: status.readBigUInt64LE(32), dev: `${status.readUInt32LE(136)}:${status.readUInt32LE(140)}` };
	inodes.set(fd.file, inode);
	return inode;
}

/** Returns whether two inodes, of files that are both open, are those of one namespace. */
export function isSameInode(one: Inode, other: Inode): boolean {
	return one.ino === other.ino && one.dev === other.dev;
}

/** Returns the inode of a namespace if it was read before. */
export function rememberedInode(fd: FileDescriptor): Inode | undefined {
	return inodes.get(fd.file);
}

/** Returns the id of a namespace of the current task. `undefined`: the kernel has none. */
export function readId(fd: FileDescriptor, kind: NamespaceKind): bigint | undefined {
	try {
		return namespaceId(numberOf(fd), kind === "mnt" ? "mountId" : "id");
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOTTY") return undefined;
		throw error;
	}
}

/** Returns how many mounts a mount namespace of the current task has, and its id. */
export function readMountInfo(fd: FileDescriptor): { id: bigint; mounts: number } {
	const info = native().ioctlBytes(numberOf(fd), namespaceRequests.mountInfo, new Uint8Array(16), true);
	return { id: info.readBigUInt64LE(8), mounts: info.readUInt32LE(4) };
}

/** Returns the user that owns a user namespace of the current task. */
export function readOwnerUid(fd: FileDescriptor): number {
	return native().ioctlBytes(numberOf(fd), namespaceRequests.ownerUid, new Uint8Array(4), true).readUInt32LE();
}
