import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { forward } from "./forward.ts";
import type { Outside } from "./outside.ts";
import { CHALLENGE, codeOf, Refusal } from "./refusal.ts";
import { refuseTunnel, tunnel } from "./tunnel.ts";
import type { Report } from "./violation.ts";

/** What the clients of one proxy may use, and for how long. */
export interface ProxyLimits {
	/** How many connections of clients are open at once. */
	readonly connections: number;
	/** How many bytes the headers of a request have. */
	readonly headerBytes: number;
	/** How long a client may take to send the headers of a request, in milliseconds. */
	readonly headersTimeout: number;
}

const usual: ProxyLimits = { connections: 512, headerBytes: 32_768, headersTimeout: 20_000 };

/**
 * Makes an HTTP proxy that connects to what the gate admits. The caller lets it listen.
 *
 * @param outside - The gate, and what the requests share.
 * @param report - Learns of each request that the gate refuses.
 * @param limits - What clients may use.
 */
export function createProxy(outside: Outside, report: Report, limits = usual): Server {
	// Loaded here, because a sandbox without a proxy does not wait for it.
	const { createServer } = process.getBuiltinModule("node:http");
	const server = createServer({
		insecureHTTPParser: false, // also where Node was started with --insecure-http-parser
		maxHeaderSize: limits.headerBytes,
		headersTimeout: limits.headersTimeout,
		connectionsCheckingInterval: limits.headersTimeout / 4,
		requestTimeout: 0, // an upload may take long
	});
	server.maxConnections = limits.connections;
	server.on("drop", () => {
		report({ kind: "limit", what: `${limits.connections} connections to the proxy`, at: Date.now() });
	});
	server.on("connection", (socket) => outside.sockets.add(socket));
	server.on("connect", async (request: IncomingMessage, client: Duplex, head: Buffer) => {
		try {
			checkPassword(request, outside);
			await tunnel(outside, request, client, head);
		} catch (error) {
			refuseTunnel(client, toRefusal(error, report));
		}
	});
	server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
		try {
			checkPassword(request, outside);
			await forward(outside, request, response);
		} catch (error) {
			refuse(response, toRefusal(error, report));
		}
	});
	return server;
}

/** Throws for a client that does not know the password. On the loopback device of the host every user reaches the proxy. */
function checkPassword({ headers }: IncomingMessage, { authorization }: Outside): void {
	if (authorization === undefined || headers["proxy-authorization"] === authorization) return;
	throw new Refusal(407, "the proxy of the sandbox wants the password that HTTP_PROXY has");
}

/** Returns what the client gets for an error, and reports what the rules refuse. */
function toRefusal(error: unknown, report: Report): Refusal {
	if (!(error instanceof Refusal)) {
		process.emitWarning(`the proxy of a sandbox has failed: ${error}`, "NearfarWarning");
		return new Refusal(502, `the proxy of the sandbox has failed: ${codeOf(error)}`);
	}
	if (error.target !== undefined) report({ kind: "connect", what: error.target, at: Date.now() });
	return error;
}

function refuse(response: ServerResponse, { status, message }: Refusal): void {
	if (response.headersSent) {
		response.destroy();
		return;
	}
	// The connection is closed, because a body may follow which nobody wants.
	const challenge = status === 407 && { "Proxy-Authenticate": CHALLENGE };
	response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close", ...challenge });
	response.end(`${message}\n`);
}
