import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { finished, pipeline } from "node:stream/promises";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { spawn } from "../../src/index.ts";

test("stdin is destroyed when the program has ended, whoever still wanted to write", async () => {
	const child = await spawn("true", [], { stdio: ["pipe", "ignore", "ignore"] });
	await once(child.stdin as NonNullable<typeof child.stdin>, "close");
	expect(child.stdin?.destroyed).toBe(true);
	expect(child.death).toMatchObject({ state: "exited", code: 0 });
});

test("EPIPE is an error of the stream; stdin that ends is the end of the file", async () => {
	const child = await spawn("sh", ["-c", "exec <&-; echo closed; exec sleep 1000"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	await once(child.stdout as Readable, "data");
	child.stdin?.write("nobody reads this");
	const [error] = await once(child.stdin as NonNullable<typeof child.stdin>, "error");
	expect(error).toMatchObject({ code: "EPIPE", syscall: "write" });
	await child[Symbol.asyncDispose]();
	expect(child.stdout?.destroyed).toBe(true);
});

test("a program that ends leaves its output to be read", async () => {
	const child = await spawn("sh", ["-c", "head -c 100000 /dev/zero; exit 3"], { stdio: ["ignore", "pipe", "inherit"] });
	const first = await child.exited.then(
		({ code }) => code,
		() => {},
	);
	void first;
	expect((await text(child.stdout as Readable)).length).toBe(100_000);
}, 30_000);

test("a program that closes its output early ends the stream, not the program", async () => {
	const child = await spawn("sh", ["-c", "exec >&- 2>&-; read line; exit 4"]);
	for (const stream of [child.stdout, child.stderr]) await finished((stream as Readable).resume());
	expect(child.death).toBeUndefined();
	child.stdin?.end("go\n");
	expect(await child.exited).toMatchObject({ code: 4 });
});

test("back-pressure: a reader that stops stops the program", async () => {
	const child = await spawn("sh", ["-c", "yes | head -c 10000000"], { stdio: ["ignore", "pipe", "inherit"] });
	await once(child.stdout as Readable, "readable");
	expect(child.death).toBeUndefined();
	expect((await text(child.stdout as Readable)).length).toBe(10_000_000);
	expect(await child.exited).toMatchObject({ code: 0 });
});

test("1 GiB through cat is what it was", async () => {
	const child = await spawn("cat", [], { stdio: ["pipe", "pipe", "inherit"] });
	const [sent, came] = [createHash("sha256"), createHash("sha256")];
	const block = randomBytes(1 << 20);
	function* gigabyte() {
		for (let index = 0; index < 1024; index++) {
			block.writeUInt32LE(index);
			const copy = Buffer.from(block);
			sent.update(copy);
			yield copy;
		}
	}
	const writing = pipeline(Readable.from(gigabyte()), child.stdin as NonNullable<typeof child.stdin>);
	let length = 0;
	for await (const chunk of child.stdout as Readable) {
		came.update(chunk);
		length += chunk.length;
	}
	await writing;
	expect(length).toBe(2 ** 30);
	expect(came.digest("hex")).toBe(sent.digest("hex"));
	expect(await child.exited).toMatchObject({ code: 0 });
}, 120_000);

test("twice as much fits in between as in a socket of Node's: both sides are woken half as often", async () => {
	await using child = await spawn("sleep", ["1000"], { stdio: ["pipe", "ignore", "ignore"] });
	const [getsockopt, SOL_SOCKET, SO_SNDBUF] = [process.arch === "x64" ? 55 : 209, 1, 7];
	const most = Number(readFileSync("/proc/sys/net/core/wmem_max", "utf8"));
	const { fd } = (child.stdin as unknown as { _handle: { fd: number } })._handle;
	const [size, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
	Task.near.syscall(getsockopt, fd, SOL_SOCKET, SO_SNDBUF, size, length);
	expect(size.readInt32LE()).toBe(2 * Math.min(212_992, most));
});

test("half-close: the program goes on when its stdin has ended, and what is written after that is refused", async () => {
	const child = await spawn("sh", ["-c", "cat; echo and more; exit 3"], { stdio: ["pipe", "pipe", "inherit"] });
	const stdin = child.stdin as NonNullable<typeof child.stdin>;
	stdin.end("all");
	expect(await text(child.stdout as Readable)).toBe("alland more\n");
	expect(await child.exited).toMatchObject({ code: 3 });
	const error = await new Promise((resolve) => stdin.on("error", () => {}).write("late", resolve));
	expect(error).toMatchObject({ code: "ERR_STREAM_WRITE_AFTER_END" });
	stdin.end();
});
