import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { createServer, get } from "node:http";
import { connect as connectNode, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { dropCapabilities } from "@nearfar/caps";
import { Task, TaskGoneError } from "@nearfar/core";
import { bind, connectInside, getsockopt, listen, listenInside, socket } from "@nearfar/net";
import { getrlimit, setrlimit } from "@nearfar/process";
import { afterAll, expect, test } from "vitest";
import { inside, network, openIn, portOf } from "./inside.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-net-"));
afterAll(() => rmSync(folder, { recursive: true }));

const local = { address: "127.0.0.1", port: 0 };

/** Returns the sockets that this process has open, and had not before. */
function socketsSince(before: readonly string[]): string[] {
	return sockets().filter((socket) => !before.includes(socket));
}

/** Returns the sockets that this process has open. */
function sockets(): string[] {
	return readdirSync("/proc/self/fd")
		.map((fd) => {
			try {
				return readlinkSync(`/proc/self/fd/${fd}`);
			} catch {
				return ""; // the descriptor with which the folder was read
			}
		})
		.filter((link) => link.startsWith("socket:"));
}

test("a server of node:http listens inside of a network namespace, without any relay", async () => {
	await using task = await inside();
	const server = createServer((request, response) => response.end(`${request.url} from inside`));
	expect(await listenInside(task, { address: "127.0.0.1", port: 80 }, server)).toBe(server);
	expect(server.address()).toEqual({ address: "127.0.0.1", family: "IPv4", port: 80 });
	const client = await connectInside(task, { address: "127.0.0.1", port: 80 });
	expect([client.remoteAddress, client.remotePort]).toEqual(["127.0.0.1", 80]);
	client.write("GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	expect(await text(client)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*\/page from inside/);
	// A client of Node takes a socket that was connected inside.
	const made = await connectInside(task, { address: "127.0.0.1", port: 80 });
	const [response] = await once(get({ createConnection: () => made, path: "/again" }), "response");
	expect((await response.toArray()).join("")).toBe("/again from inside");
	made.destroy();
	server.close();
	await once(server, "close");
});

test("nobody outside reaches the server, and the same port is served by another namespace", async () => {
	await using one = await inside();
	await using two = await inside();
	const servers = await Promise.all(
		[one, two].map((task, i) =>
			listenInside(task, { address: "127.0.0.1", port: 7777 }, (socket) => socket.end(`${i}`)),
		),
	);
	for (const [i, task] of [one, two].entries()) {
		expect(await text(await connectInside(task, { address: "127.0.0.1", port: 7777 }))).toBe(`${i}`);
	}
	const outside = await listenInside(Task.near, local, (socket) => socket.end("outside"));
	expect(await text(connectNode(portOf(outside.address()), "127.0.0.1"))).toBe("outside");
	const none = connectInside(one, { address: "127.0.0.1", port: portOf(outside.address()) });
	await expect(none).rejects.toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
	for (const server of [...servers, outside]) server.close();
});

test("the server goes on when the task is killed", async () => {
	const task = await inside();
	await using other = await task.clone();
	const server = await listenInside(task, local, (socket) => socket.pipe(socket));
	task.process.kill("SIGKILL");
	await task.process.exited;
	const client = await connectInside(other, { address: "127.0.0.1", port: portOf(server.address()) });
	client.end("still here");
	expect(await text(client)).toBe("still here");
	server.close();
});

test("a task that is killed meanwhile rejects, and leaves no socket behind", async () => {
	const before = sockets();
	const task = await inside();
	const promise = listenInside(task, local);
	task.process.kill("SIGKILL");
	const outcome = await promise.then(
		(server) => server.close(),
		(error) => error,
	);
	if (outcome instanceof Error) expect(outcome).toBeInstanceOf(TaskGoneError);
	await task.process.exited;
	await expect(listenInside(task, local)).rejects.toBeInstanceOf(TaskGoneError);
	await expect(connectInside(task, local)).rejects.toBeInstanceOf(TaskGoneError);
	expect(socketsSince(before)).toEqual([]);
});

test("the task keeps no descriptor, and Node closes its own with the server", async () => {
	await using task = await inside();
	const [before, open] = [sockets(), openIn(task)];
	const server = await listenInside(task, local);
	expect(openIn(task)).toBe(open);
	expect(socketsSince(before)).toHaveLength(1);
	server.close();
	await once(server, "close");
	expect(socketsSince(before)).toEqual([]);
});

test("a refusal leaves no descriptor behind, in the task or in Node", async () => {
	await using task = await inside();
	const address = { address: "127.0.0.1", port: 4444 };
	const server = await listenInside(task, address);
	const [before, open] = [sockets(), openIn(task)];
	const refused = (target: typeof address) => expect(listenInside(task, target)).rejects;
	await refused(address).toMatchObject({ code: "EADDRINUSE", syscall: "bind", task: `${task}` });
	await refused({ ...address, address: "198.51.100.1" }).toMatchObject({ code: "EADDRNOTAVAIL", syscall: "bind" });
	const missing = { path: join(folder, "no/where") };
	await expect(listenInside(task, missing)).rejects.toMatchObject({ code: "ENOENT", syscall: "bind", ...missing });
	task.run(() => dropCapabilities());
	await refused({ ...address, port: 80 }).toMatchObject({ code: "EACCES", syscall: "bind" });
	task.run(() => setrlimit("nofile", { soft: 3, hard: 3 }));
	await refused(address).toMatchObject({ code: "EMFILE", syscall: "socket" });
	expect([socketsSince(before), openIn(task)]).toEqual([[], open]);
	server.close();
});

test("a Node without a free descriptor is EMFILE, and neither side keeps the socket", async () => {
	await using task = await inside();
	const server = await listenInside(task, local);
	const [before, open] = [sockets(), openIn(task)];
	const { soft, hard } = getrlimit("nofile");
	setrlimit("nofile", { soft: 3, hard });
	const outcomes = await Promise.allSettled([
		listenInside(task, local),
		connectInside(task, { address: "127.0.0.1", port: portOf(server.address()) }),
	]);
	setrlimit("nofile", { soft, hard });
	expect(outcomes).toEqual([
		expect.objectContaining({ reason: expect.objectContaining({ code: "EMFILE" }) }),
		expect.objectContaining({ reason: expect.objectContaining({ code: "EMFILE" }) }),
	]);
	expect([socketsSince(before), openIn(task)]).toEqual([[], open]);
	server.close();
});

test("Unix sockets are served: a path of the task, whose file stays, and an abstract name", async () => {
	await using task = await Task.clone(network);
	const path = join(folder, "server");
	for (const address of [{ path }, { path: "\0nearfar" }]) {
		const server = await listenInside(task, address, (socket) => socket.end("served"));
		expect(await text(await connectInside(task, address))).toBe("served");
		server.close();
		await once(server, "close");
	}
	await expect(listenInside(task, { path })).rejects.toMatchObject({ code: "EADDRINUSE", syscall: "bind", path });
	await expect(connectInside(task, { path })).rejects.toMatchObject({ code: "ECONNREFUSED", syscall: "connect", path });
	rmSync(path);
});

test("as a server of Node, :: takes IPv4 connections too, and the port is free at once after its end", async () => {
	await using task = await inside();
	for (let round = 0; round < 2; round++) {
		const server = await listenInside(task, { address: "::", port: 8080 }, (socket) => socket.end("both"));
		expect(await text(await connectInside(task, { address: "127.0.0.1", port: 8080 }))).toBe("both");
		expect(await text(await connectInside(task, { address: "::1", port: 8080 }))).toBe("both");
		server.close();
		await once(server, "close");
	}
});

test("many connections at once are all served", async () => {
	await using task = await inside();
	const server = await listenInside(task, local, (socket) => socket.pipe(socket));
	const address = { address: "127.0.0.1", port: portOf(server.address()) };
	const clients = await Promise.all(Array.from({ length: 64 }, () => connectInside(task, address)));
	for (const [i, client] of clients.entries()) client.end(`${i}`);
	expect(await Promise.all(clients.map((client) => text(client)))).toEqual(clients.map((_, i) => `${i}`));
	server.close();
});

test("an address is read once: what the caller changes in the object afterwards does not count", async () => {
	await using task = await inside();
	const servers = await Promise.all([1, 2].map(() => listenInside(task, local)));
	const ports = servers.map((server) => portOf(server.address()));
	const address = { address: "127.0.0.1", port: 0 };
	const clients = await Promise.all(
		ports.map((port) => {
			address.port = port;
			return connectInside(task, address);
		}),
	);
	expect(clients.map((client) => client.remotePort)).toEqual(ports);
	const path = Buffer.from("\0first");
	const byBytes = listenInside(task, { path });
	path.write("\0second");
	servers.push(await byBytes);
	clients.push(await connectInside(task, { path: "\0first" }));
	let reads = 0;
	const changing = {
		get address() {
			return reads++ === 0 ? "127.0.0.1" : "::1";
		},
		port: 0,
	};
	servers.push(await listenInside(task, changing));
	for (const client of clients) client.destroy();
	for (const server of servers) server.close();
});

test("a refused connection rejects, and leaves nothing", async () => {
	await using task = await inside();
	const [before, open] = [sockets(), openIn(task)];
	const refused = { code: "ECONNREFUSED", syscall: "connect", task: `${task}` };
	await expect(connectInside(task, { address: "127.0.0.1", port: 9 })).rejects.toMatchObject(refused);
	await expect(connectInside(task, { address: "::1", port: 9 })).rejects.toMatchObject(refused);
	const far = { address: "198.51.100.1", port: 9 };
	await expect(connectInside(task, far)).rejects.toMatchObject({ ...refused, code: "ENETUNREACH" });
	await expect(connectInside(Task.near, { path: join(folder, "none") })).rejects.toMatchObject({ code: "ENOENT" });
	expect([socketsSince(before), openIn(task)]).toEqual([[], open]);
});

test("the event loop goes on while a connection is not answered, and the task makes other calls", async () => {
	await using task = await inside();
	// A full backlog answers nothing.
	const server = task.run(() => {
		const made = socket("inet", "stream");
		bind(made, { address: "127.0.0.1", port: 5000 });
		listen(made, 0);
		return made;
	});
	const address = { address: "127.0.0.1", port: 5000 };
	const first = await connectInside(task, address);
	first.on("error", () => {}); // the end of the task resets the connection
	// The server has its end of the first connection a moment later, and answers the next one until then.
	const TCP_INFO = 11;
	const waiting = () => task.run(() => getsockopt(server, 6, TCP_INFO).readUInt32LE(24)); // tcpi_unacked: the queue, of a server
	await expect.poll(waiting).toBe(1);
	let done = false;
	const second = connectInside(task, address).finally(() => {
		done = true;
	});
	await task.batch(() => setrlimit("core", 0));
	await new Promise(setImmediate);
	expect(done).toBe(false);
	task.process.kill("SIGKILL"); // also the task is no longer needed
	await task.process.exited;
	server.close();
	first.destroy();
	await second.then(
		(socket) => socket.destroy(),
		(error) => expect(error).toMatchObject({ syscall: "connect" }),
	);
});

test("wrong arguments reject before any call", async () => {
	await using task = await inside();
	const listening = createNetServer().listen(0, "127.0.0.1");
	await once(listening, "listening");
	const open = openIn(task);
	const wrong: [unknown, unknown, unknown, string][] = [
		[undefined, local, undefined, "ERR_INVALID_ARG_TYPE"],
		[task, undefined, undefined, "ERR_INVALID_ARG_TYPE"],
		[task, { address: "localhost", port: 0 }, undefined, "ERR_INVALID_ARG_VALUE"],
		[task, local, "listener", "ERR_INVALID_ARG_TYPE"],
		[task, local, listening, "ERR_INVALID_ARG_VALUE"],
	];
	for (const [target, address, listener, code] of wrong) {
		const promise = listenInside(target as Task, address as typeof local, listener as () => void);
		await expect(promise).rejects.toMatchObject({ code });
	}
	await expect(connectInside({} as Task, local)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	const collected: Promise<unknown>[] = [];
	await task.batch(() => {
		collected.push(listenInside(task, local), connectInside(task, local));
	});
	for (const promise of collected) await expect(promise).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(openIn(task)).toBe(open);
	listening.close();
});

test("a server that begins to listen elsewhere meanwhile keeps that, and the promise rejects", async () => {
	await using task = await inside();
	const before = sockets();
	const server = createNetServer();
	const promise = listenInside(task, local, server);
	server.listen({ path: `\0nearfar-${process.pid}` });
	await expect(promise).rejects.toMatchObject({ code: "ERR_SERVER_ALREADY_LISTEN" });
	expect(server.listenerCount("error")).toBe(0);
	server.close();
	await once(server, "close");
	expect(socketsSince(before)).toEqual([]);
});
