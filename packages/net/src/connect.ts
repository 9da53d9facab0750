import type { FileDescriptor } from "@nearfar/core";
import { numberOf, onSocket } from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { type EncodedAddress, encodeAddress } from "./encode.ts";

/**
 * Connects a socket to an address, or sets the address that a datagram socket sends to.
 *
 * An IP stream socket that does not wait throws `EINPROGRESS`, and goes on connecting: {@link connectInside} waits for the end without
 * blocking. In a batch, make the socket with `blocking: true`: `EINPROGRESS` would end the batch.
 *
 * @param fd - A socket of the current task.
 * @param address - The address, of the family of the socket.
 * @throws `EINPROGRESS` The socket is nonblocking, and the connection is not there yet.
 * @throws `EALREADY` The socket is nonblocking, and an earlier attempt has not ended.
 * @throws `EISCONN` The socket is connected.
 * @throws `ECONNREFUSED` No socket listens at the address.
 * @throws `ETIMEDOUT` The other side did not answer.
 * @throws `ENETUNREACH` The network namespace has no route to the address: in a new one also loopback is down.
 * @throws `EADDRNOTAVAIL` No port of this side is free.
 * @throws `EADDRINUSE` The local address is in use.
 * @throws `EAGAIN` The Unix socket is nonblocking, and too many connections wait to be accepted.
 * @throws `EACCES` The task may not write to the file of the Unix socket, or search its directory.
 * @throws `EPERM` A firewall rule refuses the connection.
 * @throws `ENOENT` The path does not exist.
 * @throws `EPROTOTYPE` The Unix socket at the address is of another type.
 * @throws `EAFNOSUPPORT` The address is of another family than the socket.
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
 * bind(server, { address: "127.0.0.1", port: 0 });
 * using client = socket("inet", "dgram");
 * connect(client, getsockname(server));
 * client.write("hello");
 * ```
 * @see connect(2); no privilege
 */
export function connect(fd: FileDescriptor, address: SocketAddress): void {
	connectTo(fd, encodeAddress(address));
}

/** Connects a socket to an address that was checked. */
export function connectTo(fd: FileDescriptor, { bytes, path }: EncodedAddress): void {
	onSocket("connect", numberOf(fd), [bytes, bytes.length], path);
}
