import { once } from "node:events";
import { connect as connectNode, createServer, type Server, type Socket } from "node:net";
import type { Inner } from "./keeper.ts";
import { codeOf } from "./refusal.ts";
import { join, type OpenSockets, reset } from "./sockets.ts";

/** How many connections one port takes at once. */
const MOST_CONNECTIONS = 512;

/**
 * Returns a server whose connections are joined with others.
 *
 * @param sockets - Remembers the sockets of both sides.
 * @param open - Opens the other side. Where that fails, the connection is reset, as where no program listens.
 */
function relay(sockets: OpenSockets, open: () => Promise<Socket> | Socket): Server {
	const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, async (client) => {
		sockets.add(client);
		try {
			const other = sockets.add(await open());
			other.allowHalfOpen = true;
			other.setNoDelay(true);
			join(client, other);
		} catch (error) {
			if (!client.destroyed && codeOf(error) !== "ECONNREFUSED") {
				process.emitWarning(`a connection into a sandbox has failed: ${error}`, "NearfarWarning");
			}
			reset(client);
		}
	});
	server.maxConnections = MOST_CONNECTIONS;
	return server;
}

/** Returns a server that leads to a port of the host's 127.0.0.1. The caller lets it listen inside. */
export function towardsHost(port: number, sockets: OpenSockets): Server {
	return relay(sockets, () => connectNode({ port, host: "127.0.0.1" }));
}

/**
 * Lets a port of the host's 127.0.0.1 lead to a port of the sandbox.
 *
 * @param inner - Connects inside.
 * @param port - The port inside.
 * @param hostPort - The port of the host. 0: the kernel chooses one.
 * @param sockets - Remembers the sockets of both sides.
 */
export async function towardsSandbox(
	inner: Pick<Inner, "connect">,
	port: number,
	hostPort: number,
	sockets: OpenSockets,
): Promise<Server> {
	return listenAtHost(
		relay(sockets, () => inner.connect(port)),
		hostPort,
	);
}

/**
 * Lets a server listen at a port of the host's 127.0.0.1, which belongs to this process alone: workers of node:cluster would share it.
 *
 * @param port - The port. 0: the kernel chooses one.
 */
export async function listenAtHost(server: Server, port: number): Promise<Server> {
	server.listen({ port, host: "127.0.0.1", exclusive: true });
	await once(server, "listening"); // rejects with the error of listen
	return server;
}
