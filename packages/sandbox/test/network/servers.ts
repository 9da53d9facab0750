import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import type { Inside } from "./inside.ts";

/** Listens on a port of the host's 127.0.0.1. */
export async function listening<S extends Server>(server: S): Promise<S & AsyncDisposable & { port: number }> {
	const open = new Set<Socket>();
	server.on("connection", (socket: Socket) => {
		open.add(socket);
		socket.on("error", () => socket.destroy());
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return Object.assign(server, {
		port: (server.address() as AddressInfo).port,
		[Symbol.asyncDispose]: async () => {
			const closed = new Promise((resolve) => server.close(resolve));
			for (const socket of open) socket.destroy();
			await closed;
		},
	});
}

export const httpServer = (listener: RequestListener) => listening(createServer(listener));
export const tcpServer = (listener: (socket: Socket) => void) =>
	listening(createTcpServer({ allowHalfOpen: true }, listener));

/** What a raw client sends to the proxy, and everything that comes back until the proxy closes. */
export async function exchange(inside: Inside, ...lines: readonly string[]): Promise<string> {
	const client = await inside.connect();
	client.on("error", () => {});
	client.write(`${lines.join("\r\n")}\r\n\r\n`);
	return text(client);
}

/** Opens a tunnel. Returns the socket behind the answer 200. */
export async function tunnel(inside: Inside, target: string): Promise<Socket> {
	const client = await inside.connect();
	client.allowHalfOpen = true;
	client.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
	let head = "";
	while (!head.endsWith("\r\n\r\n")) {
		const byte = client.read(1);
		if (byte === null) await once(client, "readable");
		else head += byte.toString("latin1");
	}
	expect(head).toMatch(/^HTTP\/1\.1 200 /);
	return client;
}

/** Returns everything that a socket receives. Unlike `text` of node:stream it leaves the socket open. */
export async function received(socket: Socket): Promise<string> {
	let all = "";
	socket.on("data", (bytes) => {
		all += bytes;
	});
	await once(socket, "end");
	return all;
}

/** Connects to a port of the host's 127.0.0.1. */
export async function connectTo(port: number): Promise<Socket> {
	const socket = connect(port, "127.0.0.1");
	await once(socket, "connect");
	return socket;
}
