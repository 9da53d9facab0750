import { expect, test } from "vitest";
import { Gate } from "../../src/network/gate.ts";
import { checkNetwork } from "../../src/network/options.ts";
import { createProxy } from "../../src/network/proxy.ts";
import { OpenSockets } from "../../src/network/sockets.ts";
import { connectTo, httpServer, listening, received, tcpServer } from "./servers.ts";

/** Makes a proxy whose resolver gives these answers by turns, and connects to it. */
async function proxyWith(allow: readonly string[], ...answers: readonly (readonly string[])[]) {
	const asked: string[] = [];
	const resolve = async (name: string) => [...(answers[asked.push(name) - 1] ?? [])];
	const gate = new Gate(checkNetwork({ allow }), resolve);
	const server = await listening(createProxy({ gate, upstream: undefined, sockets: new OpenSockets() }, () => {}));
	const ask = async (request: string) => {
		const client = await connectTo(server.port);
		client.write(`${request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
		return client;
	};
	return Object.assign(server, { asked, ask });
}

test("a name that would lead to another address the next time is connected to at the first one", async () => {
	await using server = await httpServer((request, response) => response.end(`${request.url} ${request.headers.host}`));
	const allow = ["a.example", "127.0.0.1"];
	// 127.0.0.3 is in no rule, and nobody listens there: a second look would be refused.
	await using proxy = await proxyWith(allow, ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.3"]);
	const name = `a.example:${server.port}`;
	const plain = await received(await proxy.ask(`GET http://${name}/plain`));
	expect(plain).toContain(`/plain ${name}`);
	expect(proxy.asked).toEqual(["a.example"]);
	const client = await proxy.ask(`CONNECT ${name}`);
	client.write("GET /tunnel HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
	expect(await received(client)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\/tunnel b/);
	expect(proxy.asked).toEqual(["a.example", "a.example"]);
	expect(await received(await proxy.ask(`CONNECT ${name}`))).toMatch(/^HTTP\/1\.1 403 /);
});

test("of several addresses the first one that answers is taken", async () => {
	await using server = await tcpServer((socket) => socket.end("here"));
	const allow = ["a.example", "127.0.0.1", "127.0.0.2", "::1"];
	await using proxy = await proxyWith(allow, ["::1", "127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.1"]);
	for (let i = 0; i < 2; i++) {
		expect(await received(await proxy.ask(`CONNECT a.example:${server.port}`))).toMatch(/^HTTP\/1\.1 200 [\s\S]*here$/);
	}
	const none = await proxyWith(allow, ["::1", "127.0.0.2"]);
	const answer = await received(await none.ask(`CONNECT a.example:${server.port}`));
	expect(answer).toMatch(/^HTTP\/1\.1 502 /);
	await none[Symbol.asyncDispose]();
});
