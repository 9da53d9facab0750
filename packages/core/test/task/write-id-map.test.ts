import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { native } from "@nearfar/core/internal";
import { afterEach, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { FileDescriptor, IdMap, Process, Task, writeIdMap } from "../../src/index.ts";

const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];
const read = (pid: number | undefined, name: string) =>
	readFileSync(`/proc/${pid}/${name}`, "utf8").trim().split(/\s+/);
const map = (pid: number | undefined, which: string) => read(pid, `${which}_map`).map(Number);
const ownUids = new IdMap([[0, uid, 1]]);
const ownGids = new IdMap([[0, gid, 1]]);
const unmapped = () => Task.clone({ namespaces: ["user"], idMap: "none" });

let stranger: ChildProcess | undefined;

afterEach(async () => {
	if (!stranger || stranger.exitCode !== null || stranger.signalCode !== null) return;
	stranger.kill("SIGKILL");
	await once(stranger, "exit");
});

/** Starts a process in a new user namespace, which nearfar has not started. */
async function strangerInNamespace(script = "import time; time.sleep(1000)"): Promise<ChildProcess> {
	stranger = spawn("unshare", ["-U", "python3", "-c", script], { stdio: "ignore" });
	const namespace = (pid: string | number | undefined) => readlinkSync(`/proc/${pid}/ns/user`);
	await expect.poll(() => namespace(stranger?.pid)).not.toBe(namespace("self"));
	return stranger;
}

needs("/proc").describe("writeIdMap", () => {
	test("NST-25, crun #1088: setgroups is denied first, then groups, then users", async () => {
		await using task = await unmapped();
		await writeIdMap(task, { uids: ownUids, gids: ownGids, setgroups: "deny" });
		expect([map(task.pid, "uid"), map(task.pid, "gid")]).toEqual([
			[0, uid, 1],
			[0, gid, 1],
		]);
		expect(read(task.pid, "setgroups")).toEqual(["deny"]);
		const again = () => writeIdMap(task, { setgroups: "deny", uids: ownUids });
		expect(await reason(again)).toMatchObject({ code: "EPERM", syscall: "write" });
	});

	test("NST-26 a map is written once, and the error names the file", async () => {
		await using task = await unmapped();
		await writeIdMap(task, { uids: ownUids });
		const path = `/proc/${task.pid}/uid_map`;
		expect(await reason(() => writeIdMap(task, { uids: ownUids }))).toMatchObject({
			code: "EPERM",
			syscall: "write",
			path,
			hint: expect.stringContaining("written already"),
		});
		expect(map(task.pid, "gid")).toEqual([0]);
	});

	test("the first map stays when the second is refused", async () => {
		await using task = await unmapped();
		await writeIdMap(task, { uids: ownUids });
		const path = `/proc/${task.pid}/uid_map`;
		expect(await reason(() => writeIdMap(task, { gids: ownGids, uids: ownUids }))).toMatchObject({
			code: "EPERM",
			path,
		});
		expect(map(task.pid, "gid")).toEqual([0, gid, 1]);
	});

	test("nothing is written for maps that are left out", async () => {
		await using task = await unmapped();
		await writeIdMap(task, {});
		expect([map(task.pid, "uid"), map(task.pid, "gid"), read(task.pid, "setgroups")]).toEqual([[0], [0], ["allow"]]);
	});

	needs("an ordinary user").test("unshare.rs #27: a group map without a denial is EPERM", async () => {
		await using task = await unmapped();
		const path = `/proc/${task.pid}/gid_map`;
		const refused = await reason(() => writeIdMap(task, { gids: ownGids, setgroups: "allow" }));
		expect(refused).toMatchObject({
			code: "EPERM",
			syscall: "write",
			path,
			hint: expect.stringContaining("setgroups"),
		});
	});

	needs("an ordinary user").test("NST-27 an id of another user is EPERM, and the hint has both ids", async () => {
		await using task = await unmapped();
		const uids = new IdMap([[0, uid + 1, 1]]);
		const hint = expect.stringMatching(new RegExp(`${uid + 1} outside.* which is ${uid}: .*newuidmap`));
		expect(await reason(() => writeIdMap(task, { uids, helper: "never" }))).toMatchObject({ code: "EPERM", hint });
	});

	needs("root").test("a text of more than 4095 bytes is EINVAL, and the hint has the number", async () => {
		await using task = await unmapped();
		const uids = new IdMap(Array.from({ length: 340 }, (_, i) => [10_000 + 2 * i, 100_000_000 + 2 * i, 1] as const));
		const hint = expect.stringMatching(/\d{4,} bytes/);
		expect(await reason(() => writeIdMap(task, { uids }))).toMatchObject({ code: "EINVAL", hint });
	});

	needs("root").test("util-linux #2598: root writes ranges itself, and setgroups stays allowed", async () => {
		await using task = await unmapped();
		await writeIdMap(task, { uids: new IdMap([[0, 100_000, 65_536]]), gids: new IdMap([[0, 100_000, 65_536]]) });
		expect(map(task.pid, "uid")).toEqual([0, 100_000, 65_536]);
		expect(read(task.pid, "setgroups")).toEqual(["allow"]);
	});

	needs("root").test("podman #8816: a line that crosses the end of a line of the parent is cut", async () => {
		await using outer = await Task.clone({
			namespaces: ["user"],
			idMap: {
				uids: new IdMap([
					[0, 0, 1000],
					[1000, 200_000, 1000],
					[2000, 300_000, 10],
				]),
				gids: new IdMap([
					[0, 0, 5],
					[5, 200_000, 5],
				]),
			},
		});
		await using inner = await outer.clone({ namespaces: ["user"], idMap: "none" });
		await writeIdMap(inner, { uids: new IdMap([[0, 0, 2005]]), gids: new IdMap([[1, 1, 9]]) });
		expect(map(inner.pid, "uid")).toEqual([0, 0, 1000, 1000, 200_000, 1000, 2000, 300_000, 5]);
		expect(map(inner.pid, "gid")).toEqual([1, 1, 4, 5, 200_000, 5]);
	});

	needs("root").test("an id that the writer's user namespace does not have is EPERM, with the file", async () => {
		await using outer = await Task.clone({
			namespaces: ["user"],
			idMap: {
				uids: new IdMap([
					[0, 0, 10],
					[20, 500, 10],
				]),
				gids: new IdMap([[0, 0, 10]]),
			},
		});
		const clone = () => outer.clone({ namespaces: ["user"], idMap: { uids: new IdMap([[0, 5, 10]]) } });
		const path = expect.stringMatching(/^\/proc\/\d+\/uid_map$/);
		const hint = expect.stringMatching(/ids 5 to 14 outside .* 0 to 9, 20 to 29/);
		expect(await reason(clone)).toMatchObject({ code: "EPERM", syscall: "write", path, hint });
	});

	needs("root").test("shadow #334: the id 0 of the parent is EPERM for a writer without CAP_SETFCAP", async () => {
		const CAP_SETFCAP = 31n;
		await using by = await Task.clone();
		by.run(() => {
			const [, permitted = 0n] = native().capget(0);
			const rest = permitted & ~(1n << CAP_SETFCAP);
			native().capset(0, [rest, rest, 0n]);
		});
		await using task = await by.clone({ namespaces: ["user"], idMap: "none" });
		const refused = await reason(() => writeIdMap(task, { uids: new IdMap([[0, 0, 1]]) }));
		expect(refused).toMatchObject({ code: "EPERM", syscall: "write", hint: expect.stringContaining("CAP_SETFCAP") });
		await writeIdMap(task, { uids: new IdMap([[0, 5, 1]]) });
	});

	test("the writer is the task that has cloned the process", async () => {
		await using outer = await Task.clone({ namespaces: ["user"], idMap: "root" });
		await using inner = await outer.clone({ namespaces: ["user"], idMap: "none" });
		await writeIdMap(inner, { uids: new IdMap([[5, 0, 1]]) });
		expect(map(inner.pid, "uid")).toEqual([5, uid, 1]);
	});

	test("a writer in another user namespace than the parent's is EPERM", async () => {
		await using task = await unmapped();
		await using by = await Task.clone({ namespaces: ["user"], idMap: "root" });
		const path = `/proc/${task.pid}/uid_map`;
		const error = await reason(() => writeIdMap(task, { uids: new IdMap([[0, 0, 1]]), helper: "never" }, { by }));
		expect(error).toMatchObject({ path, code: expect.stringMatching(/EPERM|EACCES/) });
	});

	test("a writer that has ended is TaskGoneError", async () => {
		const by = await Task.clone();
		await using task = await by.clone({ namespaces: ["user"], idMap: "none" });
		await by.exit();
		expect(await reason(() => writeIdMap(task, { uids: ownUids }))).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	});

	needs("the program unshare", "the program python3").test.each(["pid", "Process", "pidfd"])(
		"a process that nearfar has not started, by its %s",
		async (how) => {
			const { pid = 0 } = await strangerInNamespace();
			using fd = how === "pidfd" ? FileDescriptor.from(native().pidfdOpen(pid, 0)) : undefined;
			await writeIdMap(fd ?? (how === "pid" ? pid : new Process(pid)), { uids: ownUids });
			expect(map(pid, "uid")).toEqual([0, uid, 1]);
		},
	);

	test("a pidfd and a pid of the current task", async () => {
		await using task = await unmapped();
		await using by = await Task.clone();
		const writing: Promise<void>[] = [];
		by.run(() => {
			writing.push(writeIdMap(task.pid, { uids: ownUids }));
		});
		await writing[0];
		expect(map(task.pid, "uid")).toEqual([0, uid, 1]);
		using fd = by.put(task.process.fd);
		by.run(() => {
			writing.push(writeIdMap(fd, { gids: ownGids, setgroups: "deny" }));
		});
		await writing[1];
		expect(map(task.pid, "gid")).toEqual([0, gid, 1]);
	});

	needs("an ordinary user", "the program unshare", "the program python3").test(
		"a process that is not dumpable is EACCES",
		async () => {
			const script = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); time.sleep(1000)"; // PR_SET_DUMPABLE
			const { pid } = await strangerInNamespace(script);
			const path = `/proc/${pid}/uid_map`;
			await expect.poll(() => statSync(path).uid).not.toBe(uid);
			expect(await reason(() => writeIdMap(pid as number, { uids: ownUids }))).toMatchObject({
				code: "EACCES",
				path,
				hint: expect.stringContaining("dumpable"),
			});
		},
	);

	test("a process that has ended is ESRCH", async () => {
		const task = await unmapped();
		await task.exit();
		expect(await reason(() => writeIdMap(task, { uids: ownUids }))).toMatchObject({ code: "ESRCH" });
		expect(await reason(() => writeIdMap(task.pid, { uids: ownUids }))).toMatchObject({ code: "ESRCH" });
	});

	test("a descriptor that is no pidfd is ENOTTY", async () => {
		using fd = FileDescriptor.from(native().eventfd(0, 0));
		expect(await reason(() => writeIdMap(fd, { uids: ownUids }))).toMatchObject({ code: "ENOTTY" });
	});

	test.each([
		["no maps", [1, undefined], "ERR_INVALID_ARG_TYPE"],
		["an empty map", [1, { uids: [] }], "ERR_INVALID_ARG_VALUE"],
		["a helper of another name", [1, { helper: "maybe" }], "ERR_INVALID_ARG_VALUE"],
		["a setgroups of another name", [1, { setgroups: true }], "ERR_INVALID_ARG_VALUE"],
		["an unknown option", [1, {}, { by: undefined, who: 1 }], "ERR_INVALID_ARG_VALUE"],
		["a writer that is no task", [1, {}, { by: 1 }], "ERR_INVALID_ARG_TYPE"],
		["no process", ["1", {}], "ERR_INVALID_ARG_TYPE"],
		["an aborted signal", [1, {}, { signal: AbortSignal.abort() }], "ABORT_ERR"],
	])("%s is refused", async (_, args, code) => {
		expect(await reason(() => writeIdMap(...(args as Parameters<typeof writeIdMap>)))).toMatchObject({ code });
	});
});
