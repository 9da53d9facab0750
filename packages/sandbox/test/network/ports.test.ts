import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import { connectInside, listenInside } from "@nearfar/net";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { pids } from "../../../../test/processes.ts";
import { Network } from "../../src/network/network.ts";
import { checkNetwork } from "../../src/network/options.ts";
import { Inside } from "./inside.ts";
import { connectTo, httpServer, listening, received, tcpServer } from "./servers.ts";

const { test: withProc } = needs("/proc");
const { test: withCurl } = needs("the program curl");

/** Returns a port of the host's 127.0.0.1 that was free a moment ago. */
async function freePort(): Promise<number> {
	await using server = await listening(createServer());
	return server.port;
}

withCurl("SB-11: a port of the host that is named is reached inside, and no other", async () => {
	await using server = await httpServer((_, response) => response.end("the database"));
	await using other = await httpServer((_, response) => response.end("another one"));
	await using inside = await Inside.open({ localhost: [server.port] });
	const curl = (port: number) => inside.run("curl", ["-sS", `http://localhost:${port}/`]);
	expect((await curl(server.port)).stdout).toBe("the database");
	expect((await curl(other.port)).stderr).toMatch(/curl: \(7\)/);
	const proxied = await inside.run("curl", ["-sS", `http://127.0.0.1:${other.port}/`], { NO_PROXY: "", no_proxy: "" });
	expect(proxied.stdout).toMatch(/not in `allow`/);
});

test("a port of localhost below 1024 needs no privilege of the caller", async () => {
	await using inside = await Inside.open({ localhost: [1, 1023] });
	// No program listens at these ports of the host.
	for (const port of [1, 1023])
		await expect(inside.connect(port).then(text)).rejects.toMatchObject({ code: "ECONNRESET" });
	await expect(inside.connect(2)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("where no program listens on the host, a connection to a port of localhost is reset", async () => {
	const port = await freePort();
	await using inside = await Inside.open({ localhost: [port] });
	await expect(inside.connect(port).then(text)).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("SB-11: a server inside is reached from outside by connect, also after the task of the network is gone", async () => {
	await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	task.run(loopbackUp);
	await using network = await Network.open(task, undefined, () => {});
	await using later = await task.clone();
	await task[Symbol.asyncDispose]();
	expect(network.environment).toEqual({});
	await expect(network.connect(8000)).rejects.toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
	const one = await listenInside(later, { address: "127.0.0.1", port: 8000 }, (socket) => socket.end("four"));
	const two = await listenInside(later, { address: "::1", port: 8001 }, (socket) => socket.end("six"));
	const sockets = await Promise.all([network.connect(8000), network.connect(8000), network.connect(8001)]);
	expect(await Promise.all(sockets.map(text))).toEqual(["four", "four", "six"]);
	const closed = [once(one, "close"), once(two, "close")];
	one.close();
	two.close();
	await Promise.all(closed);
});

test("SB-11: everything goes on when the first process of the sandbox has become a supervisor", async () => {
	await using server = await httpServer((_, response) => response.end("the host"));
	await using task = await Task.clone({ namespaces: ["user", "pid", "net"], idMap: "root" });
	task.run(loopbackUp);
	const violations: string[] = [];
	const rules = checkNetwork({ allow: [`127.0.0.1:${server.port}`], localhost: [server.port] });
	await using network = await Network.open(task, rules, ({ what }) => violations.push(what));
	await using command = await task.clone({ namespaces: ["user"], idMap: "root" });
	task.supervise(command.process);
	expect(task.state).toBe("supervisor");
	const inside = await listenInside(command, { address: "127.0.0.1", port: 8000 }, (socket) => socket.end("inside"));
	expect(await text(await network.connect(8000))).toBe("inside");
	const published = await network.publish(8000, { hostPort: 0 });
	expect(await text(await connectTo(published.port))).toBe("inside");
	const proxy = Number(new URL(network.environment.HTTP_PROXY ?? "").port);
	for (const [port, request] of [
		[proxy, `GET http://127.0.0.1:${server.port}/`],
		[server.port, "GET /"],
	] as const) {
		const client = await connectInside(command, { address: "127.0.0.1", port });
		client.write(`${request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
		expect(await text(client)).toMatch(/the host/);
	}
	expect(violations).toEqual([]);
	inside.close();
});

test("a published port leads inside, before and after a program listens there", async () => {
	await using inside = await Inside.open({});
	const published = await inside.network.publish(8000, { hostPort: 0 });
	await expect(connectTo(published.port).then(text)).rejects.toMatchObject({ code: "ECONNRESET" });
	const server = createServer({ allowHalfOpen: true }, async (socket) => socket.end(`got ${await received(socket)}`));
	await listenInside(inside.task, { address: "127.0.0.1", port: 8000 }, server);
	const client = await connectTo(published.port);
	client.end("hello"); // and does not close: the half that is open carries the answer
	expect(await text(client)).toBe("got hello");
	await published.close();
	await published.close();
	await expect(connectTo(published.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	server.close();
	await once(server, "close");
});

test("ports of the options are published at the same numbers, and are given up with the sandbox", async () => {
	const [one, two] = [await freePort(), await freePort()];
	{
		await using inside = await Inside.open({ publish: [one, two] });
		const server = await listenInside(inside.task, { address: "0.0.0.0", port: two }, (socket) => socket.end("two"));
		expect(await text(await connectTo(two))).toBe("two");
		await expect(connectTo(one).then(text)).rejects.toMatchObject({ code: "ECONNRESET" });
		server.close();
	}
	for (const port of [one, two]) await expect(connectTo(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a port of the host that another program has is EADDRINUSE, and nothing is left of the network", async () => {
	await using server = await tcpServer(() => {});
	const free = await freePort();
	const rules = checkNetwork({ localhost: [5432], publish: [free, server.port] });
	await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	task.run(loopbackUp);
	await expect(Network.open(task, rules, () => {})).rejects.toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_NETWORK",
		step: `publish ${server.port}`,
		hint: expect.stringContaining("hostPort"),
		cause: expect.objectContaining({ code: "EADDRINUSE", syscall: "listen" }),
	});
	await expect(connectTo(free)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	await expect(connectInside(task, { address: "127.0.0.1", port: 5432 })).rejects.toMatchObject({
		code: "ECONNREFUSED",
	});
	await using inside = await Inside.open({});
	await expect(inside.network.publish(server.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("with loopback down nothing can listen inside", async () => {
	await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	await using network = await Network.open(task, undefined, () => {});
	await expect(network.connect(80)).rejects.toMatchObject({ code: "ENETUNREACH" });
});

test("SB-19: loopback that is up already is no error", async () => {
	await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	task.run(loopbackUp);
	task.run(loopbackUp);
	await task.batch(loopbackUp);
	const server = await listenInside(task, { address: "127.0.0.1", port: 80 }, (socket) => socket.end("up"));
	await using network = await Network.open(task, undefined, () => {});
	expect(await text(await network.connect(80))).toBe("up");
	server.close();
});

test("a network namespace without a user namespace of its own", async () => {
	// What `rootFallback` of a sandbox uses, and only root can make. An ordinary user makes it one user namespace further in.
	await using outer = await Task.clone({ namespaces: ["user"], idMap: "root" });
	await using task = await outer.clone({ namespaces: ["net"] });
	task.run(loopbackUp);
	await using network = await Network.open(task, checkNetwork({}), () => {});
	await expect(network.connect(9)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	expect(network.environment.NODE_USE_ENV_PROXY).toBe("1");
});

const { test: asRoot } = needs("root");

asRoot("a network namespace of the user namespace of Node", async () => {
	await using task = await Task.clone({ namespaces: ["net"] });
	task.run(loopbackUp);
	await using network = await Network.open(task, checkNetwork({}), () => {});
	await expect(network.connect(9)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("wrong ports reach no kernel, and a network that is closed opens nothing", async () => {
	const inside = await Inside.open({});
	const { network } = inside;
	for (const port of [0, 65_536, 1.5]) {
		await expect(network.connect(port)).rejects.toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		await expect(network.publish(port)).rejects.toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	}
	await expect(network.connect("80" as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	await expect(network.publish(80, { hostPort: -1 })).rejects.toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	await expect(network.publish(80, { port: 1 } as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	await inside[Symbol.asyncDispose]();
	await expect(network.connect(80)).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_CLOSED" });
	await expect(network.publish(80)).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_CLOSED" });
	await network[Symbol.asyncDispose]();
});

test("the end of a network ends sockets of connect and of published ports, and what is under way", async () => {
	const inside = await Inside.open({});
	const server = await listenInside(inside.task, { address: "127.0.0.1", port: 80 }, (socket) => {
		socket.on("error", () => {});
		socket.resume();
	});
	const published = await inside.network.publish(80, { hostPort: 0 });
	const inner = await inside.network.connect(80);
	const outer = await connectTo(published.port);
	outer.on("error", () => {});
	outer.resume();
	const [late, later] = [inside.network.connect(80), inside.network.publish(81, { hostPort: 0 })];
	const settled = Promise.allSettled([late, later]);
	const ends = Promise.all([once(inner, "close"), once(outer, "close")]);
	await inside[Symbol.asyncDispose]();
	await ends;
	for (const { status } of await settled) expect(status).toBe("rejected");
	server.close();
	await once(server, "close");
	expect((server.address() as AddressInfo | null)?.port).toBeUndefined();
});

withProc(
	"the task that connects is in the pid namespace of Node, and is cloned anew where somebody kills it",
	async () => {
		await using inside = await Inside.open({});
		const server = await listenInside(inside.task, { address: "127.0.0.1", port: 80 }, (socket) => socket.end("here"));
		expect(await text(await inside.network.connect(80))).toBe("here");
		const [keeper = 0, ...others] = sharing(inside.task.pid, "net");
		expect(others).toEqual([]);
		expect(sharing(process.pid, "pid")).toContain(keeper);
		process.kill(keeper, "SIGKILL");
		let answer: string | undefined;
		while (answer === undefined) answer = await inside.network.connect(80).then(text, () => undefined);
		expect(answer).toBe("here");
		server.close();
	},
);

/** Returns the pids of the other processes in a namespace of a process. */
function sharing(pid: number, kind: string): number[] {
	const namespace = (pid: number | string) => readlink(`/proc/${pid}/ns/${kind}`);
	const others = pids().filter((other) => Number(other) !== pid);
	return others.filter((other) => namespace(other) === namespace(pid)).map(Number);
}

function readlink(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch {
		return undefined; // the process has ended, or belongs to another user
	}
}
