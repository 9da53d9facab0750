import { Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { type FileDescriptor, type Process, SyscallError, type Task } from "@nearfar/core";
import { native, once, taskOf } from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { connectTo } from "./connect.ts";
import { type EncodedAddress, encodeAddress } from "./encode.ts";
import { checkTask, handOver, moveNear } from "./near-socket.ts";
import { getsockopt } from "./options.ts";
import { socket } from "./socket.ts";

const [SOL_SOCKET, SO_ERROR] = [1, 4];

/**
 * Connects to an address inside of a task's network namespace, and returns a socket of Node.
 *
 * The task makes the socket and begins to connect. Node gets the socket and waits without blocking. The task may end meanwhile, and
 * so it may afterwards.
 *
 * @param task - A task, a thread of {@link Task.thread}, or {@link Task.near}.
 * @param address - The address, as for {@link connect}. The path of a Unix socket is looked up by the task.
 * @returns The socket, which is connected. The caller ends or destroys it.
 * @throws `ECONNREFUSED` No socket listens at the address.
 * @throws `ETIMEDOUT` The other side did not answer.
 * @throws `ENETUNREACH` The network namespace has no route to the address: in a new one also loopback is down.
 * @throws `EHOSTUNREACH` A router has answered that the address cannot be reached.
 * @throws `ECONNRESET` The other side has ended the connection at once.
 * @throws `EAGAIN` Too many connections wait to be accepted by the Unix socket.
 * @throws `EACCES` The task may not write to the file of the Unix socket, or search its directory.
 * @throws `ENOENT` The path does not exist.
 * @throws `EMFILE` The task or Node has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_TASK_GONE` The task has executed a program, exited or died before Node had the socket.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` The port or `scopeId` is out of its range, or the path has more than 108 bytes.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "net"] });
 * const server = await listenInside(task, { path: "\0echo" }, (socket) => socket.pipe(socket));
 * const client = await connectInside(task, { path: "\0echo" });
 * client.end("hello");
 * for await (const bytes of client) console.log(`${bytes}`); // hello
 * server.close();
 * ```
 * @see socket(2), connect(2); no privilege
 */
export async function connectInside(task: Task<Process>, address: SocketAddress): Promise<Socket> {
	checkTask(task, "connectInside");
	const encoded = encodeAddress(address); // once, since the caller may change the object meanwhile
	const made = await task.batch(() => socket(encoded.family, "stream"));
	const attempt = await beginToConnect(task, made, encoded);
	using near = moveNear(task, made);
	if (attempt === "under way") {
		await whenWritable(near);
		throwIfFailed(near, task);
	}
	return handOver(near, (fd) => new Socket({ fd, readable: true, writable: true }));
}

/** Connects in a batch of its own, because the error that says that the attempt goes on ends a batch. */
async function beginToConnect(
	task: Task<Process>,
	socket: FileDescriptor,
	address: EncodedAddress,
): Promise<"connected" | "under way"> {
	try {
		await task.batch(() => connectTo(socket, address));
		return "connected";
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EINPROGRESS") return "under way";
		socket.close();
		throw error;
	}
}

/** Resolves when a socket has room to write, which it has not before it is connected. The event loop stays alive until then. */
async function whenWritable(socket: FileDescriptor): Promise<void> {
	const copy = socket.dup({ min: 3 }); // the reactor closes it
	let id: number;
	try {
		id = native().watchReady(copy.fd, true); // takes the number over, also when it fails
	} finally {
		copy.take();
	}
	try {
		await once(id);
	} finally {
		native().unwatchReady(id);
	}
}

/** Throws the error with which an attempt to connect has ended, if there was one. */
function throwIfFailed(socket: FileDescriptor, task: Task<Process>): void {
	const errno = getsockopt(socket, SOL_SOCKET, SO_ERROR, 4).readInt32LE();
	if (errno === 0) return;
	throw new SyscallError({ code: getSystemErrorName(-errno), errno, syscall: "connect" }, taskOf(task));
}
