import type { FileDescriptor } from "@nearfar/core";
import {
	adoptDescriptor,
	options as checkOptions,
	integer,
	native,
	openFlags,
	optionalBoolean,
	type SocketFamily,
	type SocketType,
	socketFamilies,
	socketTypes,
	toChoice,
} from "@nearfar/core/internal";

/** How to make a socket. */
export interface SocketOptions {
	/**
	 * The protocol, 0 to 2147483647. Default: 0, the usual one of the family and type. For `"netlink"` it is the number of the kernel's
	 * part, for `"packet"` that of the frames, in the byte order of the network.
	 */
	protocol?: number;
	/** Whether calls on the socket wait. Near, a call that waits blocks the event loop. Default: false. */
	blocking?: boolean;
}

const MOST_FAMILIES = 65_535; // `sa_family_t` has 16 bits
const MOST_TYPES = 15; // the bits above are SOCK_NONBLOCK and SOCK_CLOEXEC

/**
 * Makes a socket in the network namespace of the current task.
 *
 * The socket belongs to that network namespace for ever, whichever process uses it: `task.get` brings a socket of a task to
 * Node, and what it binds or connects to is still inside.
 *
 * @param family - The family of addresses, by name, or a number from 0 to 65535.
 * @param type - How the socket carries data, by name, or a number from 0 to 15. All types are close-on-exec.
 * @param options - `protocol`: default 0. `blocking`: default false.
 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
 * @throws `EACCES` The task may not make a socket of this type or protocol.
 * @throws `EPERM` The task has no CAP_NET_RAW over its network namespace, which `"packet"` and `"raw"` need.
 * @throws `EAFNOSUPPORT` The kernel does not have the family.
 * @throws `ESOCKTNOSUPPORT` The family does not have the type.
 * @throws `EPROTONOSUPPORT` The family does not have the protocol, or not with this type.
 * @throws `EINVAL` The number of the family or of the type is unknown.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENFILE` The machine has reached its limit of open files.
 * @throws `ENOBUFS` The kernel has no memory for the socket.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` A name is unknown, or an argument has the wrong type.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "net"] });
 * const inside = task.run(() => socket("inet", "dgram"));
 * using here = task.get(inside); // Node has the socket now, and it is still one of the new network namespace
 * ```
 * @see socket(2); CAP_NET_RAW for `"packet"` and `"raw"`
 */
export function socket(
	family: SocketFamily | number,
	type: SocketType | number,
	options?: SocketOptions,
): FileDescriptor {
	const { protocol = 0, blocking } = checkOptions(options, ["protocol", "blocking"]);
	const domain =
		typeof family === "number"
			? integer(family, "family", 0, MOST_FAMILIES)
			: toChoice(socketFamilies, family, "family");
	const kind = typeof type === "number" ? integer(type, "type", 0, MOST_TYPES) : toChoice(socketTypes, type, "type");
	integer(protocol, "options.protocol", 0, 2 ** 31 - 1);
	// SOCK_CLOEXEC and SOCK_NONBLOCK have the values of O_CLOEXEC and O_NONBLOCK.
	const wait = optionalBoolean(blocking, "options.blocking") ? 0 : openFlags.nonblock;
	return adoptDescriptor(native().socket(domain, kind | openFlags.cloexec | wait, protocol));
}
