import { Buffer } from "node:buffer";
import type { FileDescriptor } from "@nearfar/core";
import { intBytes, numberOf, onSocket, socketFamilies, wrongValue } from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { showIPv4, showIPv6 } from "./ip.ts";

const ROOM = 128; // bytes of `struct sockaddr_storage`, the largest address

/**
 * Returns the address that a socket is bound to.
 *
 * @param fd - A socket of the current task, of the family `"inet"`, `"inet6"` or `"unix"`.
 * @returns The address. An IP socket that is not bound has the address `"0.0.0.0"` or `"::"` and port 0, a Unix socket an empty
 * path. `scopeId` is there if it is not 0. A path that is not UTF-8 is a Buffer.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `fd` is no `FileDescriptor`, or the address of the socket is of another family, such as `"netlink"`. The
 * kernel's own bytes are then the result of getsockname(2) by `task.syscall`.
 * @example
 * ```ts
 * using server = socket("inet", "stream");
 * bind(server, { address: "127.0.0.1", port: 0 });
 * console.log(getsockname(server)); // { address: "127.0.0.1", port: 40123 }
 * ```
 * @see getsockname(2); no privilege
 */
export function getsockname(fd: FileDescriptor): SocketAddress {
	return readAddress("getsockname", fd);
}

/**
 * Returns the address of the other end of a connection.
 *
 * @param fd - A socket of the current task, of the family `"inet"`, `"inet6"` or `"unix"`, that is connected.
 * @returns The address, as from {@link getsockname}.
 * @throws `ENOTCONN` The socket is not connected.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `fd` is no `FileDescriptor`, or the address is of another family, such as `"netlink"`.
 * @example
 * ```ts
 * using server = socket("unix", "stream");
 * bind(server, { path: "\0example" });
 * listen(server);
 * using client = socket("unix", "stream");
 * connect(client, { path: "\0example" });
 * console.log(getpeername(client)); // { path: "\0example" }
 * ```
 * @see getpeername(2); no privilege
 */
export function getpeername(fd: FileDescriptor): SocketAddress {
	return readAddress("getpeername", fd);
}

function readAddress(call: "getsockname" | "getpeername", fd: FileDescriptor): SocketAddress {
	const out = Buffer.from(onSocket(call, numberOf(fd), [new Uint8Array(ROOM), intBytes(ROOM)]));
	const bytes = out.subarray(0, out.readUInt32LE(ROOM));
	const family = bytes.length < 2 ? 0 : bytes.readUInt16LE(0);
	switch (family) {
		case socketFamilies.inet:
			return { address: showIPv4(bytes.subarray(4, 8)), port: bytes.readUInt16BE(2) };
		case socketFamilies.inet6: {
			const scopeId = bytes.readUInt32LE(24);
			const address = showIPv6(bytes.subarray(8, 24));
			return { address, port: bytes.readUInt16BE(2), ...(scopeId !== 0 && { scopeId }) };
		}
		case socketFamilies.unix:
			return { path: toPath(bytes.subarray(2)) };
		default: {
			const [name = `${family}`] = Object.entries(socketFamilies).find(([, number]) => number === family) ?? [];
			const expected = "a socket of the family inet, inet6 or unix";
			throw wrongValue("fd", `${expected}, since an address of the family ${name} has other parts`, fd);
		}
	}
}

/** Returns the name of a Unix socket: text, or bytes that are no UTF-8. */
function toPath(bytes: Buffer): string | Buffer {
	const end = bytes[0] === 0 ? -1 : bytes.indexOf(0);
	const name = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
	const text = name.toString();
	return Buffer.from(text).equals(name) ? text : name;
}
