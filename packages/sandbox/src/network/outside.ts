import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { dial } from "./dial.ts";
import type { Admitted, Gate } from "./gate.ts";
import { withPort } from "./host.ts";
import { codeOf, Refusal } from "./refusal.ts";
import { connected, type OpenSockets } from "./sockets.ts";
import { authorization, dialUpstream } from "./upstream.ts";

/** What the requests of one proxy share. */
export interface Outside {
	/** Decides about each connection. */
	readonly gate: Gate;
	/** Another proxy, through which all connections go. */
	readonly upstream: URL | undefined;
	/** The header `Proxy-Authorization` without which the proxy does nothing. Absent: whoever reaches the proxy may use it. */
	readonly authorization?: string;
	/** The sockets of both sides. */
	readonly sockets: OpenSockets;
}

/** Begins to open the socket on which a host is reached: one to the host, or one to the other proxy. */
export function openSocket({ upstream, sockets }: Outside, to: Admitted): Socket {
	return sockets.add(upstream ? dialUpstream(upstream) : dial(to));
}

/** Opens a connection to an admitted host that carries any bytes, directly or through the other proxy. */
export async function openTunnel(outside: Outside, to: Admitted, client: Duplex): Promise<Duplex> {
	const target = withPort(to.host, to.port);
	const socket = openSocket(outside, to);
	const giveUp = () => socket.destroy();
	client.once("close", giveUp);
	try {
		return await (outside.upstream ? askUpstream(outside.upstream, target, socket) : connected(socket));
	} catch (error) {
		if (error instanceof Refusal) throw error;
		throw new Refusal(502, `cannot connect to ${target}: ${codeOf(error)}`);
	} finally {
		client.off("close", giveUp);
	}
}

function askUpstream(upstream: URL, target: string, socket: Socket): Promise<Duplex> {
	const { request } = process.getBuiltinModule("node:http");
	return new Promise((resolve, reject) => {
		const headers = ["Host", target, "Connection", "keep-alive", ...authorization(upstream)];
		const way = { createConnection: () => socket, insecureHTTPParser: false };
		const asking = request({ method: "CONNECT", path: target, headers, ...way });
		asking.on("error", reject);
		asking.once("connect", ({ statusCode = 0 }, tunnel, head) => {
			if (statusCode >= 200 && statusCode < 300) {
				tunnel.unshift(head);
				return resolve(tunnel);
			}
			tunnel.destroy();
			reject(new Refusal(502, `cannot connect to ${target}: the proxy of \`upstream\` has answered ${statusCode}`));
		});
		asking.end();
	});
}
