import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";

needs("/proc").test("the helper of a Worker ends when another one changes every thread", async () => {
	const { report, stderr } = await runFixture("process/helper");
	expect(stderr).toBe("");
	expect(report.pid).toBe(report.first);
	expect(report.again).not.toBe(report.first);
});

needs("/proc").test("a helper that is in a call ends after the call", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-helper-"));
	try {
		const fifo = join(folder, "fifo");
		execFileSync("mkfifo", [fifo]);
		const { report, stderr } = await runFixture("process/helper", { args: [fifo] });
		expect(stderr).toBe("");
		expect(report).toMatchObject({ held: true, pid: report.first });
	} finally {
		rmSync(folder, { recursive: true });
	}
});
