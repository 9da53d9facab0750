import { fileURLToPath } from "node:url";
import { openat2 } from "@nearfar/core";
import { mount, tmpfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { isRoot, needs } from "../../../test/needs.ts";
import { run, type SandboxOptions } from "../src/index.ts";
import { folder } from "./attempts.ts";
import { ask, type Host } from "./host.ts";

const uid = isRoot ? "1000\n" : `${process.geteuid?.()}\n`;
const { HOME, PATH, ...bare } = process.env as Record<string, string>;

/** Puts a file into the place of a sysctl. */
function pretend(name: string, value: string): void {
	tmpfs("/proc/sys/kernel", { mode: 0o755 });
	const file = openat2(`/proc/sys/kernel/${name}`, { flags: ["creat", "wronly"], mode: 0o644 });
	file.write(value);
	file.close();
}

test.each<[string, Host]>([
	["a umask of 077", { umask: 0o77 }],
	["no HOME", { env: { ...bare, ...(PATH && { PATH }) } }],
	["a HOME that does not exist", { env: { ...bare, ...(PATH && { PATH }), HOME: "/no/such/home" } }],
	["no PATH", { env: { ...bare, ...(HOME && { HOME }) } }],
	["an empty environment", { env: {} }],
	["64 descriptors", { limits: { nofile: 64 } }],
	["64 descriptors and the preset project", { limits: { nofile: 64 }, sandbox: { preset: "project" } }],
])("a sandbox works with %s", async (_name, host) => {
	const { outcome, report } = await ask(host);
	expect(outcome).toMatchObject({ code: 0, stdout: uid });
	expect(report.verdict).toBe("This host can run sandboxes.");
});

test("too few descriptors are an error that says so, and nothing has run", async () => {
	const { outcome, ran } = await ask({ limits: { nofile: 34 } });
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ name: "SandboxError", message: expect.stringMatching(/EMFILE/) });
});

needs("root").test.each<[string, Host]>([
	["SB-27 without a capability in the bounding set", { uid: 4242, gid: 4242, groups: [], capabilities: [] }],
	["whom /etc/passwd does not know, with few processes", { uid: 4243, gid: 4243, groups: [], limits: { nproc: 30 } }],
])("a sandbox works for a user %s", async (_name, host) => {
	const { outcome, report } = await ask(host);
	expect(outcome).toMatchObject({ code: 0, stdout: `${host.uid}\n` });
	expect(report.verdict).toBe("This host can run sandboxes.");
});

needs("root").test("SB-27 for root without capabilities the error names what is missing", async () => {
	const { outcome, ran } = await ask({ capabilities: [] });
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ name: "SandboxError", step: "ids", hint: expect.stringMatching(/CAP_SETUID/) });
});

test("SB-16 where AppArmor restricts user namespaces, doctor() and the error name it and its profile", async () => {
	const { report, outcome, ran } = await ask({
		prepare() {
			mount(null, "/", null, { flags: ["rec", "private"] });
			pretend("apparmor_restrict_unprivileged_userns", "1");
		},
		noNewPrivs: true,
		...(isRoot && { uid: 1000, gid: 1000, groups: [] }),
		seccomp: { default: "allow", rules: [{ calls: ["mount"], action: { errno: "EPERM" } }] },
	});
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE", step: "private /" });
	expect(outcome.message).toMatch(
		/apparmor_restrict_unprivileged_userns is 1.*(profile node-userns|apparmor=PROFILE)/s,
	);
	const mounts = report.items.find(({ name }) => name === "mounts");
	expect(mounts).toMatchObject({
		ok: false,
		hint: expect.stringMatching(/apparmor_restrict_unprivileged_userns is 1/),
	});
	expect(report.verdict).toMatch(/^This host cannot run sandboxes: it lacks .*mounts/);
});

const many = { inside: 0, outside: 0, count: 70_000 };

test("SB-18 where user namespaces are used up, nothing has run, and the error names the limit", async () => {
	const { report, outcome, ran } = await ask({
		clone: {
			namespaces: ["user", "mnt"],
			idMap: isRoot ? { uids: [many], gids: [many] } : "identity",
		},
		prepare() {
			const limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
			limit.write("0");
			limit.close();
		},
	});
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ name: "SandboxError", code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE" });
	expect(outcome.message).toMatch(/max_user_namespaces is 0/);
	expect(report).toMatchObject({ ok: false, verdict: expect.stringMatching(/lacks namespaces/) });
});

/** The folder of this project, which is not visible in a sandbox where it lies below /tmp. */
const project = fileURLToPath(new URL("../../..", import.meta.url));

test.each<[string, SandboxOptions, RegExp]>([
	["with the default filter", {}, /A seccomp filter is active/],
	["with all system calls", { syscalls: "all" }, /the limit of a user namespace above is, as in a sandbox/],
])("a sandbox inside of a sandbox %s is an error that says why", async (_name, options, why) => {
	const at = folder();
	const { stdout, stderr } = await run(process.execPath, [fixturePath("sandbox/host"), at], {
		write: [at],
		scratch: [project],
		cwd: at,
		...options,
	});
	expect(stderr).toBe("");
	const { outcome, ran, report } = JSON.parse(stdout);
	expect(ran).toBe(false);
	expect(outcome).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE", step: "namespaces" });
	expect(outcome.message).toMatch(why);
	expect(report.ok).toBe(false);
});

// As root, bwrap covers parts of a new /proc, and is then a host that masks it.
const likeContainer = ["--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/sys"];

needs("the program bwrap").test.each([[["--unshare-pid"]], [["--unshare-all"]], ...(isRoot ? [] : [[likeContainer]])])(
	"a sandbox works inside of bwrap %j",
	async (words) => {
		const at = folder();
		// There root is the only id of its user namespace.
		const isAlone = isRoot && words.includes("--unshare-all");
		const { outcome } = await ask({
			at,
			wrapper: ["bwrap", "--dev-bind", "/", "/", ...words, "--bind", at, at],
			...(isAlone && { sandbox: { rootFallback: "uid0" } }),
		});
		expect(outcome).toMatchObject({ code: 0, stdout: isAlone ? "0\n" : uid });
	},
);
