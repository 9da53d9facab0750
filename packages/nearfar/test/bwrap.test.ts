import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	chmodSync,
	closeSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";

const program = fileURLToPath(new URL("../dist/nearfar-bwrap.js", import.meta.url));
/** What the commands of the tests need. */
const base = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"];

interface Ended {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
}

function bwrap(args: readonly string[], options: SpawnSyncOptions = {}): Ended {
	const ended = spawnSync(process.execPath, [program, ...args], { input: "", ...options, encoding: "utf8" });
	const { status: code, signal, stdout, stderr } = ended;
	return { code, signal, stdout, stderr };
}

/** Returns a new folder of the host, which everybody may enter. */
function folder(): string {
	const path = mkdtempSync(join(tmpdir(), "nearfar-bwrap-"));
	chmodSync(path, 0o755);
	onTestFinished(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/** Returns a hash of the names, kinds, modes, targets and contents of a tree. */
function hashOf(path: string): string {
	const hash = createHash("sha256");
	const add = (at: string) => {
		const file = lstatSync(at);
		hash.update(`${at} ${file.mode} ${file.ino}\n`);
		if (file.isSymbolicLink()) hash.update(readlinkSync(at));
		if (file.isFile()) hash.update(readFileSync(at));
		if (file.isDirectory()) for (const name of readdirSync(at).sort()) add(join(at, name));
	};
	add(path);
	return hash.digest("hex");
}

describe("SB-08: links planted in the image do not lead setup to the host (CVE-2026-87766)", () => {
	const targets = (host: string) => [
		`/oldroot${host}`,
		`/proc/self/root${host}`,
		`/proc/1/root${host}`,
		"/proc/self/cwd",
		`${"../".repeat(20)}${host.slice(1)}`,
		host,
	];

	test.each([
		["--dir", ["--dir", "/planted/made"]],
		["--tmpfs", ["--tmpfs", "/planted/made"]],
		["--bind", ["--ro-bind", "/usr", "/planted/made"]],
		["--symlink", ["--symlink", "/usr", "/planted/made"]],
		["--chmod", ["--chmod", "0777", "/planted/kept"]],
		["--file", ["--file", "0", "/planted/kept"]],
		["--remount-ro", ["--remount-ro", "/planted"]],
	])("%s below each of them", (_name, operation) => {
		const host = folder();
		writeFileSync(join(host, "kept"), "as it was");
		const before = hashOf(host);
		for (const target of targets(host)) {
			const image = folder();
			for (const name of ["usr", "proc", "bin", "lib", "lib64"]) mkdirSync(join(image, name));
			symlinkSync(target, join(image, "planted"));
			const mounts = ["--bind", image, "/", "--ro-bind", "/usr", "/usr", "--ro-bind", "/proc", "/proc"];
			bwrap([...mounts, ...operation, "true"], { cwd: host, input: "overwritten" });
			expect(hashOf(host), target).toBe(before);
		}
	});

	test("the attempt succeeds where the link leads inside", () => {
		const image = folder();
		for (const name of ["usr", "inside"]) mkdirSync(join(image, name));
		symlinkSync("/inside", join(image, "planted"));
		bwrap(["--bind", image, "/", "--dir", "/planted/made", "--ro-bind", "/usr", "/usr", "/usr/bin/true"]);
		expect(existsSync(join(image, "inside/made"))).toBe(true);
	});
});

describe("SB-07: a destination that is a link", () => {
	const mounted = (links: readonly string[], dest: string, more: readonly string[] = []) =>
		bwrap(
			[
				...more,
				...base,
				"--tmpfs",
				"/tmp",
				"--dir",
				"/tmp/target",
				...links,
				"--ro-bind",
				"/usr",
				dest,
				"sh",
				"-c",
			].concat(["test -e /tmp/target/bin && ls -A /tmp"]),
		);

	test.each([
		["relative", ["--symlink", "target", "/tmp/link"], "/tmp/link"],
		["absolute", ["--symlink", "/tmp/target", "/tmp/link"], "/tmp/link"],
		["chained", ["--symlink", "second", "/tmp/link", "--symlink", "/tmp/target", "/tmp/second"], "/tmp/link"],
	])("%s: the mount lies on its target", (_name, links, dest) => {
		expect(mounted(links, dest)).toMatchObject({ code: 0, stderr: "" });
	});

	test("dangling: it is refused, and nothing is made", () => {
		const host = folder();
		symlinkSync("missing", join(host, "link"));
		const ended = bwrap([...base, "--bind", host, host, "--ro-bind", "/usr", join(host, "link"), "true"]);
		expect(ended.code).toBe(1);
		expect(ended.stderr).toContain("leads nowhere");
		expect(readdirSync(host)).toEqual(["link"]);
	});

	test("--refuse-symlinks refuses each, as bubblewrap 0.12", () => {
		const ended = mounted(["--symlink", "target", "/tmp/link"], "/tmp/link", ["--refuse-symlinks"]);
		expect(ended).toMatchObject({ code: 1, stderr: "bwrap: Can't mount on symlink destination /tmp/link\n" });
	});
});

// Lines of bubblewrap's tests that begin with `!` cannot fail there, because of `set -e`.
describe("what bubblewrap's own tests mean to forbid", () => {
	const disabled = ["--unshare-user", "--disable-userns", "--dev-bind", "/", "/"];

	test("a user namespace after --disable-userns", () => {
		expect(bwrap([...disabled, "unshare", "--user", "true"]).code).not.toBe(0);
		expect(bwrap(["--unshare-user", "--dev-bind", "/", "/", "unshare", "--user", "true"]).code).toBe(0);
	});

	test.each([2, 100])("raising the limit to %i afterwards", (limit) => {
		const script = `echo ${limit} >/proc/sys/user/max_user_namespaces; unshare --user true`;
		expect(bwrap([...disabled, "sh", "-c", script]).code).not.toBe(0);
	});

	test("--assert-userns-disabled where they are possible, and not where they are not", () => {
		const ended = bwrap(["--unshare-user", "--assert-userns-disabled", "--dev-bind", "/", "/", "true"]);
		expect(ended).toMatchObject({
			code: 1,
			stderr: "bwrap: creation of new user namespaces was not disabled as requested\n",
		});
		expect(bwrap([...disabled, "--assert-userns-disabled", "true"])).toMatchObject({ code: 0, stderr: "" });
	});

	test("a failure before the program runs is no exit code in --json-status-fd", () => {
		for (const command of [["/"], ["no-such-program"]]) {
			const ended = bwrap(["--ro-bind", "/", "/", "--json-status-fd", "1", ...command]);
			expect(ended.code).toBe(1);
			expect(ended.stdout).toContain('"child-pid": ');
			expect(ended.stdout).not.toContain("exit-code");
		}
	});
});

describe("exit codes and messages", () => {
	test.each([
		["exit 42", 42],
		["kill -TERM $$", 143],
	])("%s", (script, code) => {
		expect(bwrap([...base, "sh", "-c", script])).toMatchObject({ code, signal: null, stderr: "" });
	});

	test.each([
		[[...base, "no-such-program"], "execvp no-such-program: No such file or directory"],
		[["--ro-bind", "/no/such/file", "/x", "true"], "Can't find source path /no/such/file: No such file or directory"],
		[[...base, "--ro-bind", "/usr", "/etc/no-such-folder/x", "true"], "Read-only file system"],
		[["--uid", "x", "true"], "Invalid uid: x"],
		[["--nonsense", "true"], "Unknown option --nonsense"],
		[["--exec-label", "x", "true"], "--exec-label: labeling not supported on this system"],
		[["--ro-bind", "/"], "--ro-bind takes two arguments"],
		[[...base, "--chdir", "/no/such/folder", "true"], "Can't chdir to /no/such/folder: No such file or directory"],
	])("%j", (args, text) => {
		const ended = bwrap(args);
		expect(ended).toMatchObject({ code: 1, stdout: "" });
		expect(ended.stderr).toMatch(/^bwrap: /);
		expect(ended.stderr).toContain(text);
	});

	test("--help says that the defaults are weaker", () => {
		const { code, stdout } = bwrap(["--help"]);
		expect(code).toBe(0);
		expect(stdout).toContain("weaker");
		expect(stdout.split("\n")[0]).toBe(`usage: ${program} [OPTIONS...] [--] COMMAND [ARGS...]`);
	});
});

describe("descriptors", () => {
	test("the command gets those that no option names", () => {
		const host = folder();
		writeFileSync(join(host, "file"), "passed on");
		const fd = openSync(join(host, "file"), "r");
		onTestFinished(() => closeSync(fd));
		const ended = bwrap([...base, "cat", "/proc/self/fd/4"], { stdio: ["pipe", "pipe", "pipe", "ignore", fd] });
		expect(ended).toMatchObject({ code: 0, stdout: "passed on" });
	});

	test("--args, --file and --ro-bind-data read them", () => {
		const args = Buffer.from(["--dir", "/tmp/a b", "--setenv", "NAME", "a\nb"].join("\0"));
		const host = folder();
		writeFileSync(join(host, "args"), args);
		writeFileSync(join(host, "data"), "data");
		const fds = ["args", "data"].map((name) => openSync(join(host, name), "r"));
		onTestFinished(() => fds.forEach(closeSync));
		const options = ["--tmpfs", "/tmp", "--args", "3", "--ro-bind-data", "4", "/tmp/d"];
		const command = ["sh", "-c", 'test -d "/tmp/a b" && cat /tmp/d && printf %s "$NAME"'];
		const ended = bwrap([...base, ...options, ...command], { stdio: ["pipe", "pipe", "pipe", ...fds] });
		expect(ended).toMatchObject({ code: 0, stdout: "dataa\nb", stderr: "" });
	});

	test("--info-fd says which namespaces are new", () => {
		const ended = bwrap([...base, "--unshare-all", "--info-fd", "1", "sh", "-c", "readlink /proc/self/ns/pid >&2"]);
		const { "child-pid": pid, "pid-namespace": ino } = JSON.parse(ended.stdout);
		expect(pid).toBeGreaterThan(1);
		expect(ended.stderr).toBe(`pid:[${ino}]\n`);
	});
});
