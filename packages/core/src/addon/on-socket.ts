import { native } from "./native.ts";

/** The numbers by which the addon knows the calls whose first argument is a socket. */
const calls = {
	bind: 0,
	connect: 1,
	listen: 2,
	setsockopt: 3,
	getsockopt: 4,
	getsockname: 5,
	getpeername: 6,
} as const;

const NO_PATH = new Uint8Array();

/**
 * Makes a call whose first argument is a socket.
 *
 * @param name - The call.
 * @param socket - The number of the socket.
 * @param args - The further arguments.
 * @param path - The name of a Unix socket, for errors of the call.
 * @returns The byte arguments after the call, one after the other, each at a multiple of 8. In a batch they are empty.
 */
export function onSocket(
	name: keyof typeof calls,
	socket: number,
	args: (number | Uint8Array)[],
	path: Uint8Array = NO_PATH,
): Uint8Array {
	return native().onSocket(calls[name], socket, args, path).out;
}

/** Returns the bytes of a C `int`, in the byte order of the CPU. */
export function intBytes(value: number): Uint8Array {
	return new Uint8Array(Int32Array.of(value).buffer);
}
