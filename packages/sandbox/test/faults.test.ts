import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { run as runProgram } from "@nearfar/process";
import type { CallName, SeccompRule } from "@nearfar/seccomp";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { mark, untilMarked } from "../../../test/marked.ts";
import { needs } from "../../../test/needs.ts";
import { folder } from "./attempts.ts";

/** Runs the fixture behind a filter, and returns what it reports. */
async function behind(rule: SeccompRule, ...options: string[]): Promise<Record<string, unknown>> {
	const at = folder();
	chmodSync(at, 0o777);
	const { stdout, stderr } = await runProgram(process.execPath, [fixturePath("sandbox/refused"), at, ...options], {
		noNewPrivs: true,
		seccomp: { default: "allow", rules: [rule] },
	});
	expect(existsSync(join(at, "ran"))).toBe(false);
	return JSON.parse(stdout || JSON.stringify({ stderr }));
}

test("SB-16 SB-18 where namespaces are refused, the error says so, and nothing has run", async () => {
	const args = [{ index: 0, op: "!=", value: 0, mask: 0x7e02_0000 }] as const;
	const report = await behind({ calls: ["clone"], args, action: { errno: "EPERM" } });
	expect(report).toMatchObject({
		ran: false,
		code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE",
		step: "namespaces",
		cause: "EPERM",
	});
	expect(`${report.hint}`).toMatch(/seccomp/);
});

test.each<[CallName[], string, RegExp]>([
	[["mount"], "EPERM", /^private \/$/],
	[["open_tree"], "EPERM", /^(read|write|device) \//],
	[["mount_setattr"], "EPERM", /^(read|write|device) \//],
	[["fsopen"], "EPERM", /^proc$/],
	[["fsmount"], "EPERM", /^proc$/],
	[["pivot_root"], "EPERM", /^pivot_root$/],
	[["move_mount"], "EPERM", /^pivot_root$/],
	[["umount2"], "EPERM", /^(pivot_root|seal)$/],
	[["mkdirat"], "EPERM", /^parts$/],
	[["symlinkat"], "EPERM", /^link \//],
	[["sethostname"], "EPERM", /^host name$/],
	[["seccomp"], "EINVAL", /./],
	[["setsid"], "EPERM", /./],
	[["capset"], "EPERM", /./],
])("SB-18 a refused %j is an error that names the step, and nothing has run", async (calls, errno, step) => {
	const report = await behind({ calls, action: { errno } });
	expect(report).toMatchObject({ ran: false });
	expect(report).toMatchObject({ code: expect.stringMatching(/^(ERR_NEARFAR_SANDBOX_UNAVAILABLE|EPERM)$/) });
	if (report.code !== "EPERM") expect(report.step).toMatch(step);
});

test("SB-20 where the kernel has no terminal left, the error says so, and nothing has run", async () => {
	const TIOCGPTPEER = 0x5441;
	const args = [{ index: 1, op: "==", value: TIOCGPTPEER }] as const;
	const report = await behind({ calls: ["ioctl"], args, action: { errno: "ENOSPC" } }, "tty");
	expect(report).toMatchObject({
		ran: false,
		code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE",
		step: "tty",
		cause: "ENOSPC",
	});
});

needs("/proc").test.each(["opening", "running"])(
	"guarantee 9: everything ends with Node, also by SIGKILL: %s",
	async (phase) => {
		const env = mark();
		const node = nodeSpawn(process.execPath, [fixturePath("sandbox/killed"), phase], {
			env: { ...process.env, ...env },
			stdio: "inherit",
		});
		const [, signal] = await once(node, "exit");
		expect(signal).toBe("SIGKILL");
		expect(await untilMarked(env, 0)).toEqual([]);
	},
);
