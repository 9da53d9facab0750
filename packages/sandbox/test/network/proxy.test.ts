import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { Inside } from "./inside.ts";
import { exchange, httpServer, received, tcpServer, tunnel } from "./servers.ts";

const { test: withCurl } = needs("the program curl");

withCurl("SB-12: curl reaches what is allowed through the proxy, and 403 for the rest", async () => {
	await using server = await httpServer((request, response) => response.end(`${request.url} ${request.headers.host}`));
	const host = `127.0.0.1:${server.port}`;
	await using inside = await Inside.open({ allow: [host] });
	const curl = (...args: string[]) => inside.run("curl", ["-sS", ...args], { NO_PROXY: "", no_proxy: "" });
	expect((await curl(`http://${host}/a?b`)).stdout).toBe(`/a?b ${host}`);
	expect((await curl("-p", `http://${host}/tunnel`)).stdout).toBe(`/tunnel ${host}`);
	expect(inside.violations).toEqual([]);
	const refused = await curl("-w", "%{http_code}", "http://evil.example/x");
	expect(refused.stdout).toMatch(/evil\.example:80.*not in `allow`\n403$/);
	const tunnelled = await curl("https://evil.example/x");
	expect(tunnelled.code).toBe(56);
	expect(tunnelled.stderr).toMatch(/403/);
	expect(inside.violations).toEqual([
		{ kind: "connect", what: "evil.example:80", at: expect.any(Number) },
		{ kind: "connect", what: "evil.example:443", at: expect.any(Number) },
	]);
	// What ignores the proxy has no route and no resolver.
	const direct = await inside.run("curl", ["-sS", "--noproxy", "*", "-m", "5", "http://192.0.2.1/"]);
	expect(direct.stderr).toMatch(/curl: \(7\)/);
});

test("a request is passed on with its headers, and without those of the connection", async () => {
	const seen: IncomingMessage[] = [];
	await using server = await httpServer(async (request, response) => {
		seen.push(request);
		const body = await text(request);
		response.writeHead(201, "Made", [
			...["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Answer", body, "Connection", "close, X-Gone", "X-Gone", "1"],
			...["Keep-Alive", "timeout=7", "Proxy-Authenticate", "Basic"],
		]);
		response.end("answer");
	});
	await using inside = await Inside.open({ allow: [`127.0.0.1:${server.port}`] });
	const answer = await exchange(
		inside,
		`POST http://127.1:${server.port}/p/../q?r=1 HTTP/1.1`,
		"Host: other.example",
		"Content-Length: 5",
		"Connection: close, X-Hop, content-length, host",
		"X-Hop: 1",
		"Keep-Alive: timeout=1",
		"Proxy-Connection: keep-alive",
		"Proxy-Authorization: Basic c2VjcmV0",
		"TE: trailers",
		"Upgrade: websocket",
		"X-End: 2",
		"X-Twice: 1",
		"x-twice: 2",
		"",
		"hello",
	);
	const [request] = seen;
	expect(request?.url).toBe("/p/../q?r=1");
	expect(request?.rawHeaders).toEqual([
		...["Host", `127.0.0.1:${server.port}`, "Content-Length", "5", "X-End", "2", "X-Twice", "1", "x-twice", "2"],
		...["Connection", "close"],
	]);
	expect(answer).toMatch(/^HTTP\/1\.1 201 Made\r\n/);
	expect(answer).toMatch(/Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Answer: hello\r\n/);
	expect(answer).not.toMatch(/X-Gone|Keep-Alive: timeout=7|Proxy-Authenticate/);
	expect(answer.endsWith("answer\r\n0\r\n\r\n") || answer.endsWith("answer")).toBe(true);
});

test("requests of one connection are decided about one by one", async () => {
	await using server = await httpServer((request, response) => response.end(`<${request.url}>`));
	const base = `http://127.0.0.1:${server.port}`;
	await using inside = await Inside.open({ allow: [`127.0.0.1:${server.port}`] });
	const answer = await exchange(
		inside,
		...[`GET ${base}/one HTTP/1.1`, "Host: a", ""],
		...[`GET ${base}/two HTTP/1.1`, "Host: a", ""],
		...["GET http://evil.example/three HTTP/1.1", "Host: a", ""],
		...[`GET ${base}/four HTTP/1.1`, "Host: a"],
	);
	expect(answer.match(/HTTP\/1\.1 \d+|<\/\w+>/g)).toEqual([
		"HTTP/1.1 200",
		"</one>",
		"HTTP/1.1 200",
		"</two>",
		"HTTP/1.1 403",
	]);
	expect(inside.refused).toEqual(["evil.example:80"]);
});

test("no body is taken for another request", async () => {
	const seen: string[] = [];
	await using server = await httpServer(async (request, response) => {
		seen.push(`${request.method} ${request.url} ${await text(request)}`);
		response.end("ok");
	});
	const base = `http://127.0.0.1:${server.port}`;
	const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
	const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0`;
	await using inside = await Inside.open({ allow: [`127.0.0.1:${server.port}`] });
	const close = "Connection: close";
	// A body of a method that mostly has none, by chunks and by length.
	for (const method of ["GET", "DELETE", "POST", "OPTIONS", "HEAD"]) {
		await exchange(
			inside,
			`${method} ${base}/chunks HTTP/1.1`,
			"Host: a",
			close,
			"Transfer-Encoding: chunked",
			"",
			chunk,
		);
		const length = `Content-Length: ${hidden.length}`;
		await exchange(
			inside,
			`${method} ${base}/length HTTP/1.1`,
			"Host: a",
			"Connection: close, content-length",
			length,
			"",
			hidden,
		);
	}
	expect(seen.filter((request) => /^\w+ \/hidden/.test(request))).toEqual([]);
	expect(seen).toHaveLength(10);
	for (const request of seen) expect(request.endsWith(` ${hidden}`)).toBe(true);
	// What two readers could cut in two ways is no request.
	for (const lines of [
		["Content-Length: 5", "Transfer-Encoding: chunked"],
		["Content-Length: 5", "Content-Length: 6"],
		["Content-Length: 5, 5"],
		["Content-Length: +5"],
		["Transfer-Encoding: chunked, identity"],
		["Transfer-Encoding: gzip, chunked"],
		["Transfer-Encoding: xchunked"],
		["Transfer-Encoding : chunked"],
		["X: 1\n Transfer-Encoding: chunked"],
		["X: a\0b"],
	]) {
		const answer = await exchange(
			inside,
			`POST ${base}/twice HTTP/1.1`,
			"Host: a",
			close,
			...lines,
			"",
			"0\r\n\r\nhello",
		);
		expect(answer, `${lines}`).toMatch(/^HTTP\/1\.1 (400|501) /);
	}
	expect(seen).toHaveLength(10);
});

test.each([
	["GET / HTTP/1.1", 400],
	["GET * HTTP/1.1", 400],
	["OPTIONS * HTTP/1.1", 400],
	["GET //127.0.0.1/ HTTP/1.1", 400],
	["GET https://a.example/ HTTP/1.1", 400],
	["GET ftp://a.example/ HTTP/1.1", 400],
	["GET file:///etc/passwd HTTP/1.1", 400],
	["GET http:/a.example/ HTTP/1.1", 400],
	["GET http:///path HTTP/1.1", 403],
	["GET http://user@a.example/ HTTP/1.1", 403],
	["GET http://a.example@127.0.0.1/ HTTP/1.1", 403],
	["GET http://a.example%2f@127.0.0.1/ HTTP/1.1", 403],
	["GET http://a.example:0/ HTTP/1.1", 403],
	["GET http://a.example:99999/ HTTP/1.1", 403],
	["GET http://a.example\\@127.0.0.1/ HTTP/1.1", 400],
	["GET HTTP://EVIL.example/ HTTP/1.1", 403],
	["CONNECT a.example HTTP/1.1", 403],
	["CONNECT a.example: HTTP/1.1", 403],
	["CONNECT :443 HTTP/1.1", 403],
	["CONNECT http://a.example/ HTTP/1.1", 403],
	["CONNECT user@a.example:443 HTTP/1.1", 403],
	["CONNECT a.example%00:443 HTTP/1.1", 403],
	["CONNECT a.example:443@b:443 HTTP/1.1", 403],
	["CONNECT localhost:22 HTTP/1.1", 403],
	["CONNECT localhost.:22 HTTP/1.1", 403],
	["CONNECT 127.0.0.1:22 HTTP/1.1", 403],
	["CONNECT 127.1:22 HTTP/1.1", 403],
	["CONNECT 0x7f000001:22 HTTP/1.1", 403],
	["CONNECT 0177.0.0.1:22 HTTP/1.1", 403],
	["CONNECT 2130706433:22 HTTP/1.1", 403],
	["CONNECT 0:22 HTTP/1.1", 403],
	["CONNECT [::1]:22 HTTP/1.1", 403],
	["CONNECT [::]:22 HTTP/1.1", 403],
	["CONNECT [::ffff:127.0.0.1]:22 HTTP/1.1", 403],
	["CONNECT [::1%25lo]:22 HTTP/1.1", 403],
	["CONNECT 169.254.169.254:80 HTTP/1.1", 403],
	["GET http://2130706433/ HTTP/1.1", 403],
	["GET http://127.0.0.1\t/ HTTP/1.1", 400],
	["CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 403],
] as const)("%j: %i", async (line, status) => {
	await using inside = await Inside.open({ allow: ["a.example.invalid", "localhost"] });
	const answer = await exchange(inside, line, "Host: 127.0.0.1", "Connection: close");
	expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
	expect(inside.violations.length).toBe(status === 403 ? 1 : 0);
});

test("a host that does not answer is 502, which is no violation", async () => {
	const free = await tcpServer(() => {});
	const { port } = free;
	await free[Symbol.asyncDispose]();
	await using inside = await Inside.open({ allow: ["127.0.0.1", "no-such-name.invalid"] });
	const close = ["Host: a", "Connection: close"];
	expect(await exchange(inside, `CONNECT 127.0.0.1:${port} HTTP/1.1`)).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
	const answer = await exchange(inside, `GET http://127.0.0.1:${port}/ HTTP/1.1`, ...close);
	expect(answer).toMatch(/^HTTP\/1\.1 502 [\s\S]*ECONNREFUSED/);
	expect(await exchange(inside, "CONNECT no-such-name.invalid:1 HTTP/1.1")).toMatch(/^HTTP\/1\.1 502 /);
	expect(inside.violations).toEqual([]);
});

test("hosts that answer badly are 502, or an answer that is cut", async () => {
	const answers = [
		"",
		"no answer\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
		`HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
	];
	for (const bytes of answers) {
		await using server = await tcpServer((socket) => socket.once("data", () => socket.end(bytes)));
		await using inside = await Inside.open({ allow: ["127.0.0.1"] });
		const answer = await exchange(
			inside,
			`GET http://127.0.0.1:${server.port}/ HTTP/1.1`,
			"Host: a",
			"Connection: close",
		);
		expect(answer, JSON.stringify(bytes.slice(0, 40))).toMatch(/^HTTP\/1\.1 502 /);
	}
	await using server = await tcpServer((socket) => {
		socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"));
	});
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const answer = await exchange(inside, `GET http://127.0.0.1:${server.port}/ HTTP/1.1`, "Host: a");
	expect(answer).toMatch(/Content-Length: 10\r\n[\s\S]*hello$/);
});

test("a tunnel passes each end on by itself", async () => {
	await using server = await tcpServer(async (socket) => socket.end(`got ${await received(socket)}`));
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await tunnel(inside, `127.0.0.1:${server.port}`);
	client.end("hello");
	expect(await received(client)).toBe("got hello");
});

test("the host may end first, and what the client sends afterwards arrives", async () => {
	await using server = await tcpServer(async (socket) => {
		socket.end("bye");
		server.emit("all", await received(socket));
	});
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await tunnel(inside, `127.0.0.1:${server.port}`);
	expect(await received(client)).toBe("bye");
	client.end("still here");
	expect(await once(server, "all")).toEqual(["still here"]);
});

test("a reset of one side is a reset of the other", async () => {
	await using server = await tcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await tunnel(inside, `127.0.0.1:${server.port}`);
	client.write("x");
	await expect(text(client)).rejects.toMatchObject({ code: "ECONNRESET" });
	let failed: Promise<unknown> = Promise.resolve();
	await using other = await tcpServer((socket) => {
		failed = once(socket, "data").then(() => new Promise((resolve) => socket.once("error", resolve)));
		socket.once("data", () => socket.write("ready"));
	});
	const second = await tunnel(inside, `127.0.0.1:${other.port}`);
	second.write("x");
	await once(second, "data");
	second.resetAndDestroy();
	expect(await failed).toMatchObject({ code: "ECONNRESET" });
});

test("a host that resets each connection at once keeps no client waiting", async () => {
	await using server = await tcpServer((socket) => socket.resetAndDestroy());
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	for (let i = 0; i < 50; i++) {
		const answer = await exchange(inside, `CONNECT 127.0.0.1:${server.port} HTTP/1.1`).catch(({ code }) => code);
		expect(answer).toMatch(/^(HTTP\/1\.1 200 |HTTP\/1\.1 502 |ECONNRESET)/);
	}
});

test("bytes that follow CONNECT at once are the tunnel's", async () => {
	await using server = await tcpServer(async (socket) => socket.end(`got ${await received(socket)}`));
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await inside.connect();
	client.allowHalfOpen = true;
	client.end(`CONNECT 127.0.0.1:${server.port} HTTP/1.1\r\nHost: a\r\n\r\nearly`);
	expect(await text(client)).toMatch(/^HTTP\/1\.1 200 [^\r]*\r\n\r\ngot early$/);
});

test("a reader that does not read holds the sender up", async () => {
	const most = 64 * 1024 * 1024;
	let sent = 0;
	await using server = await tcpServer((socket) => {
		const block = Buffer.alloc(65_536);
		const send = () => {
			while (sent < most) {
				sent += block.length;
				if (!socket.write(block)) return;
			}
			socket.end();
		};
		socket.on("drain", send);
		send();
	});
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await tunnel(inside, `127.0.0.1:${server.port}`);
	let last = -1;
	for (let still = 0; still < 200; still = sent === last ? still + 1 : 0) {
		last = sent;
		await new Promise(setImmediate);
	}
	expect(sent).toBeLessThan(most / 2);
	let length = 0;
	client.on("data", (bytes) => {
		length += bytes.length;
	});
	client.resume();
	await once(client, "end");
	expect(length).toBe(most);
	client.end();
});

test("an upload and its answer are passed on while they come", async () => {
	await using server = await httpServer((request, response) => request.pipe(response));
	await using inside = await Inside.open({ allow: ["127.0.0.1"] });
	const client = await inside.connect();
	const head = ["Host: a", "Transfer-Encoding: chunked", "Connection: close"].join("\r\n");
	client.write(`PUT http://127.0.0.1:${server.port}/ HTTP/1.1\r\n${head}\r\n\r\n3\r\none\r\n`);
	let answer = "";
	client.on("data", (chunk) => {
		answer += chunk;
	});
	while (!answer.includes("one")) await once(client, "data");
	client.write("3\r\ntwo\r\n0\r\n\r\n");
	await once(client, "end");
	expect(answer).toMatch(/one[\s\S]*two/);
});
