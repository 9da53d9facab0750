import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { mkdir } from "@nearfar/core";
import { mount, overlay, tmpfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { type Need, needs } from "../../../test/needs.ts";
import { run, type SandboxOptions } from "../src/index.ts";
import { folder } from "./attempts.ts";
import { ask, type Host } from "./host.ts";

const rootFallback = "uid0";

test.each<[SandboxOptions, RegExp]>([
	[{ limits: { processes: 10 } }, /limits\.processes/],
	[{ syscalls: "all" }, /syscalls "all"/],
	[{ user: { uid: 1000, gid: 1000 } }, /options\.user/],
])("rootFallback is refused on every host together with %j", async (options, named) => {
	const running = run("true", [], { rootFallback, ...options });
	await expect(running).rejects.toThrow(named);
	await expect(running).rejects.toThrow(TypeError);
});

test("rootFallback is not used where ids can be mapped", async () => {
	const { stdout, guarantees } = await run("id", ["-u"], { preset: "closed", rootFallback });
	expect(stdout).not.toBe("0\n");
	expect(guarantees).toMatchObject({ ids: true, capabilities: true, processes: true });
});

/** Lays an overlay over a folder, which allows no other owners for its files. */
function cover(at: string): void {
	mount(null, "/", null, { flags: ["rec", "private"] });
	tmpfs("/mnt", { mode: 0o755 });
	for (const layer of ["lower", "upper", "work"]) mkdir(`/mnt/${layer}`, { mode: 0o755 });
	overlay(at, { lower: ["/mnt/lower"], upper: "/mnt/upper", work: "/mnt/work" });
}

/** Writes what a program of user 0 could do, and what it owns. */
const attempts = `
	id -u
	grep -c '^Cap.*0000000000000000$' /proc/self/status
	echo kept > "$0/made" && stat -c %u "$0/made"
	try() { sh -c "$1" 2> /dev/null && echo "$1"; }
	try 'unshare -U true'
	try 'unshare -m true'
	try 'mount -t tmpfs none /tmp'
	try 'echo 1 > /proc/sys/user/max_user_namespaces'
	try 'echo h > /proc/sysrq-trigger'
	try 'echo 1 > /proc/irq/default_smp_affinity'
	try 'head -c 8 /proc/kpagecount | grep -q .'
	try 'ls /sys/kernel/debug/*'
	try 'ls /proc/1/root/'
	try 'echo > /proc/1/oom_score_adj'
	kill -KILL 1
	exit 0
`;

/** Attempts that fail in a sandbox of user 0 as in any other. */
function attempt(at: string): string {
	return attempts.replaceAll("$0", at);
}

const hosts: [string, Need[], Host, number][] = [
	["on a file system without other owners", ["root", "the file system overlay"], { prepare: cover }, 0],
	[
		"in a user namespace that maps user 0 alone",
		["user namespaces"],
		{ clone: { namespaces: ["user", "mnt"], idMap: "root" } },
		process.geteuid?.() ?? 0,
	],
];

for (const [where, all, host, owner] of hosts) {
	const { test } = needs(...all);

	test(`root's sandbox ${where} is an error that names the ways out`, async () => {
		const { outcome, ran, report } = await ask(host);
		expect(ran).toBe(false);
		expect(outcome).toMatchObject({ name: "SandboxError", code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE" });
		expect(outcome.step).toMatch(/^(ids|write .*)$/);
		expect(outcome.hint).toMatch(/as an ordinary user.*rootFallback: "uid0"/s);
		expect(report.ok).toBe(false);
		expect(report.verdict).toMatch(/working directory|ids/);
	});

	test(`with rootFallback a program ${where} is user 0 without a capability, and guarantees says so`, async () => {
		const at = folder();
		const limit = readFileSync("/proc/sys/user/max_user_namespaces", "utf8");
		const sandbox = { rootFallback: "uid0", read: "host", args: ["-c", attempt(at)], tmp: { size: 1 << 20 } } as const;
		const { outcome } = await ask({ ...host, at, sandbox });
		expect(outcome).toMatchObject({ code: 0, stdout: "0\n5\n0\n" });
		expect(outcome.guarantees).toMatchObject({
			capabilities: { relaxed: expect.stringMatching(/filter/) },
			ids: { relaxed: expect.stringMatching(/user 0/) },
			processes: { relaxed: expect.any(String) },
			files: true,
			kernelFiles: true,
		});
		expect(readFileSync("/proc/sys/user/max_user_namespaces", "utf8")).toBe(limit);
		if (host.clone) expect(statSync(join(at, "made")).uid).toBe(owner);
	});

	test(`with rootFallback a scratch works ${where}`, async () => {
		const at = folder();
		const sandbox = {
			rootFallback: "uid0",
			write: [],
			scratch: [at],
			args: ["-c", `echo 1 > ${at}/made && cat ${at}/made`],
		} as const;
		const { outcome } = await ask({ ...host, at, sandbox });
		expect(outcome).toMatchObject({ code: 0, stdout: "1\n" });
	});

	test(`SB-20 with rootFallback a program ${where} has a terminal of its own`, async () => {
		const script =
			"tty; stty size; cut -d' ' -f7 /proc/$$/stat | grep -qv '^0$' && echo through > /dev/tty; ls /dev/pts";
		const sandbox = { rootFallback: "uid0", read: "host", args: ["-c", script], tty: true } as const;
		const { outcome } = await ask({ ...host, at: folder(), sandbox });
		expect(outcome).toMatchObject({ code: 0, stdout: "/dev/pts/0\r\n24 80\r\nthrough\r\n0  ptmx\r\n" });
	});
}
