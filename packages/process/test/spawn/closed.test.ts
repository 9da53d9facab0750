import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { describe, expect, expectTypeOf, test } from "vitest";
import { type OutputChunk, type Spawned, type SpawnOptions, spawn } from "../../src/index.ts";

describe("dispose of a program", () => {
	test("that has ended loses no output that is read (lost-output)", async () => {
		let lost = 0;
		for (let round = 0; round < 100; round++) {
			let out = "";
			{
				await using child = await spawn("sh", ["-c", "echo hello"]);
				child.stdout.on("data", (data) => (out += data));
				await child.exited;
			}
			if (out !== "hello\n") lost++;
		}
		expect(lost).toBe(0);
	});

	test("that lives loses no byte that was written before", async () => {
		const child = await spawn("sh", ["-c", "head -c 300000 /dev/zero; echo ready >&2; exec sleep 1000"]);
		let length = 0;
		child.stdout.on("data", (data) => (length += data.length));
		await once(child.stderr, "data");
		await child[Symbol.asyncDispose]();
		expect([length, child.stdout.closed, child.stderr.closed]).toEqual([300_000, true, true]);
	});

	test("destroys at once what nobody reads", async () => {
		const child = await spawn("sh", ["-c", "head -c 10000000 /dev/zero"]);
		await child[Symbol.asyncDispose]();
		expect([child.stdin.destroyed, child.stdout.destroyed, child.stderr.destroyed]).toEqual([true, true, true]);
	});

	test("waits a second after the last byte for a pipe that another process holds", async () => {
		const child = await spawn("sh", ["-c", "sleep 1000 & echo $!"], { stdio: ["ignore", "pipe", "ignore"] });
		const before = performance.now(); // of the last byte: a busy machine delivers it late, and the second begins with it
		const [line] = await once(child.stdout, "data");
		await child.exited;
		await child[Symbol.asyncDispose]();
		const waited = performance.now() - before;
		execFileSync("kill", [`${line}`.trim()]);
		expect(waited).toBeGreaterThan(900);
		expect(child.stdout.closed).toBe(true);
	});

	test("ends though its reader has stopped", async () => {
		const child = await spawn("sh", ["-c", "head -c 10000000 /dev/zero"], { stdio: ["ignore", "pipe", "ignore"] });
		child.stdout.once("data", () => child.stdout.pause());
		await once(child.stdout, "data");
		await child[Symbol.asyncDispose]();
		expect(child.stdout.destroyed).toBe(true);
	});
});

describe("closed", () => {
	test("resolves with the status after the last byte was read", async () => {
		await using child = await spawn("sh", ["-c", "head -c 1000000 /dev/zero; exit 3"]);
		let length = 0;
		child.stdout.on("data", (data) => (length += data.length));
		expect(await child.closed).toEqual({ code: 3, signal: null, dumped: false });
		expect(length).toBe(1_000_000);
		expect(child.closed).toBe(child.closed);
	});

	test("resolves though nobody reads", async () => {
		await using child = await spawn("sh", ["-c", "echo unread; echo too >&2; exit 4"]);
		expect(await child.closed).toMatchObject({ code: 4 });
	});

	test("resolves without pipes, and after dispose", async () => {
		const child = await spawn("sh", ["-c", "exit 5"], { stdio: "ignore" });
		await child.exited;
		await child[Symbol.asyncDispose]();
		expect(await child.closed).toMatchObject({ code: 5 });
	});
});

describe("output", () => {
	test("has both streams in the order in which they came", async () => {
		const script = "for i in 1 2 3; do echo out $i; read line; echo err $i >&2; read line; done";
		await using child = await spawn("sh", ["-c", script]);
		const seen: string[] = [];
		for await (const { stream, data } of child.output) {
			seen.push(`${stream}: ${data}`);
			child.stdin.write("go\n");
		}
		const round = (i: number) => [`stdout: out ${i}\n`, `stderr: err ${i}\n`];
		expect(seen).toEqual([1, 2, 3].flatMap(round));
	});

	test("holds the program back while its consumer is busy", async () => {
		await using child = await spawn("sh", ["-c", "head -c 20000000 /dev/zero"], {
			stdio: ["ignore", "pipe", "ignore"],
		});
		let length = 0;
		for await (const { data } of child.output) {
			if (length === 0) expect(child.death).toBeUndefined();
			length += data.length;
			await new Promise(setImmediate);
		}
		expect(length).toBe(20_000_000);
	});

	test("destroys the streams when the loop is left", async () => {
		await using child = await spawn("yes");
		for await (const _ of child.output) break;
		expect([child.stdout.destroyed, child.stderr.destroyed]).toEqual([true, true]);
	});

	test("throws the error of a stream", async () => {
		await using child = await spawn("sleep", ["1000"]);
		setImmediate(() => child.stdout.destroy(new Error("mine")));
		const all = async () => {
			for await (const _ of child.output);
		};
		await expect(all()).rejects.toThrow("mine");
	});

	test("is empty without pipes", async () => {
		await using child = await spawn("true", [], { stdio: "ignore" });
		const seen: OutputChunk[] = [];
		for await (const chunk of child.output) seen.push(chunk);
		expect(seen).toEqual([]);
	});
});

test("grace kills a program that ignores killSignal", async () => {
	const script = "trap '' TERM; echo ready; while :; do sleep 1000; done";
	const abort = new AbortController();
	await using child = await spawn("sh", ["-c", script], { signal: abort.signal, grace: 10, killTree: true });
	await once(child.stdout, "data");
	abort.abort();
	expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
});

test("grace is checked", async () => {
	await expect(spawn("true", [], { grace: -1 })).rejects.toThrow(RangeError);
	await expect(spawn("true", [], { grace: "1" as never })).rejects.toThrow(TypeError);
});

test("the types say which streams there are", () => {
	type Of<T> = T extends Promise<infer S> ? S : never;
	const none = () => spawn("true");
	expectTypeOf<Of<ReturnType<typeof none>>["stdout"]>().toEqualTypeOf<Readable>();
	const string = () => spawn("true", [], { stdio: "ignore" });
	expectTypeOf<Of<ReturnType<typeof string>>["stdout"]>().toEqualTypeOf<null>();
	const list = () => spawn("true", [], { stdio: ["ignore", "pipe", "inherit"], killTree: true });
	expectTypeOf<Of<ReturnType<typeof list>>["stdin"]>().toEqualTypeOf<null>();
	expectTypeOf<Of<ReturnType<typeof list>>["stdout"]>().toEqualTypeOf<Readable>();
	expectTypeOf<Of<ReturnType<typeof list>>["stderr"]>().toEqualTypeOf<null>();
	const short = () => spawn("true", [], { stdio: ["ignore"], cwd: "/" });
	expectTypeOf<Of<ReturnType<typeof short>>["stderr"]>().toEqualTypeOf<Readable>();
	const other = () => spawn("true", [], { cwd: "/" });
	expectTypeOf<Of<ReturnType<typeof other>>["stdin"]>().toEqualTypeOf<Writable>();
	const unknown = (options: SpawnOptions) => spawn("true", [], options);
	expectTypeOf<Of<ReturnType<typeof unknown>>["stdin"]>().toEqualTypeOf<Writable | null>();
	expectTypeOf<Spawned["stdout"]>().toEqualTypeOf<Readable | null>();
});
