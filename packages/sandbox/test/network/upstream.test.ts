import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@nearfar/process";
import { afterEach, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { Inside } from "./inside.ts";
import { exchange, httpServer, listening, received, tcpServer, tunnel } from "./servers.ts";

/** Makes a server another proxy: it notes the requests, and leads all tunnels to one port. */
function asProxy<S extends Server>(server: S, port: () => number): S & { seen: IncomingMessage[] } {
	const seen: IncomingMessage[] = [];
	server.on("request", (request, response) => {
		seen.push(request);
		response.end(`other proxy: ${request.url}`);
	});
	server.on("connect", (request: IncomingMessage, client: Socket, head: Buffer) => {
		seen.push(request);
		if (request.url?.startsWith("bad.")) return client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
		const remote = connect({ port: port(), host: "127.0.0.1", allowHalfOpen: true });
		client.on("error", () => remote.destroy());
		remote.on("error", () => client.destroy());
		client.write("HTTP/1.1 200 OK\r\n\r\nfirst "); // the first bytes of the host come with the answer
		client.unshift(head);
		client.pipe(remote).pipe(client);
	});
	return Object.assign(server, { seen });
}

const authorization = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;

test("all connections go through the other proxy, with its password, and names are not looked up", async () => {
	await using server = await tcpServer(async (socket) => socket.end(`got ${await received(socket)}`));
	await using proxy = await listening(asProxy(createServer(), () => server.port));
	const upstream = new URL(`http://user:p%40ss@127.0.0.1:${proxy.port}`);
	await using inside = await Inside.open({ allow: ["*.invalid"], upstream });
	const client = await tunnel(inside, "a.invalid:443");
	client.end("hello");
	expect(await received(client)).toBe("first got hello");
	const close = ["Host: a", "Connection: close"];
	const answer = await exchange(
		inside,
		"GET http://b.invalid:80/path?q HTTP/1.1",
		...close,
		"Proxy-Authorization: mine",
	);
	expect(answer).toMatch(/other proxy: http:\/\/b\.invalid\/path\?q/);
	expect(proxy.seen.map(({ url, headers }) => [url, headers["proxy-authorization"], headers.host])).toEqual([
		["a.invalid:443", authorization, "a.invalid:443"],
		["http://b.invalid/path?q", authorization, "b.invalid"],
	]);
	// What is refused reaches no other proxy.
	expect(await exchange(inside, "CONNECT c.example:443 HTTP/1.1", ...close)).toMatch(/^HTTP\/1\.1 403 /);
	expect(await exchange(inside, "CONNECT 127.0.0.1:443 HTTP/1.1", ...close)).toMatch(/^HTTP\/1\.1 403 /);
	expect(proxy.seen).toHaveLength(2);
});

test("what the other proxy refuses is 502, and so is one that is not there", async () => {
	const proxy = await listening(asProxy(createServer(), () => 9));
	await using inside = await Inside.open({ allow: ["*.invalid"], upstream: `http://127.0.0.1:${proxy.port}` });
	expect(await exchange(inside, "CONNECT bad.invalid:443 HTTP/1.1")).toMatch(/^HTTP\/1\.1 502 [\s\S]*has answered 407/);
	expect(proxy.seen[0]?.headers).not.toHaveProperty("proxy-authorization");
	await proxy[Symbol.asyncDispose]();
	expect(await exchange(inside, "CONNECT a.invalid:443 HTTP/1.1")).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
	const answer = await exchange(inside, "GET http://a.invalid/ HTTP/1.1", "Host: a", "Connection: close");
	expect(answer).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
	expect(inside.violations).toEqual([]);
});

test("a client that goes away ends its connection to another proxy that never answers", async () => {
	await using silent = await tcpServer((socket) => socket.resume());
	await using inside = await Inside.open({ allow: ["*.invalid"], upstream: `http://127.0.0.1:${silent.port}` });
	for (const line of ["CONNECT a.invalid:443", "GET http://a.invalid/"]) {
		const client = await inside.connect();
		client.write(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`);
		const [other] = await once(silent, "connection");
		const ended = once(other, "end");
		client.resetAndDestroy();
		await ended;
		other.destroy();
	}
});

test("another proxy that never answers ends with the sandbox", async () => {
	await using silent = await tcpServer((socket) => socket.resume());
	const inside = await Inside.open({ allow: ["*.invalid"], upstream: `http://127.0.0.1:${silent.port}` });
	const client = await inside.connect();
	client.on("error", () => {});
	client.write("CONNECT a.invalid:443 HTTP/1.1\r\nHost: a\r\n\r\n");
	await once(silent, "connection");
	await inside[Symbol.asyncDispose]();
	client.resume();
	if (!client.closed) await once(client, "close");
});

const { test: withOpenssl } = needs("the program openssl");
const strict = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
afterEach(() => {
	if (strict === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
	else process.env.NODE_TLS_REJECT_UNAUTHORIZED = strict;
});

withOpenssl("another proxy that is reached by TLS has to have a certificate that Node trusts", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-network-"));
	try {
		const [key, cert] = [join(folder, "key"), join(folder, "cert")];
		const request = [
			"req",
			"-x509",
			"-newkey",
			"ec",
			"-pkeyopt",
			"ec_paramgen_curve:prime256v1",
			"-nodes",
			"-subj",
			"/CN=a",
		];
		(await run("openssl", [...request, "-keyout", key, "-out", cert])).check();
		await using server = await httpServer((_, response) => response.end("through TLS"));
		const made = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) });
		await using proxy = await listening(asProxy(made, () => server.port));
		await using inside = await Inside.open({
			allow: ["*.invalid"],
			upstream: `https://user:p%40ss@127.0.0.1:${proxy.port}`,
		});
		const untrusted = await exchange(inside, "CONNECT a.invalid:80 HTTP/1.1");
		expect(untrusted).toMatch(/^HTTP\/1\.1 502 [\s\S]*CERT/);
		process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
		const client = await tunnel(inside, "a.invalid:80");
		client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
		expect(await received(client)).toMatch(/^first HTTP\/1\.1 200 OK[\s\S]*through TLS/);
		client.end();
		const plain = await exchange(inside, "GET http://b.invalid/ HTTP/1.1", "Host: a", "Connection: close");
		expect(plain).toMatch(/other proxy: http:\/\/b\.invalid\//);
		expect(proxy.seen.every(({ headers }) => headers["proxy-authorization"] === authorization)).toBe(true);
	} finally {
		rmSync(folder, { recursive: true });
	}
});
