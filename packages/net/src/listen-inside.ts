import cluster from "node:cluster";
import { createServer, Server, Socket } from "node:net";
import { type FileDescriptor, NearfarError, type Process, type Task } from "@nearfar/core";
import { wrongType, wrongValue } from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { bindTo, listen } from "./bind.ts";
import { encodeAddress } from "./encode.ts";
import { checkTask, handOver, moveNear } from "./near-socket.ts";
import { setsockopt } from "./options.ts";
import { socket } from "./socket.ts";

const [SOL_SOCKET, SO_REUSEADDR] = [1, 2];
const [IPPROTO_IPV6, IPV6_V6ONLY] = [41, 26];

/**
 * Listens at an address inside of a task's network namespace, with a server of Node.
 *
 * The task makes, binds and opens the socket in one batch, and Node gets the socket. From then on Node alone has it: connections are
 * accepted without a relay, and the server goes on when the task ends. As in Node, `SO_REUSEADDR` is set, and `"::"` takes
 * IPv4 connections too.
 *
 * @param task - A task, a thread of {@link Task.thread}, or {@link Task.near}.
 * @param address - The address, as for {@link bind}. A Unix socket's path is looked up by the task. Its file stays when the server is
 * closed.
 * @param listener - A server that does not listen yet, such as one of `node:http`, or a function that is called with each
 * connection. Default: a new server of `node:net` without a listener.
 * @returns The server, which listens. The caller closes it.
 * @throws `EADDRINUSE` Another socket has the address.
 * @throws `EADDRNOTAVAIL` No network device in the namespace has the address.
 * @throws `EACCES` The port is below 1024, and the task has no CAP_NET_BIND_SERVICE over the network namespace.
 * @throws `EACCES` The task may not write to the directory of the path.
 * @throws `ENOENT` A directory of the path does not exist.
 * @throws `EMFILE` The task or Node has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_TASK_GONE` The task has executed a program, exited or died, also meanwhile.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
 * @throws `ERR_NEARFAR_CLUSTER` The address is a path, and this process is a worker of `node:cluster`, in which Node asks the primary
 * process for the sockets of paths.
 * @throws `TypeError` An argument has the wrong type, or the server listens already.
 * @throws `RangeError` The port or `scopeId` is out of its range, or the path has more than 108 bytes.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 *
 * await using task = await Task.clone({ namespaces: ["user", "net"] });
 * const server = createServer((_, response) => response.end("hello from inside"));
 * await listenInside(task, { address: "0.0.0.0", port: 80 }, server);
 * server.close();
 * ```
 * @see socket(2), bind(2), listen(2); CAP_NET_BIND_SERVICE for ports below 1024
 */
export async function listenInside<S extends Server = Server>(
	task: Task<Process>,
	address: SocketAddress,
	listener?: S | ((socket: Socket) => void),
): Promise<S> {
	checkTask(task, "listenInside");
	const encoded = encodeAddress(address);
	const { family } = encoded;
	const server = toServer(listener) as S;
	if (cluster.isWorker && family === "unix") {
		throw new NearfarError(
			"CLUSTER",
			"cannot listen at a path in a worker of node:cluster, which would ask its primary process for the socket: listen in the primary process, or at an IP address",
		);
	}
	const made = await task.batch(() => {
		const made = socket(family, "stream");
		if (family !== "unix") setsockopt(made, SOL_SOCKET, SO_REUSEADDR, 1);
		if (family === "inet6") setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		bindTo(made, encoded);
		listen(made);
		return made;
	});
	using near = moveNear(task, made);
	await serve(server, near);
	return server;
}

function toServer(listener: Server | ((socket: Socket) => void) | undefined): Server {
	if (listener instanceof Server) {
		if (listener.listening) throw wrongValue("listener", "a server that does not listen yet", listener);
		return listener;
	}
	if (listener === undefined) return createServer();
	if (typeof listener !== "function") throw wrongType("listener", "a function or a net.Server", listener);
	return createServer(listener);
}

/** Lets a server accept the connections of a listening socket, which the server closes from then on. */
function serve(server: Server, listening: FileDescriptor): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject); // where Node refuses the descriptor, the server emits the error in the next turn
		try {
			handOver(listening, (fd) => server.listen(toHandle(server, fd)));
		} catch (error) {
			server.off("error", reject);
			throw error;
		}
		if (!server.listening) return;
		server.off("error", reject);
		resolve();
	});
}

/**
 * Returns what `server.listen` takes for the number of a listening socket.
 *
 * In a worker of `node:cluster` Node does not take the number of a descriptor as one of the worker: Node asks the primary process
 * for the socket. A TCP handle is served by the worker itself. A server that listens already refuses the number, before a handle owns
 * the descriptor.
 */
function toHandle(server: Server, fd: number): Socket | { fd: number } {
	return cluster.isWorker && !server.listening ? new Socket({ fd, readable: false, writable: false }) : { fd };
}
