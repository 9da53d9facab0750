import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { isAlive } from "../../../../test/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-lifetime-"));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

test("two Workers and the main thread at once have their own tasks over one zygote", async () => {
	const { report, code } = await runFixture("core/workers");
	const zygotes = report.map(({ zygote }: { zygote: number }) => zygote);
	expect([code, new Set(zygotes).size]).toEqual([0, 1]);
	const codes = Array.from({ length: 10 }, (_, index) => index);
	for (const one of report) expect(one).toMatchObject({ own: true, files: 10, codes });
});

needs("/proc").test.each(["return", "exit", "throw", "terminate"])(
	"a Worker that ends by %s leaves no task; its program runs on",
	async (how) => {
		const { report, code, stderr } = await runFixture("core/worker-end", { args: [how, fifo] });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toEqual({ tasks: 5, runs: expect.stringMatching(/[RSD]/) });
	},
);

test.each(["return", "exit", "throw", "terminate"])(
	"a Worker that ends by %s closes its descriptors, and no others",
	async (how) => {
		const { report, code, stderr } = await runFixture("core/worker-descriptors", { args: [how] });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toEqual({ left: 0, open: [true, true, true] });
	},
);

test("no task whose id lies around a multiple of 2^32 is taken for this process", async () => {
	const { report, code, stderr } = await runFixture("core/ids");
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toEqual({ id: 2 ** 40, near: false, moved: false });
});

describe("Node's end leaves no process", () => {
	needs("/proc").test.each([
		["exit", 0, null],
		["throw", 1, null],
		["reject", 1, null],
		["SIGTERM", null, "SIGTERM"],
		["SIGKILL", null, "SIGKILL"],
	])("%s", async (how, code, signal) => {
		const end = await runFixture("core/end", { args: [how, fifo] });
		expect([end.code, end.signal]).toEqual([code, signal]);
		expect(end.report).toHaveLength(6);
		// The process that adopted them may not have reaped them yet.
		const alive = () => end.report.filter(isAlive);
		await expect.poll(alive).toEqual([]);
	});
});

test("importing loads nothing, a call starts no thread", async () => {
	const { report, stderr } = await runFixture("core/import");
	expect(stderr).toBe("");
	expect(report.imported).toEqual({ loaded: false, threads: 0, modules: [] });
	expect(report.called).toEqual({ loaded: true, threads: 0 });
	expect(report.cloned.threads).toBeGreaterThan(0);
});

test.each([
	["platform", "darwin"],
	["arch", "s390x"],
])("on another %s it can be imported, and says so at the first use", async (what, value) => {
	const { report } = await runFixture("core/unsupported", { args: [what, value] });
	const error = { name: "UnsupportedPlatformError", code: "ERR_NEARFAR_UNSUPPORTED_PLATFORM" };
	expect(report).toEqual([error, error]);
});

test.each([
	["exited", 5],
	["unref", null],
	["unref after", null],
	["ref again", null],
	["nothing", null],
	["wait", "stopped"],
	["wait unref", null],
	["abort", "AbortError"],
])("the event loop with a child: %s", async (what, seen) => {
	const { report, code, stderr } = await runFixture("core/loop", { args: [what] });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toEqual({ seen });
});

describe("the garbage collector", () => {
	test("closes descriptors and says so once, ends tasks, and keeps whom somebody awaits", async () => {
		const { report, code } = await runFixture("core/collected", { node: ["--expose-gc"] });
		expect(code).toBe(0);
		expect(report).toMatchObject({ closed: true, tasks: true, kept: false });
		expect(report.warnings.map(({ name }: { name: string }) => name)).toEqual([
			"NearfarLeakWarning",
			"NearfarLeakWarning",
		]);
		expect(report.awaited).toEqual({ code: 0, signal: null, dumped: false });
		expect(report.exited).toEqual({ code: 4, signal: null, dumped: false });
		expect(report.gift).toEqual([true, "/dev/full"]);
	});

	test("with NEARFAR_TRACE=1 the warning says where", async () => {
		const { report } = await runFixture("core/collected", { node: ["--expose-gc"], env: { NEARFAR_TRACE: "1" } });
		for (const { message } of report.warnings) expect(message).toContain("collected.mjs");
	});
});
