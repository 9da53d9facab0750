import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Outside, openTunnel } from "./outside.ts";
import { CHALLENGE, type Refusal } from "./refusal.ts";
import { join } from "./sockets.ts";
import { toTarget } from "./target.ts";

/** How long a client may take to read a refusal and to close, in milliseconds. */
const LINGER = 5_000;

/**
 * Answers a request `CONNECT host:port`: from then on the connection of the client is one to the host.
 *
 * @param outside - What the requests of the proxy share.
 * @param request - The request.
 * @param client - The connection of the client.
 * @param head - What the client has sent after the request.
 */
export async function tunnel(outside: Outside, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
	client.unshift(head); // at once: a stream that has ended by the time of the decision would take nothing back
	const { host, port } = toTarget(request);
	const admitted = await outside.gate.admit(host, port);
	if (client.destroyed) return;
	const remote = await openTunnel(outside, admitted, client);
	client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
	join(client, remote);
}

/** Answers a `CONNECT` that is refused. */
export function refuseTunnel(client: Duplex, { status, message }: Refusal): void {
	const { STATUS_CODES } = process.getBuiltinModule("node:http");
	const body = `${message}\n`;
	client.end(
		[
			`HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
			"Content-Type: text/plain; charset=utf-8",
			`Content-Length: ${Buffer.byteLength(body)}`,
			"Connection: close",
			...(status === 407 ? [`Proxy-Authenticate: ${CHALLENGE}`] : []),
			"",
			body,
		].join("\r\n"),
	);
	client.resume(); // to the end of what the client sends: bytes that nobody reads would reset the connection, and lose the answer
	const timer = setTimeout(() => client.destroy(), LINGER);
	client.once("close", () => clearTimeout(timer));
}
