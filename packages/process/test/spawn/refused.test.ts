import { openat2 } from "@nearfar/core";
import { expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";

test.each<[string, unknown, string]>([
	["cwd: a NUL byte", { cwd: "a\0" }, "ERR_INVALID_ARG_VALUE"],
	["cwd: 1", { cwd: 1 }, "ERR_INVALID_ARG_TYPE"],
	["root: a NUL byte", { root: "a\0" }, "ERR_INVALID_ARG_VALUE"],
	["umask: 0o1000", { umask: 0o1000 }, "ERR_OUT_OF_RANGE"],
	["uid: -1", { uid: -1 }, "ERR_OUT_OF_RANGE"],
	["uid: a name", { uid: "root" }, "ERR_INVALID_ARG_TYPE"],
	["gid: 2^32-1, which is none", { gid: 2 ** 32 - 1 }, "ERR_OUT_OF_RANGE"],
	["groups: 5", { groups: 5 }, "ERR_INVALID_ARG_TYPE"],
	["groups: [-1]", { groups: [-1] }, "ERR_OUT_OF_RANGE"],
	["groups: [ , 1]", { groups: Array(1).concat(1) }, "ERR_INVALID_ARG_TYPE"],
	["cpus: [ , 1]", { cpus: Array(1).concat(1) }, "ERR_INVALID_ARG_TYPE"],
	["join: [ , ]", { join: Array(1) }, "ERR_INVALID_ARG_TYPE"],
	["fds: [ , ]", { fds: Array(1) }, "ERR_INVALID_ARG_TYPE"],
	["env: a NUL byte", { env: { A: "a\0" } }, "ERR_INVALID_ARG_VALUE"],
	["env: a name with a NUL byte", { env: { "A\0": "a" } }, "ERR_INVALID_ARG_VALUE"],
	["argv0: a NUL byte", { argv0: "a\0" }, "ERR_INVALID_ARG_VALUE"],
	["groups: too many", { groups: Array(65_537).fill(1) }, "ERR_OUT_OF_RANGE"],
	["session: 1", { session: 1 }, "ERR_INVALID_ARG_TYPE"],
	["group: 1", { group: 1 }, "ERR_INVALID_ARG_TYPE"],
	["join: [3]", { join: [3] }, "ERR_INVALID_ARG_TYPE"],
	["noNewPrivs: 1", { noNewPrivs: 1 }, "ERR_INVALID_ARG_TYPE"],
	["limits: an inherited one of what there is not", { limits: Object.create({ files: 1 }) }, "ERR_INVALID_ARG_VALUE"],
	["limits: of what there is not", { limits: { files: 1 } }, "ERR_INVALID_ARG_VALUE"],
	["limits: -1", { limits: { nofile: -1 } }, "ERR_OUT_OF_RANGE"],
	["limits: 5", { limits: 5 }, "ERR_INVALID_ARG_TYPE"],
	["nice: 20", { nice: 20 }, "ERR_OUT_OF_RANGE"],
	["cpus: [-1]", { cpus: [-1] }, "ERR_OUT_OF_RANGE"],
	["argv0: 1", { argv0: 1 }, "ERR_INVALID_ARG_TYPE"],
	["env: a name with =", { env: { "a=": "1" } }, "ERR_INVALID_ARG_VALUE"],
	["killtree", { killtree: true }, "ERR_INVALID_ARG_VALUE"],
	["share: an option of Task.clone alone", { share: ["files"] }, "ERR_INVALID_ARG_VALUE"],
	["idMap without user", { idMap: "root", namespaces: ["net"] }, "ERR_INVALID_ARG_VALUE"],
	["init without pid", { init: true }, "ERR_INVALID_ARG_VALUE"],
	["init without pid, with others", { init: true, namespaces: ["user", "mnt"] }, "ERR_INVALID_ARG_VALUE"],
	["init: 1", { init: 1, namespaces: ["user", "pid"] }, "ERR_INVALID_ARG_TYPE"],
	["killTree: 1", { killTree: 1 }, "ERR_INVALID_ARG_TYPE"],
	["namespaces: of what there is not", { namespaces: ["disk"] }, "ERR_INVALID_ARG_VALUE"],
	["setup: 1", { setup: 1 }, "ERR_INVALID_ARG_TYPE"],
	["signal: {}", { signal: {} }, "ERR_INVALID_ARG_TYPE"],
	["timeout: -1", { timeout: -1 }, "ERR_OUT_OF_RANGE"],
	["timeout: 2^31", { timeout: 2 ** 31 }, "ERR_OUT_OF_RANGE"],
	["timeout: '1'", { timeout: "1" }, "ERR_INVALID_ARG_TYPE"],
	["killSignal: SIGNOPE", { killSignal: "SIGNOPE" }, "ERR_INVALID_ARG_VALUE"],
	["killSignal: 0", { killSignal: 0 }, "ERR_OUT_OF_RANGE"],
	["killSignal: 65", { killSignal: 65 }, "ERR_OUT_OF_RANGE"],
	["deathSignal: 65", { deathSignal: 65 }, "ERR_OUT_OF_RANGE"],
	["stdio: ipc", { stdio: ["pipe", "pipe", "pipe", "ipc"] }, "ERR_INVALID_ARG_VALUE"],
	["stdio: overlapped", { stdio: "overlapped" }, "ERR_INVALID_ARG_VALUE"],
	["stdio: a stream without a descriptor", { stdio: [new ReadableStream(), "pipe", "pipe"] }, "ERR_INVALID_ARG_VALUE"],
	[
		"stdio: a number in an object, as a descriptor of another copy of core has it",
		{ stdio: [{ fd: 1 }] },
		"ERR_INVALID_ARG_VALUE",
	],
	["input, which run has", { input: "text" }, "ERR_INVALID_ARG_VALUE"],
	["maxBuffer", { maxBuffer: 1 }, "ERR_INVALID_ARG_VALUE"],
	["stdio: 1.5", { stdio: [1.5] }, "ERR_OUT_OF_RANGE"],
	["stdio: what is not open", { stdio: [12_345] }, "EBADF"],
	["stdio: true", { stdio: [true] }, "ERR_INVALID_ARG_VALUE"],
	["stdio: 1", { stdio: 1 }, "ERR_INVALID_ARG_TYPE"],
	["fds: [3]", { fds: [3] }, "ERR_INVALID_ARG_TYPE"],
	["shell: true", { shell: true }, "ERR_INVALID_ARG_VALUE"],
	["detached: true", { detached: true }, "ERR_INVALID_ARG_VALUE"],
	["options: 1", 1, "ERR_INVALID_ARG_TYPE"],
])("%s is refused", async (_, options, code) => {
	expect(await reason(() => spawn("true", [], options as SpawnOptions))).toMatchObject({ code });
});

test.each([
	[-1, "options.limits.nofile"],
	[{ soft: 1, hard: "2" }, "options.limits.nofile.hard"],
])("a limit of %j is refused by the name of the option", async (nofile, name) => {
	const error = await reason(() => spawn("true", [], { limits: { nofile } } as SpawnOptions));
	expect((error as Error).message).toContain(name);
});

test("session and the group of another contradict each other", async () => {
	await using other = await spawn("sleep", ["1000"], { stdio: "ignore" });
	const error = await reason(() => spawn("true", [], { session: true, group: other }));
	expect(error).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
});

test.each<[string, unknown, unknown, string]>([
	["a file with a NUL byte", "a\0", [], "ERR_INVALID_ARG_VALUE"],
	["a file 1", 1, [], "ERR_INVALID_ARG_TYPE"],
	["arguments that are none", "true", "a", "ERR_INVALID_ARG_TYPE"],
	["arguments with a NUL byte", "true", ["a\0"], "ERR_INVALID_ARG_VALUE"],
	["an argument 1", "true", [1], "ERR_INVALID_ARG_TYPE"],
	["an argument that is left out", "true", Array(1), "ERR_INVALID_ARG_TYPE"],
	["options where the arguments belong", "true", { stdio: "ignore" }, "ERR_INVALID_ARG_TYPE"],
])("%s is refused", async (_, file, args, code) => {
	expect(await reason(() => spawn(file as string, args as string[]))).toMatchObject({ code });
});

test("what cannot be executed: the step is execve", async () => {
	const env = { PATH: "/nowhere:/usr/bin:/bin" };
	for (const [file, code] of [
		["nope", "ENOENT"],
		["", "ENOENT"],
		["/etc", "EACCES"],
		["/etc/passwd", "EACCES"],
	] as const) {
		const error = await reason(() => spawn(file, [], { env, killTree: code === "EACCES" }));
		expect(error).toMatchObject({ code, syscall: "execve", name: "SyscallError" });
	}
	using directory = openat2("/etc");
	expect(await reason(() => spawn(directory))).toMatchObject({ code: "EACCES", syscall: "execveat" });
	const long = Array(200).fill("x".repeat(100_000));
	expect(await reason(() => spawn("true", long))).toMatchObject({ code: "E2BIG", syscall: "execve" });
});

test("the PATH of env is searched, inside root and cwd, and an open file is executed as it is", async () => {
	const error = await reason(() => spawn("true", [], { env: { PATH: "/nowhere" } }));
	expect(error).toMatchObject({ code: "ENOENT", path: "true" });
	const child = await spawn("true", [], { env: { PATH: "bin" }, cwd: "/usr", stdio: "ignore" });
	expect(await child.exited).toMatchObject({ code: 0 });
	using file = openat2("/bin/sh");
	const sh = await spawn(file, ["-c", "exit 6"], { stdio: "ignore", fds: [file] });
	expect(await sh.exited).toMatchObject({ code: 6 });
	expect(await reason(() => spawn("sh", [], { lookup: false }))).toMatchObject({ code: "ENOENT", path: "sh" });
});

test("options of Node's spawn that mean nothing here, or are false, are allowed", async () => {
	const options = { windowsHide: true, windowsVerbatimArguments: true, shell: false, detached: false, cwd: undefined };
	await using child = await spawn("true", [], { ...(options as object), stdio: "ignore" });
	expect(await child.exited).toMatchObject({ code: 0 });
	expect(await run("true", [], options as object)).toMatchObject({ code: 0 });
});

test("run refuses the options that spawn refuses", async () => {
	for (const options of [{ shell: true }, { detached: true }, { killtree: true }, { maxoutput: 3 }]) {
		expect(await reason(() => run("true", [], options as object))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	}
});

test("inherited options count like own ones", async () => {
	const options = Object.create({ argv0: "named", env: { A: "b" } });
	expect((await run("sh", ["-c", 'echo "$0 $A"'], options)).stdout).toBe("named b\n");
	expect(await reason(() => spawn("true", [], Object.create({ killtree: true })))).toMatchObject({
		code: "ERR_INVALID_ARG_VALUE",
	});
});
