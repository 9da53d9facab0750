import { createReadStream } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { ExitError } from "@nearfar/core";
import { expect, expectTypeOf, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { type RunResult, run } from "../../src/index.ts";

const script = (text: string, options = {}) => run("sh", ["-c", text], options);

test("collects the output and tells how the program ended, whatever the code is", async () => {
	const result = await script("echo out; echo err >&2; exit 3");
	expect(result).toMatchObject({ code: 3, signal: null, stdout: "out\n", stderr: "err\n", reason: "exited" });
	expect(result.truncated).toEqual({ stdout: false, stderr: false });
	const { wall, user, system, maxRss } = result.usage;
	expect([wall > 0, user !== null && user >= 0, system !== null && system >= 0]).toEqual([true, true, true]);
	expect(maxRss).toBeGreaterThan(100_000);
});

test("the usage is that of the program", async () => {
	const { usage } = await script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
	expect(usage.user).toBeGreaterThan(1);
	expect(usage.wall).toBeGreaterThan(usage.user as number);
});

test.each<[string, () => string | Uint8Array | Readable]>([
	["a string", () => "hello"],
	["bytes", () => new TextEncoder().encode("hello")],
	["a stream", () => Readable.from(["hel", "lo"])],
])("the input can be %s", async (_, input) => {
	expect((await run("cat", [], { input: input() })).stdout).toBe("hello");
});

test("without input the program finds the end of the file", async () => {
	expect(await run("cat")).toMatchObject({ code: 0, stdout: "" });
	expect(await run("cat", [], { stdio: "pipe" })).toMatchObject({ code: 0, stdout: "" });
	expect(await run("cat", [], { input: "" })).toMatchObject({ code: 0, stdout: "" });
});

test("a program that reads only a part of the input is no error", async () => {
	const input = createReadStream("/dev/zero");
	expect(await run("head", ["-c", "3"], { input, encoding: "buffer" })).toMatchObject({ stdout: Buffer.alloc(3) });
	expect(input.destroyed).toBe(true);
	expect(await run("true", [], { input: "x".repeat(1 << 20) })).toMatchObject({ code: 0 });
});

test("an input that fails or is destroyed ends the program and rejects", async () => {
	const fails = Readable.from(
		(async function* () {
			yield "x";
			throw new Error("mine");
		})(),
	);
	await expect(run("cat", [], { input: fails })).rejects.toThrow("mine");
	const destroyed = new PassThrough();
	destroyed.write("x");
	setImmediate(() => destroyed.destroy());
	await expect(run("cat", [], { input: destroyed })).rejects.toThrow("before its end");
	const later = new PassThrough();
	later.write("x");
	setTimeout(() => later.destroy(), 100);
	await expect(run("cat", [], { input: later })).rejects.toThrow("before its end");
});

test("buffers and strings", async () => {
	const bytes = await run("printf", ["\\377\\303\\244"], { encoding: "buffer" });
	expectTypeOf(bytes).toEqualTypeOf<RunResult<Buffer>>();
	expect(bytes.stdout).toEqual(Buffer.from([255, 0xc3, 0xa4]));
	const text = await run("printf", ["\\303\\244"]);
	expectTypeOf(text).toEqualTypeOf<RunResult<string>>();
	expect(text.stdout).toBe("ä");
});

test("output of exactly maxOutput is whole, and longer output is cut and ends the program", async () => {
	expect(await script("printf 12345", { maxOutput: 5 })).toMatchObject({ stdout: "12345", reason: "exited" });
	const short = await script("printf 123456", { maxOutput: 5 }); // the program may have ended before it is stopped
	expect([short.stdout, short.reason]).toEqual(["12345", "output"]);
	expect(() => short.check()).toThrow("options.maxOutput");
	const { stdout, truncated, reason, signal } = await run("yes", [], { maxOutput: 1000 });
	expect([stdout.length, truncated, reason, signal]).toEqual([
		1000,
		{ stdout: true, stderr: false },
		"output",
		"SIGTERM",
	]);
	expect(await script("printf ää >&2; exec sleep 1000", { maxOutput: 3 })).toMatchObject({
		stderr: "ä",
		truncated: { stdout: false, stderr: true },
		reason: "output",
	});
});

test("a program that ignores SIGTERM is killed after the grace", async () => {
	const options = { maxOutput: 0, grace: 50, killTree: true };
	const result = await script("trap '' TERM; echo; while :; do sleep 1000; done", options);
	expect(result).toMatchObject({ code: null, signal: "SIGKILL", reason: "output" });
});

test("the reason says who has ended it", async () => {
	const abort = new AbortController();
	const input = new PassThrough();
	// The program has begun when the first input is on its way to it.
	input.once("drain", () => abort.abort());
	input.write(Buffer.alloc(input.writableHighWaterMark));
	const running = run("sleep", ["1000"], { signal: abort.signal, input });
	expect(await running).toMatchObject({ reason: "aborted", signal: "SIGTERM" });
	expect(await script("kill -USR1 $$")).toMatchObject({ code: null, signal: "SIGUSR1", reason: "killed" });
	const caught = "trap 'exit 0' TERM; echo; while :; do sleep 0.01; done";
	expect(await script(caught, { maxOutput: 0 })).toMatchObject({ code: 0, reason: "output" });
});

test("a timeout is the reason, and check says so", async () => {
	const late = await run("sleep", ["1000"], { timeout: 2000 });
	expect(late).toMatchObject({ reason: "timeout", signal: "SIGTERM" });
	expect(() => late.check()).toThrow("options.timeout");
});

test("a signal that was aborted before rejects", async () => {
	await expect(run("true", [], { signal: AbortSignal.abort("why") })).rejects.toMatchObject({
		code: "ABORT_ERR",
		cause: "why",
	});
});

test("output that another process could still write ends a second after the last byte", async () => {
	const { stdout, code } = await script("sleep 3 & echo done");
	expect([stdout, code]).toEqual(["done\n", 0]);
});

test("check returns the result of success, and throws with the end of stderr otherwise", async () => {
	const fine = await run("true");
	expect(fine.check()).toBe(fine);
	expect(Object.keys(fine)).not.toContain("check");
	const failed = await script("seq 1 1000 >&2; echo last >&2; exit 7");
	const error = await Promise.resolve()
		.then(() => failed.check())
		.catch((error) => error);
	expect(error).toBeInstanceOf(ExitError);
	expect(error).toMatchObject({
		code: "ERR_NEARFAR_EXIT",
		status: { code: 7 },
		message: expect.stringMatching(/last$/),
	});
	expect(error.message.length).toBeLessThan(1200);
});

test("stdio can be given", async () => {
	expect(await script("echo out; echo err >&2", { stdio: ["ignore", "ignore", "pipe"] })).toMatchObject({
		stdout: "",
		stderr: "err\n",
	});
	const refused = run("cat", [], { input: "x", stdio: ["ignore", "pipe", "pipe"] });
	await expect(refused).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
});

test("options are checked", async () => {
	await expect(run("true", [], { encoding: "latin1" as never })).rejects.toThrow(TypeError);
	await expect(run("true", [], { maxOutput: -1 })).rejects.toThrow(RangeError);
	await expect(run("true", [], { input: 3 as never })).rejects.toThrow(TypeError);
	await expect(run("/no/such/program")).rejects.toMatchObject({ code: "ENOENT" });
});

test("a stream that fails while the program is being started rejects the run, and is destroyed", async () => {
	for (const file of ["cat", "no-such-program"]) {
		const input = createReadStream("/no/such/file");
		expect(await reason(() => run(file, [], { input }))).toMatchObject({ code: "ENOENT" });
		expect(input.destroyed).toBe(true);
	}
	const web = new Blob(["text"]).stream();
	expect(await reason(() => run("cat", [], { input: web as never }))).toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
});

test("a process that writes for ever to the pipe of a program that has ended does not keep the run", async () => {
	const result = await script("(while kill -0 $$; do :; done; yes) 2>&- & exit 3", { maxOutput: 1000 }); // `yes` ends when the pipe is closed
	expect(result).toMatchObject({ code: 3, truncated: { stdout: true } });
});
