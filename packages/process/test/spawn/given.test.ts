import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { pipe } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";
import { output } from "./output.ts";

describe.each<[string, SpawnOptions]>([
	["", {}],
	["with a setup", { setup: () => {} }],
	["with killTree", { killTree: true }],
])("%s", (_, options) => {
	test("the output of a child is another's input, however late it comes", async () => {
		const script = "read line; echo $line";
		const first = await spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"], ...options });
		const second = await spawn("cat", [], { stdio: [first.stdout as Readable, "pipe", "inherit"], ...options });
		first.stdin?.end("through\n");
		expect(await text(second.stdout as Readable)).toBe("through\n");
		expect(await second.exited).toMatchObject({ code: 0 });
		first.stdout?.destroy();
		await first.exited;
	});

	test("what does not block here does for the program", async () => {
		const [read, write] = pipe({ blocking: false });
		const reader = await spawn("cat", [], { stdio: [read, "pipe", "inherit"], ...options });
		read.close();
		write.write("late");
		write.close();
		expect(await text(reader.stdout as Readable)).toBe("late");
		expect(await reader.exited).toMatchObject({ code: 0 });
	});
});

test("the output of a child of Node is another's input", async () => {
	const first = nodeSpawn("sh", ["-c", "read line; echo $line"], { stdio: ["pipe", "pipe", "inherit"] });
	const second = await spawn("cat", [], { stdio: [first.stdout, "pipe", "inherit"] });
	first.stdin.end("through\n");
	expect(await text(second.stdout as Readable)).toBe("through\n");
	first.stdout.destroy();
	await Promise.all([once(first, "close"), second.exited]);
});

test("what a child of Node has written before it ended is another's to read", async () => {
	const first = nodeSpawn("sh", ["-c", "read line; echo $line"], { stdio: ["pipe", "pipe", "inherit"] });
	const options: SpawnOptions = { stdio: [first.stdout, "pipe", "inherit", "pipe"] };
	const second = await spawn("sh", ["-c", "read go <&3; exec cat"], options);
	first.stdin.end("through\n");
	await once(first, "exit");
	for (let turn = 0; turn < 10; turn++) await setImmediate(); // gives Node time for its own work at the end of a child
	second.stdio[3]?.end("go\n");
	expect(await text(second.stdout as Readable)).toBe("through\n");
	first.stdout.destroy();
	await Promise.all([once(first, "close"), second.exited]);
});

test("a stream that was given to a program that could not start can be read on", async () => {
	const [client, served, end] = await connection();
	const error = await reason(() => spawn("/nowhere", [], { stdio: [served, "ignore", "ignore"] }));
	expect(error).toMatchObject({ code: "ENOENT" });
	client.end("for whoever reads");
	expect(await text(served)).toBe("for whoever reads");
	await end();
});

test("a socket is the program's standard output", async () => {
	const [client, served, end] = await connection();
	const child = await spawn("echo", ["to the client"], { stdio: ["ignore", served, "inherit"] });
	await child.check();
	served.end();
	expect(await text(client)).toBe("to the client\n");
	await end();
});

test("a stream that is closed, not open yet or none of the kernel is refused, as Node does", async () => {
	const closed = createReadStream("/etc/passwd");
	await once(closed, "open");
	closed.destroy();
	await once(closed, "close");
	const [client, served, end] = await connection();
	await end();
	const early = createWriteStream("/dev/null");
	for (const stream of [closed, client, served, early, new ServerResponse({ method: "GET" } as never)]) {
		const stdio = ["ignore", stream, "ignore"] as const;
		expect(await reason(() => spawn("true", [], { stdio }))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
		expect(() => nodeSpawn("true", [], { stdio: [...stdio] })).toThrow(
			expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
		);
	}
	early.destroy();
	await once(early, "close");
	expect((await output("true")).status).toMatchObject({ code: 0 });
});

async function connection(): Promise<[client: Socket, served: Socket, end: () => Promise<void>]> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
	const [[served]] = await Promise.all([once(server, "connection"), once(client, "connect")]);
	const end = async () => {
		const all = [client, served as Socket, server].map((stream) => once(stream, "close"));
		client.destroy();
		served.destroy();
		server.close();
		await Promise.all(all);
	};
	return [client, served, end];
}
