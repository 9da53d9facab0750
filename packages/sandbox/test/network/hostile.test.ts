import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { Gate } from "../../src/network/gate.ts";
import { checkNetwork } from "../../src/network/options.ts";
import { createProxy } from "../../src/network/proxy.ts";
import { OpenSockets } from "../../src/network/sockets.ts";
import type { NetworkViolation } from "../../src/network/violation.ts";
import { Inside } from "./inside.ts";
import { connectTo, exchange, httpServer, listening, tcpServer, tunnel } from "./servers.ts";

test("headers that are too long are 431, and the proxy goes on", async () => {
	await using server = await httpServer((_, response) => response.end("alive"));
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const url = `http://127.0.0.1:${server.port}/`;
	const long = "x".repeat(100_000);
	for (const lines of [
		[`GET ${url} HTTP/1.1`, "Host: a", `X: ${long}`],
		[`GET ${url}${long} HTTP/1.1`, "Host: a"],
		[`CONNECT ${long}:1 HTTP/1.1`, "Host: a"],
	]) {
		// Node closes the connection without reading the rest: the kernel may reset it before the answer is read.
		const answer = await exchange(inside, ...lines).catch(({ code }) => code);
		expect(answer).toMatch(/^(HTTP\/1\.1 431 |ECONNRESET)/);
	}
	expect(await exchange(inside, "no request at all")).toMatch(/^HTTP\/1\.1 400 /);
	expect(await exchange(inside, "\x16\x03\x01 the begin of TLS")).toMatch(/^HTTP\/1\.1 400 /);
	expect(await exchange(inside, `GET ${url} HTTP/1.1`, "Host: a", "Connection: close")).toMatch(/alive/);
});

test("half requests end with the proxy, and so do questions, tunnels and requests under way", async () => {
	await using server = await tcpServer((socket) => socket.resume());
	let asked = 0;
	const ask = () => {
		asked++;
		return new Promise<boolean>(() => {});
	};
	const inside = await Inside.open({ allow: ["127.0.0.1"], ask });
	const half = await inside.connect();
	half.write("GET http://127.0.0.1/ HT");
	const silent = await inside.connect();
	const open = await tunnel(inside, `127.0.0.1:${server.port}`);
	const waiting = await inside.connect();
	waiting.write(`GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`);
	const asking = [await inside.connect(), await inside.connect()];
	asking[0]?.write("CONNECT 8.8.8.8:1 HTTP/1.1\r\nHost: a\r\n\r\n");
	asking[1]?.write("GET http://8.8.4.4/ HTTP/1.1\r\nHost: a\r\n\r\n");
	while (asked < 2) await new Promise(setImmediate);
	open.end();
	const ends = [half, silent, open, waiting, ...asking].map((socket) => {
		socket.on("error", () => {});
		socket.resume();
		return once(socket, "close");
	});
	await inside[Symbol.asyncDispose]();
	await Promise.all(ends);
});

test("a client that goes away while its question is open is connected to nothing", async () => {
	let connections = 0;
	await using server = await tcpServer(() => connections++);
	let answer: (yes: boolean) => void = () => {};
	let asked = 0;
	const ask = () => {
		asked++;
		return new Promise<boolean>((resolve) => {
			answer = resolve;
		});
	};
	await using inside = await Inside.open({ ask });
	for (const line of ["CONNECT 127.0.0.1:PORT", "GET http://127.0.0.1:PORT/"]) {
		const client = await inside.connect();
		const before = asked;
		client.write(`${line.replace("PORT", `${server.port}`)} HTTP/1.1\r\nHost: a\r\n\r\n`);
		while (asked === before) await new Promise(setImmediate);
		client.resetAndDestroy();
		await once(client, "close");
		// The proxy learns of the reset in one of the next turns, like this process of a connection that it has made.
		const later = await inside.connect();
		later.end("x\r\n\r\n");
		later.on("error", () => {});
		await text(later).catch(() => {});
		answer(true);
	}
	expect(await exchange(inside, "GET http://a b HTTP/1.1")).toMatch(/^HTTP\/1\.1 400 /);
	expect(connections).toBe(0);
});

test("a client that sends its headers slowly is answered 408, and a body after a refusal is not waited for", async () => {
	const violations: NetworkViolation[] = [];
	const sockets = new OpenSockets();
	const outside = { gate: new Gate(checkNetwork({})), upstream: undefined, sockets };
	const limits = { connections: 2, headerBytes: 4096, headersTimeout: 100 };
	const made = createProxy(outside, (violation) => violations.push(violation), limits);
	await using proxy = await listening(made);
	const slow = await connectTo(proxy.port);
	slow.write("GET http://a.example/ HTTP/1.1\r\nX: ");
	expect(await text(slow)).toMatch(/^HTTP\/1\.1 408 /);
	const endless = await connectTo(proxy.port);
	endless.write("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx");
	expect(await text(endless)).toMatch(/^HTTP\/1\.1 403 /);
	const long = await connectTo(proxy.port);
	long.write(`GET http://a.example/ HTTP/1.1\r\nX: ${"x".repeat(5000)}\r\n\r\n`);
	expect(await text(long).catch(({ code }) => code)).toMatch(/^(HTTP\/1\.1 431 |ECONNRESET)/);
	expect(violations.map(({ what }) => what)).toEqual(["a.example:80"]);
});

test("more connections than the limit are closed at once, and reported", async () => {
	const violations: NetworkViolation[] = [];
	const sockets = new OpenSockets();
	const outside = { gate: new Gate(checkNetwork({})), upstream: undefined, sockets };
	const limits = { connections: 2, headerBytes: 4096, headersTimeout: 20_000 };
	const made = createProxy(outside, (violation) => violations.push(violation), limits);
	await using proxy = await listening(made);
	const held = [await connectTo(proxy.port), await connectTo(proxy.port)];
	const third = await connectTo(proxy.port);
	expect(await text(third).catch(({ code }) => code)).toMatch(/^(|ECONNRESET)$/);
	expect(violations).toEqual([{ kind: "limit", what: "2 connections to the proxy", at: expect.any(Number) }]);
	held[0]?.destroy();
	while (made.listening && (await new Promise<number>((done) => made.getConnections((_, n) => done(n)))) > 1) {
		await new Promise(setImmediate);
	}
	const next = await connectTo(proxy.port);
	next.write("GET http://a.example/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	expect(await text(next)).toMatch(/^HTTP\/1\.1 403 /);
	held[1]?.destroy();
});

test("a violation holds nothing that moves the cursor of a terminal, and is not long", async () => {
	await using inside = await Inside.open({});
	await exchange(inside, `CONNECT \x80\x9b31m${"y".repeat(1000)}@:1 HTTP/1.1`, "Host: a", "Connection: close");
	await exchange(inside, "GET http://\xff\x85@a/ HTTP/1.1", "Host: a", "Connection: close");
	for (const { what } of inside.violations) expect(what).toMatch(/^[\x20-\x7e]{1,256}$/);
});

test("many requests at once for hosts that are refused leave nothing open", async () => {
	await using inside = await Inside.open({});
	const answers = await Promise.all(
		Array.from({ length: 100 }, (_, i) => exchange(inside, `CONNECT ${i}.example:443 HTTP/1.1`, "Host: a")),
	);
	for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 403 /);
	expect(inside.violations).toHaveLength(100);
});
