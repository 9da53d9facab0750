import type { FileDescriptor } from "@nearfar/core";
import { integer, numberOf, onSocket } from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { type EncodedAddress, encodeAddress } from "./encode.ts";

/** How many connections wait to be accepted by default: as many as for a server of Node. */
const BACKLOG = 511;

/**
 * Binds a socket to an address.
 *
 * A Unix socket with a path makes a file, which stays when the socket is closed: remove the file with `unlink`.
 *
 * @param fd - A socket of the current task.
 * @param address - The address, of the family of the socket. Sockets of `"netlink"`, `"packet"` and `"vsock"` have addresses of
 * another kind: bind these by `task.syscall`.
 * @throws `EADDRINUSE` Another socket has the address. A file of a Unix socket is in the way also after the end of its server.
 * @throws `EADDRNOTAVAIL` No network device in the namespace has the address. In a new namespace, before its first device is up, the
 * kernel takes every IPv4 address.
 * @throws `EACCES` The port is below 1024, and the task has no CAP_NET_BIND_SERVICE over the network namespace.
 * @throws `EACCES` The task may not write to the directory of the path.
 * @throws `EINVAL` The socket is bound already, or the address does not fit its family.
 * @throws `EAFNOSUPPORT` The address is of another family than the socket.
 * @throws `ENOENT` A directory of the path does not exist.
 * @throws `ENOTDIR` A part of the path before the last is not a directory.
 * @throws `ELOOP` The path has too many symbolic links.
 * @throws `EROFS` The path is on a read-only file system.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `fd` is no `FileDescriptor`, or `address` is not an address in digits with a port, or a path.
 * @throws `RangeError` The port or `scopeId` is out of its range, or the path has more than 108 bytes.
 * @example
 * ```ts
 * using server = socket("inet", "dgram");
 * bind(server, { address: "127.0.0.1", port: 0 }); // the kernel chooses the port
 * ```
 * @see bind(2), ip(7), unix(7); CAP_NET_BIND_SERVICE for ports below 1024
 */
export function bind(fd: FileDescriptor, address: SocketAddress): void {
	bindTo(fd, encodeAddress(address));
}

/** Binds a socket to an address that was checked. */
export function bindTo(fd: FileDescriptor, { bytes, path }: EncodedAddress): void {
	onSocket("bind", numberOf(fd), [bytes, bytes.length], path);
}

/**
 * Lets a bound socket take connections.
 *
 * @param fd - A socket of the current task.
 * @param backlog - How many connections may wait to be accepted, 0 to 2147483647. Default: 511, as in Node. The kernel takes at most
 * `net.core.somaxconn` of the network namespace, without an error.
 * @throws `EADDRINUSE` Another socket listens on the same port, or the socket is not bound and no port is free.
 * @throws `EOPNOTSUPP` The socket is of a type that takes no connections.
 * @throws `EINVAL` The socket is connected, or is a Unix socket that is not bound.
 * @throws `ENOTSOCK` The descriptor is no socket.
 * @throws `EBADF` The descriptor is not open.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` `backlog` is out of its range.
 * @example
 * ```ts
 * using server = socket("unix", "seqpacket");
 * bind(server, { path: "" }); // the kernel chooses an abstract name
 * listen(server);
 * console.log(getsockname(server)); // { path: "\x0000042" }
 * ```
 * @see listen(2); no privilege
 */
export function listen(fd: FileDescriptor, backlog = BACKLOG): void {
	onSocket("listen", numberOf(fd), [integer(backlog, "backlog", 0, 2 ** 31 - 1)]);
}
