import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openat2, pipe, Task } from "@nearfar/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pids, read } from "../test/processes.ts";
import { ended, isolateFile, succeeded } from "./sandbox-process.ts";

const asRoot = process.getuid?.() === 0;
const uid = asRoot ? 1000 : process.getuid?.();

let folder = "";

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-isolate-"));
	chmodSync(folder, 0o777); // if root runs the test, the sandbox runs as another user
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the demo to its end. */
function demo(command: readonly string[], input?: string | Buffer) {
	const { status, signal, stdout, stderr } = spawnSync(process.execPath, [isolateFile, ...command], {
		input: input ?? "",
		maxBuffer: 2 ** 26,
	});
	return { status, signal, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Returns the output of a shell in the sandbox. */
function inside(script: string): string {
	const { status, stdout, stderr } = demo(["sh", "-c", script]);
	expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
	return stdout.trim();
}

/** Starts the demo and waits for its first output. */
async function started(script: string): Promise<ChildProcess> {
	const child = spawn(process.execPath, [isolateFile, "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
	await new Promise((resolve, reject) => {
		child.stdout?.once("data", resolve);
		child.once("exit", () => reject(new Error("it ended before it said anything")));
	});
	return child;
}

/** Counts the processes of this host that have a word among their arguments. */
function processesWith(word: string): number {
	const others = pids().filter((pid) => Number(pid) !== process.pid);
	return others.filter((pid) => read(`/proc/${pid}/cmdline`).split("\0").includes(word)).length;
}

test("every attempt of the hostile program is refused", () => {
	const { status, stdout, stderr } = demo([]);
	const lines = stdout.trim().split("\n");
	expect(succeeded(stdout)).toEqual([]);
	expect(lines.filter((line) => line.includes("refused"))).toHaveLength(50);
	expect(lines.at(-2)).toBe("50 attempts, 0 succeeded");
	expect(lines.at(-1)).toMatch(/^`true` took [\d.]+ ms isolated, [\d.]+ ms with child_process\.spawn/);
	expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test.each([0, 1, 7, 255])("the exit code %i is passed on", (code) => {
	expect(demo(["sh", "-c", `exit ${code}`])).toEqual({ status: code, signal: null, stdout: "", stderr: "" });
});

test.each(["SIGTERM", "SIGINT", "SIGKILL", "SIGHUP"])("an end by %s is passed on", (signal) => {
	const { status, signal: found } = demo(["sh", "-c", `kill -${signal.slice(3)} $$`]);
	expect({ status, found }).toEqual({ status: null, found: signal });
});

test.each([
	["SIGPIPE", 141],
	["SIGUSR1", 138],
] as const)("an end by %s, of which Node itself does not end, becomes the code %i", (signal, code) => {
	expect(demo(["sh", "-c", `kill -${signal.slice(3)} $$`]).status).toBe(code);
});

test.each([
	["a command that is missing", ["no-such-command"], 127],
	["a directory", ["/tmp"], 126],
	["the demo itself, which is not visible", [isolateFile], 127],
] as const)("%s is refused", (_, command, code) => {
	const { status, stdout, stderr } = demo(command);
	expect({ status, stdout, lines: stderr.trim().split("\n").length }).toEqual({ status: code, stdout: "", lines: 1 });
});

test("stdin, stdout and stderr are the command's alone", () => {
	const input = Buffer.alloc(1 << 20, "0123456789");
	const { status, stdout, stderr } = demo(["sh", "-c", "cat; echo said >&2"], input);
	expect({ status, same: stdout === input.toString(), stderr }).toEqual({ status: 0, same: true, stderr: "said\n" });
});

test("a signal that Node gets is passed on", async () => {
	const child = await started("trap 'exit 3' TERM; echo ready; sleep 1000 & wait");
	child.kill("SIGTERM");
	expect(await ended(child)).toEqual([3, null]);
});

test("it runs as an ordinary user without privileges", () => {
	const status = inside("cat /proc/self/status");
	const values = Object.fromEntries(status.split("\n").map((line) => line.split(/:\s*/)));
	const none = "0".repeat(16);
	expect(values).toMatchObject({
		CapInh: none,
		CapPrm: none,
		CapEff: none,
		CapBnd: none,
		CapAmb: none,
		NoNewPrivs: "1",
	});
	expect(values.Uid).toBe([uid, uid, uid, uid].join("\t"));
	if (asRoot) expect(values.Groups.trim()).toBe("");
});

test("it is the only child of its pid 1, in a session of its own", () => {
	expect(inside("cat /proc/self/stat").split(" ").slice(0, 6).join(" ")).toMatch(
		/^3 \(cat\) [RS] 2 2 2$|^2 \(cat\) [RS] 1 2 2$/,
	);
	expect(inside("cd /proc; echo [0-9]*")).toBe("1 2");
});

// A new network namespace has one device of each tunnel whose module is loaded. The devices are down.
const fallbackTunnels = ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

test("every namespace but that of time is new", () => {
	for (const kind of ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]) {
		expect(inside(`readlink /proc/self/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
	}
	expect(inside("cat /proc/sys/kernel/hostname")).toBe("nearfar");
	const links = inside("sed 's/:.*//; s/ //g; 1,2d' /proc/net/dev").split("\n");
	expect(links.filter((link) => !fallbackTunnels.includes(link))).toEqual(["lo"]);
	expect(inside("cat /proc/net/fib_trie /proc/net/route").split("\n")).toHaveLength(1); // the heading alone: there is no route
});

test("what is not private is read-only, and nothing is set-uid", () => {
	const mounts = inside("cat /proc/self/mountinfo").split("\n");
	const options = new Map(mounts.map((line) => [line.split(" ")[4] ?? "", (line.split(" ")[5] ?? "").split(",")]));
	for (const [path, set] of options) {
		expect(set, path).toContain("nosuid");
		expect(set, path).toContain(["/tmp", "/dev/shm", "/proc"].includes(path) ? "rw" : "ro");
		if (!/^\/dev\/(null|zero|full|random|urandom|tty)$/.test(path)) expect(set, path).toContain("nodev");
	}
	expect(mounts.filter((line) => / (shared|master):/.test(line))).toEqual([]);
});

test("files of the host are not visible, and its own are private", () => {
	writeFileSync(join(folder, "marker"), "");
	expect(inside(`test -e ${folder} || echo absent; ls -A /tmp; pwd`)).toBe("absent\n/tmp");
	expect(inside("echo text > /tmp/file && cat /tmp/file && ls -A /tmp")).toBe("text\nfile");
	expect(inside("ls -A / | grep -vE '^(bin|sbin|lib|lib32|lib64|libx32)$'")).toBe("dev\netc\nproc\ntmp\nusr");
	const shown = ["alternatives", "ld.so.cache"].filter((name) => existsSync(join("/etc", name)));
	expect(inside("ls /etc; echo text > /dev/null; head -c 3 /dev/zero | wc -c")).toBe([...shown, "3"].join("\n"));
});

test("the environment is not the caller's", () => {
	expect(inside("env | sed 's/=.*//' | sort | tr '\\n' ' '")).toMatch(
		/^HOME (OLDPWD )?PATH PWD (SHLVL )?TERM( _)?$|^HOME PATH PWD( _)?$/,
	);
});

test("nothing stays behind", async () => {
	const mounts = readFileSync("/proc/self/mountinfo", "utf8");
	const word = `9${process.pid}.25`;
	expect(inside(`sleep ${word} >/dev/null 2>&1 & echo started`)).toBe("started");
	await vi.waitFor(() => expect(processesWith(word)).toBe(0));
	expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mounts);
});

test("nothing stays behind when Node is killed", async () => {
	const word = `9${process.pid}.75`;
	const child = await started(`echo ready; exec sleep ${word}`);
	await vi.waitFor(() => expect(processesWith(word)).toBe(1));
	child.kill("SIGKILL");
	expect(await ended(child)).toEqual([null, "SIGKILL"]);
	await vi.waitFor(() => expect(processesWith(word)).toBe(0));
});

test("where no user namespace can be made, the error says so, and the line below it says which limit", async () => {
	const ids = [{ inside: 0, outside: 0, count: 65536 }];
	const idMap = asRoot ? { uids: ids, gids: ids } : "identity";
	await using task = await Task.clone({ namespaces: ["user"], idMap });
	const [read, write] = pipe();
	const far = task.put(write);
	write.close();
	task.run(() => {
		using limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
		limit.write("0");
		far.dupTo(2, { closeOnExec: false });
	});
	const child = task.exec(process.execPath, [process.execPath, isolateFile, "true"]);
	expect(await child.exited).toMatchObject({ code: 125 });
	expect(read.read(4096).toString()).toMatch(/^isolate: .*ENOSPC.*\n.*max_user_namespaces.*\n$/);
	read.close();
});
