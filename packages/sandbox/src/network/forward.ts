import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { passedOn } from "./headers.ts";
import { withPort } from "./host.ts";
import { type Outside, openSocket } from "./outside.ts";
import { codeOf, Refusal } from "./refusal.ts";
import { type Target, toTarget } from "./target.ts";
import { authorization } from "./upstream.ts";

/**
 * Answers a request for a URL that begins with `http://`, with what the host answers.
 *
 * @param outside - What the requests of the proxy share.
 * @param request - The request.
 * @param response - The answer, of which nothing has been sent. The head has been sent when the promise resolves.
 */
export async function forward(outside: Outside, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const target = toTarget(request);
	const encoding = request.headers["transfer-encoding"];
	if (encoding !== undefined && encoding.toLowerCase() !== "chunked") {
		throw new Refusal(501, `the proxy does not have the transfer encoding ${encoding}`);
	}
	const admitted = await outside.gate.admit(target.host, target.port);
	if (response.destroyed) return;
	const outgoing = process.getBuiltinModule("node:http").request({
		method: request.method,
		path: outside.upstream ? `http://${authorityOf(target)}${target.path}` : target.path,
		headers: headersOf(request, target, outside.upstream),
		insecureHTTPParser: false,
		createConnection: () => openSocket(outside, admitted),
	});
	response.once("close", () => outgoing.destroy());
	const hasBody = encoding !== undefined || request.headers["content-length"] !== undefined;
	if (!hasBody) outgoing.end();
	else pipeline(request, outgoing, () => {}); // `answerOf` learns of an error of `outgoing`, which ends with the request
	const incoming = await answerOf(outgoing, target);
	response.sendDate = false;
	response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, passedOn(incoming.rawHeaders));
	pipeline(incoming, response, () => {}); // an error closes the connection, so that the client takes no part for the whole
}

/** Returns the headers that the host gets. `Host` is what the request was admitted for, whatever the client has said. */
function headersOf(request: IncomingMessage, target: Target, upstream: URL | undefined): string[] {
	const framing = request.headers["transfer-encoding"] === undefined ? [] : ["Transfer-Encoding", "chunked"];
	const others = passedOn(request.rawHeaders, "host", "expect"); // Node has answered `Expect: 100-continue`
	return [
		"Host",
		authorityOf(target),
		...others,
		...framing,
		"Connection",
		"close",
		...(upstream ? authorization(upstream) : []),
	];
}

function authorityOf({ host, port }: Target): string {
	return port === 80 ? withPort(host, port).replace(/:80$/, "") : withPort(host, port);
}

function answerOf(outgoing: ClientRequest, { host, port }: Target): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		const fail = (error?: Error) =>
			reject(new Refusal(502, `no answer from ${withPort(host, port)}: ${codeOf(error)}`));
		outgoing.on("response", resolve);
		outgoing.on("error", fail);
		outgoing.on("close", fail);
	});
}
