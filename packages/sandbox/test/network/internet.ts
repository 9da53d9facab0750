import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { listening } from "./servers.ts";

/** Hosts of every name, of which nothing leaves this host: another proxy leads to them, as the option `upstream`. */
export interface Internet extends AsyncDisposable {
	/** The other proxy. */
	readonly upstream: string;
	/** The hosts with their ports that somebody has asked for. */
	readonly seen: readonly string[];
}

/**
 * Makes hosts that all answer in the same way.
 *
 * @param answer - Answers requests, with or without TLS.
 * @param folder - Where the key and the certificate are, see {@link certify}. `undefined`: without TLS.
 * @param other - Serves the connections to ports other than 80 and 443.
 */
export async function internet(
	answer: RequestListener,
	folder?: string,
	other: (socket: Socket) => void = (socket) => socket.destroy(),
): Promise<Internet> {
	const seen: string[] = [];
	const hosts: Server = folder
		? createTlsServer({ key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "cert")) }, answer)
		: createServer(answer);
	const proxy = createServer((request, response) => {
		const { host, pathname, search } = new URL(request.url ?? "");
		seen.push(host);
		request.url = pathname + search;
		answer(request, response);
	});
	proxy.on("connect", ({ url = "" }, client: Socket, head: Buffer) => {
		seen.push(url);
		client.write("HTTP/1.1 200 OK\r\n\r\n");
		client.unshift(head);
		if (url.endsWith(":443")) hosts.emit("connection", client);
		else other(client);
	});
	const { port, [Symbol.asyncDispose]: dispose } = await listening(proxy);
	return { upstream: `http://127.0.0.1:${port}`, seen, [Symbol.asyncDispose]: dispose };
}

/** Makes a certificate for the names below `example`, and its key: the files `cert` and `key` of a folder. */
export function certify(folder: string): string {
	const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
	const names = ["-subj", "/CN=example", "-addext", "subjectAltName=DNS:allowed.example"];
	const { status, stderr } = spawnSync("openssl", [...kind, ...names, "-keyout", "key", "-out", "cert"], {
		cwd: folder,
	});
	if (status !== 0) throw new Error(`openssl: ${stderr}`);
	return join(folder, "cert");
}
