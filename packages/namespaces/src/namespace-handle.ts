import { Buffer } from "node:buffer";
import type { FileDescriptor } from "@nearfar/core";
import { atFlags, numberOf, openFlags, wrongType, wrongValue } from "@nearfar/core/internal";
import { callByName } from "./call-by-name.ts";

const FD_NSFS_ROOT = -10003; // stands for the file system of namespaces
const HEADER = 8; // bytes of a struct file_handle before the bytes of the file system: their count and a type
const MOST = 128; // bytes of the file system in a handle, MAX_HANDLE_SZ

/** Returns the handle of a namespace of the current task: a struct file_handle. */
export function readHandle(fd: FileDescriptor): Buffer {
	const handle = Buffer.alloc(HEADER + MOST);
	handle.writeUInt32LE(MOST);
	const mountId = new Uint8Array(8);
	callByName("name_to_handle_at", [numberOf(fd), Buffer.from("\0"), handle, mountId, atFlags.emptyPath]);
	return Buffer.from(handle.subarray(0, HEADER + handle.readUInt32LE()));
}

/** Opens a namespace by its handle. Returns the number of the descriptor. */
export function openHandle(handle: Uint8Array): number {
	if (!(handle instanceof Uint8Array)) throw wrongType("handle", "a Uint8Array", handle);
	const bytes = Buffer.from(handle);
	const length = bytes.length - HEADER;
	// The kernel reads as many bytes as the handle says that it has.
	if (length < 0 || length > MOST || bytes.readUInt32LE() !== length) {
		throw wrongValue("handle", "the bytes that `toHandle` has returned", handle);
	}
	return callByName("open_by_handle_at", [FD_NSFS_ROOT, bytes, openFlags.cloexec], true);
}
