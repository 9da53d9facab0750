import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { hashOf } from "./hash.ts";

const killer = fileURLToPath(new URL("../fixtures/killer.py", import.meta.url));
const traces = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0;

/** The calls that a sandbox is made of, and how many of each are counted on: of each, the first, the middle and the last are refused. */
const calls = {
	...{ mount: 1, open_tree: 1, mount_setattr: 2, fsopen: 8, fsconfig: 20, fsmount: 8, move_mount: 20, pivot_root: 1 },
	...{ umount2: 1, mkdirat: 10, fchmodat: 4, symlinkat: 8, fchdir: 2, sethostname: 1, setgroups: 1 },
	...{ setresuid: 1, setresgid: 1, capset: 2, setsid: 1, signalfd4: 1, setrlimit: 1, seccomp: 1 },
} as const;

/** Runs a fixture whose calls are refused, and returns what it reports. */
function refused(call: string, number: number): Record<string, unknown> {
	const at = folder();
	chmodSync(at, 0o777);
	const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=EPERM:when=${number}`];
	const words = [
		"-f",
		"--seccomp-bpf",
		"-o",
		"/dev/null",
		...inject,
		process.execPath,
		fixturePath("sandbox/refused"),
		at,
	];
	const { stdout, stderr } = spawnSync("strace", words, { encoding: "utf8" });
	expect([call, number, existsSync(join(at, "ran"))]).toEqual([call, number, false]);
	return JSON.parse(stdout || JSON.stringify({ stderr }));
}

needs("the program strace", "root").test.each(Object.entries(calls))(
	"SB-18 where a call of a step is refused, the error names the step, and nothing has run: %s",
	(call, count) => {
		skipUnless(traces, "programs may be traced");
		for (const number of new Set([1, Math.ceil(count / 2), count])) {
			const report = refused(call, number);
			expect([call, number, report]).toEqual([
				call,
				number,
				expect.objectContaining({
					ran: false,
					code: expect.stringMatching(/^ERR_NEARFAR_SANDBOX_(UNAVAILABLE|LIMIT)$/),
					step: expect.stringMatching(/./),
					cause: "EPERM",
				}),
			]);
		}
	},
	60_000,
);

test("guarantee 9: when Node is killed, at whatever moment, no process is left, and no file of the host has changed", () => {
	const at = folder();
	for (const name of ["hidden", "protected"]) mkdirSync(join(at, name));
	const before = hashOf(at);
	const seed = randomInt(2 ** 31);
	const words = [killer, `${seed}`, "15", "0.15", process.execPath, fixturePath("sandbox/opening"), at];
	const { status, stderr } = spawnSync("/usr/bin/python3", words, { encoding: "utf8" });
	expect([seed, status, stderr]).toEqual([seed, 0, ""]);
	expect(hashOf(at)).toBe(before);
}, 120_000);

/** Runs the fixture below a shell that limits something. */
function limited(script: string, ...before: string[]): Record<string, unknown> {
	const at = mkdtempSync(join(tmpdir(), "nearfar-limited-"));
	chmodSync(at, 0o777);
	try {
		const ordinary = isRoot ? ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"] : [];
		const shell = ["sh", "-c", `${script}; exec "$0" "$@"`, process.execPath, fixturePath("sandbox/refused"), at];
		const [file = "", ...words] = ["env", "HOME=/tmp", ...ordinary, ...before, ...shell];
		const { stdout, stderr } = spawnSync(file, words, { encoding: "utf8" });
		return JSON.parse(stdout || JSON.stringify({ stderr }));
	} finally {
		rmSync(at, { recursive: true });
	}
}

test.each([0, 1])("where user namespaces are used up, the error says so: %i are left", (left) => {
	const limit = `echo ${left} > /proc/sys/user/max_user_namespaces`;
	const report = limited(limit, "unshare", "-U", "--map-current-user", "--keep-caps");
	expect(report).toMatchObject({ ran: false, code: "ERR_NEARFAR_SANDBOX_UNAVAILABLE", cause: "ENOSPC" });
	expect(`${report.step}`).not.toBe("undefined");
});

test("where descriptors are used up, a sandbox is made, or an error says so, and nothing has run", () => {
	const reports = [40, 50, 60, 70, 90, 200].map((most) => limited(`ulimit -n ${most}`));
	for (const { ran, code } of reports)
		expect([ran, code]).toEqual(ran ? [true, 0] : [false, expect.stringMatching(/^E/)]);
	expect(reports.at(-1)).toMatchObject({ ran: true });
});

needs("the file system overlay").test(
	"where memory of the sandbox is full, the command gets ENOSPC, and the host does not change",
	async () => {
		const at = folder();
		writeFileSync(join(at, "file"), "host");
		const before = hashOf(at);
		const options = { preset: "closed", scratch: [at], tmp: { size: 64 * 1024 } } as const;
		const { code, stderr } = await run("sh", ["-c", `head -c 1m /dev/zero > ${at}/new`], options);
		expect([code, stderr]).toEqual([1, expect.stringContaining("No space left")]);
		expect(hashOf(at)).toBe(before);
	},
);

test.each<[string, (path: string, other: string) => void]>([
	["removed", () => {}],
	["a link to another folder", (path, other) => symlinkSync(other, path)],
	["a FIFO", (path) => expect(spawnSync("mkfifo", [path]).status).toBe(0)],
	["a file", (path) => writeFileSync(path, "")],
	["another folder", (path) => mkdirSync(path)],
])("CVE-2024-42472 CVE-2026-34078 a source that is %s when it is opened is an error", async (_, replace) => {
	const at = folder();
	for (const name of ["source", "other"]) mkdirSync(join(at, name));
	writeFileSync(join(at, "other/file"), "secret");
	for (const option of ["write", "read", "scratch"] as const) {
		const before = hashOf(join(at, "other"));
		const read = ["/usr", "/bin?", "/lib?", "/lib64?"];
		const paths = option === "read" ? [...read, join(at, "source")] : [join(at, "source")];
		const opening = Sandbox.open({ preset: "closed", [option]: paths });
		// The plan is drawn. As root, the trees of write and scratch are opened together with it.
		renameSync(join(at, "source"), join(at, "moved"));
		replace(join(at, "source"), join(at, "other"));
		const opened = await opening.then(
			async (sandbox) => {
				await sandbox[Symbol.asyncDispose]();
				return "the folder itself";
			},
			({ code }) => code,
		);
		const expected = isRoot && option !== "read" ? "the folder itself" : expect.stringMatching(/^ERR_NEARFAR_SANDBOX_/);
		expect([option, opened]).toEqual([option, expected]);
		rmSync(join(at, "source"), { recursive: true, force: true });
		renameSync(join(at, "moved"), join(at, "source"));
		expect(hashOf(join(at, "other"))).toBe(before);
	}
});

test("CVE-2021-30465 CVE-2025-52565 a program that exchanges folders for links does not lead another sandbox out", async () => {
	const at = folder();
	const [work, other] = [join(at, "work"), join(at, "other")];
	for (const path of ["work/a/b", "work/c", "other/b"]) mkdirSync(join(at, path), { recursive: true });
	for (const path of ["work/a/b/secret", "work/a/b/file", "other/b/secret", "other/b/file"])
		writeFileSync(join(at, path), path.startsWith("other") ? "outside" : "inside");
	symlinkSync(other, join(work, "link"));
	const before = hashOf(other);
	await using writer = await Sandbox.open({ preset: "closed", write: [work] });
	const exchange =
		"import ctypes,sys\nc=ctypes.CDLL(None)\nprint(1,flush=True)\nwhile True: c.renameat2(-100,sys.argv[1].encode(),-100,sys.argv[2].encode(),2)";
	const hostile = await writer.start("/usr/bin/python3", ["-c", exchange, join(work, "a"), join(work, "link")]);
	await new Promise((resolve) => hostile.stdout?.once("data", resolve));
	const script = `cat ${work}/a/b/secret ${other}/b/file; echo x > ${work}/a/b/secret; echo x > ${other}/b/file; echo x > ${work}/a/b/new`;
	const outcomes = { made: 0, refused: 0 };
	for (let round = 0; round < 300; round++) {
		const result = await run("sh", ["-c", script], {
			...{ preset: "closed", write: [work], hide: [join(work, "a/b/secret?")], protect: ["c", "a/b/later"] },
			...{ files: { [join(work, "a/b/file")]: "made" }, protectMissing: "remove" },
		}).catch(({ code }) => code as string);
		if (typeof result === "string") {
			expect(result).toMatch(/^ERR_NEARFAR_SANDBOX_/);
			outcomes.refused++;
			continue;
		}
		outcomes.made++;
		expect(result.stdout).not.toContain("outside");
	}
	expect(hashOf(other)).toBe(before);
	expect(outcomes.made + outcomes.refused).toBe(300);
	await hostile[Symbol.asyncDispose]();
}, 120_000);
