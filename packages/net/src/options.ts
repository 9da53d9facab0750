import { Buffer } from "node:buffer";
import type { FileDescriptor } from "@nearfar/core";
import { intBytes, integer, numberOf, onSocket, wrongType } from "@nearfar/core/internal";

const ROOM = 256; // bytes; more than most options have
const MOST = 2 ** 31 - 1;

/**
 * Sets an option of a socket.
 *
 * @param fd - A socket of the current task.
 * @param level - The protocol of the option by number, 0 to 2147483647: 1 for `SOL_SOCKET`.
 * @param name - The option by number, 0 to 2147483647: 2 for `SO_REUSEADDR`.
 * @param value - A number from -2147483648 to 4294967295, which is passed as an `int` of C, or the bytes of another type. Pointers
 * in the bytes have no meaning in a task: set such an option by `task.syscall`.
 * @throws `ENOPROTOOPT` The protocol does not know the option.
 * @throws `EINVAL` The value is not allowed, or has too few bytes.
 * @throws `EDOM` A timeout is out of its range.
 * @throws `EPERM` The task has no CAP_NET_ADMIN or CAP_NET_RAW, which the option needs.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * const [SOL_SOCKET, SO_REUSEPORT] = [1, 15];
 * using server = socket("inet", "stream");
 * setsockopt(server, SOL_SOCKET, SO_REUSEPORT, 1);
 * ```
 * @see setsockopt(2), socket(7), tcp(7); privileges as the page of each protocol says
 */
export function setsockopt(fd: FileDescriptor, level: number, name: number, value: number | Uint8Array): void {
	integer(level, "level", 0, MOST);
	integer(name, "name", 0, MOST);
	if (typeof value !== "number" && !(value instanceof Uint8Array)) {
		throw wrongType("value", "a number or a Uint8Array", value);
	}
	const bytes = typeof value === "number" ? intBytes(integer(value, "value", -(2 ** 31), 2 ** 32 - 1)) : value;
	onSocket("setsockopt", numberOf(fd), [level, name, bytes, bytes.length]);
}

/**
 * Returns an option of a socket.
 *
 * @param fd - A socket of the current task.
 * @param level - The protocol of the option by number, 0 to 2147483647: 1 for `SOL_SOCKET`.
 * @param name - The option by number, 0 to 2147483647: 4 for `SO_ERROR`.
 * @param length - The most bytes to read, 0 to 1048576. Default: 256. Some options need the exact number of their bytes.
 * @returns The bytes that the kernel has written. An `int` of C is read with `readInt32LE()`.
 * @throws `ENOPROTOOPT` The protocol does not know the option.
 * @throws `EINVAL` The option has another number of bytes.
 * @throws `ERANGE` The option has more bytes than `length`.
 * @throws `EOPNOTSUPP` The option cannot be read.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * const [SOL_SOCKET, SO_TYPE] = [1, 3];
 * using server = socket("inet", "stream");
 * console.log(getsockopt(server, SOL_SOCKET, SO_TYPE).readInt32LE()); // 1, SOCK_STREAM
 * ```
 * @see getsockopt(2), socket(7), tcp(7); no privilege
 */
export function getsockopt(fd: FileDescriptor, level: number, name: number, length = ROOM): Buffer {
	integer(level, "level", 0, MOST);
	integer(name, "name", 0, MOST);
	integer(length, "length", 0, 2 ** 20);
	// The number of bytes that the kernel has written follows the option, at the next multiple of 8.
	const out = Buffer.from(
		onSocket("getsockopt", numberOf(fd), [level, name, new Uint8Array(length), intBytes(length)]),
	);
	const written = out.readUInt32LE(Math.ceil(length / 8) * 8);
	return out.subarray(0, Math.min(written, length));
}
