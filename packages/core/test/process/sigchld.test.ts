import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";

const ignoring = ["env", "--ignore-signal=CHLD"]; // a shell would reset the disposition before it executes a program
const statuses = {
	inherited: [false, false, false],
	signal: "SIGKILL",
	codes: Array.from({ length: 100 }, (_, code) => code),
	nested: 8,
	own: 9,
};

test("WID-15 Node was started with SIGCHLD ignored: every status is reported, and nobody inherits that", async () => {
	const [file = "", ...words] = ignoring;
	const begun = execFileSync(file, [...words, "/bin/cat", `${ownProc}/self/status`], { encoding: "utf8" });
	expect(begun).toMatch(/^SigIgn:\s*\w*[13579bdf]\w{4}$/m); // signal 17, as the program finds it
	const { report, code, stderr } = await runFixture("core/statuses", { wrapper: ignoring });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toEqual({ ...statuses, ignores: false, beside: 5 });
});

needs("Linux 6.15").test(
	"SIGCHLD ignored by Node itself (Linux 6.15): children reap themselves, no status is lost",
	async () => {
		const { report, code, stderr } = await runFixture("core/statuses", { args: ["ignored"] });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toEqual({ ...statuses, ignores: true, beside: null });
	},
);
