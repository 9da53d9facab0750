import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { isRoot, needs } from "../../../test/needs.ts";

needs("/proc").test(
	"with { process: true } every thread of Node has the filter, and what is started later",
	async () => {
		const { report, code, stderr } = await runFixture("seccomp/every-thread");
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		const refused = { code: "EMLINK" };
		expect(report).toMatchObject({
			error: null,
			near: refused,
			workers: [refused, refused, refused],
			threads: ["2"],
			before: null,
			after: refused,
			batch: refused,
			child: "2",
			program: "2",
			reads: true,
			again: null,
		});
		expect(report.filters).toHaveLength(1);
		expect(report.count).toBeGreaterThan(6);
	},
);

needs("/proc", ...(isRoot ? (["the program setpriv"] as const) : [])).test(
	"PRC-06 without no_new_privs and CAP_SYS_ADMIN no thread has the filter: EACCES, with a hint",
	async () => {
		const wrapper = isRoot ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];
		const { report, code, stderr } = await runFixture("seccomp/every-thread", { wrapper, args: ["without"] });
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		expect(report.error).toMatchObject({
			code: "EACCES",
			syscall: "seccomp",
			hint: expect.stringContaining("setNoNewPrivs()"),
		});
		expect(report).toMatchObject({ near: null, workers: [null, null, null], before: null, after: null });
	},
);

needs("/proc").test("a thread with a filter of its own is named, and no thread has changed", async () => {
	const { report, code, stderr } = await runFixture("seccomp/differs");
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	const { failure, tid } = report;
	expect(failure).toMatchObject({ code: "ERR_NEARFAR_THREADS_DIFFER", name: "ThreadsError", tid });
	expect(failure.threadName).toBe("nearfar-thread");
	expect(failure.message).toMatch(/every thread is as it was$/);
	expect(report.filtered).toEqual([tid]);
	expect(report.modes).toEqual(["2"]);
});

test("a filter that kills ends Node as a whole with SIGSYS", async () => {
	const { code, signal } = await runFixture("seccomp/killed");
	expect({ code, signal }).toEqual({ code: null, signal: "SIGSYS" });
});

needs("/proc").test("filters and changes of credentials by several Workers at once are all made", async () => {
	const { report, code, stderr } = await runFixture("seccomp/beside");
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	expect(report.failures).toEqual([]);
	expect(report.filters).toHaveLength(1);
});
