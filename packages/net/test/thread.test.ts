import { once } from "node:events";
import { connect as connectNode, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { openat2, Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import { bind, connect, connectInside, getsockname, listen, listenInside, setsockopt, socket } from "@nearfar/net";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { portOf } from "./inside.ts";

const root = needs("root");
const local = { address: "127.0.0.1", port: 0 };

root.test("a socket that a thread makes and binds in its network namespace is served by Node", async () => {
	await using inside = await Task.thread({ namespaces: ["net"] });
	const fd = inside.run(() => {
		loopbackUp();
		const made = socket("inet", "stream");
		bind(made, { address: "127.0.0.1", port: 80 });
		return made;
	});
	const server = createServer((socket) => socket.end("from inside")).listen({ fd: fd.take() });
	await once(server, "listening");
	expect(server.address()).toEqual({ address: "127.0.0.1", family: "IPv4", port: 80 });
	expect(await text(await connectInside(inside, { address: "127.0.0.1", port: 80 }))).toBe("from inside");
	// Nobody serves port 80 of Node's own network for this test: what a client of Node gets there is not the server.
	const outside = await text(connectNode(80, "127.0.0.1").on("error", () => {})).catch((error) => error.code);
	expect(outside).not.toBe("from inside");
	server.close();
});

root.test("a thread that joins the namespace of a task serves there, as after Namespace.open", async () => {
	await using task = await Task.clone({ namespaces: ["net"] });
	task.run(loopbackUp);
	using far = task.run(() => openat2("/proc/self/ns/net"));
	using network = task.get(far);
	await using inside = await Task.thread({ join: [network] });
	const server = await listenInside(inside, { address: "127.0.0.1", port: 80 }, (socket) => socket.end("joined"));
	expect(await text(await connectInside(task, { address: "127.0.0.1", port: 80 }))).toBe("joined");
	await inside[Symbol.asyncDispose]();
	expect(await text(await connectInside(task, { address: "127.0.0.1", port: 80 }))).toBe("joined");
	server.close();
});

root.test("every call works in a thread, one by one and in a batch", async () => {
	await using inside = await Task.thread({ namespaces: ["net"] });
	inside.run(loopbackUp);
	const server = await inside.batch(() => {
		const made = socket("inet", "stream");
		setsockopt(made, 1, 2, 1);
		bind(made, local);
		listen(made);
		return made;
	});
	const address = inside.run(() => getsockname(server));
	expect(getsockname(server)).toEqual(address); // the descriptor is one of Node
	using client = await inside.batch(() => {
		const made = socket("inet", "stream", { blocking: true });
		connect(made, { address: "127.0.0.1", port: portOf(address) });
		return made;
	});
	expect(portOf(getsockname(client))).toBeGreaterThan(0);
	const error = inside.run(() => {
		using made = socket("inet", "stream");
		return refusal(() => bind(made, address));
	});
	expect(error).toMatchObject({ code: "EADDRINUSE", syscall: "bind", task: `${inside}` });
	server.close();
});
