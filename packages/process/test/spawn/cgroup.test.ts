import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { descriptorsLeft, descriptorsOf } from "../../../../test/descriptors.mjs";
import { FrozenGroup } from "../../../../test/frozen-group.ts";
import { cgroupRoot, has, needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";

needs("cgroup v2 in which this user can make groups").test.each<[string, SpawnOptions]>([
	["", {}],
	["with killTree", { killTree: true }],
	["with an init", { namespaces: ["user", "pid"], init: true }],
])("cgroup %s: all of it begins there, and cgroup.kill ends it", async (_, options) => {
	const path = `${cgroupRoot}/nearfar-spawn-${process.pid}`;
	mkdirSync(path);
	try {
		using cgroup = openat2(path, { flags: ["path", "directory"] });
		const child = await spawn("sleep", ["1000"], { ...options, cgroup, stdio: "ignore" });
		expect(readFileSync(`/proc/${child.pid}/cgroup`, "utf8")).toContain(`nearfar-spawn-${process.pid}\n`);
		expect(readFileSync(`${path}/cgroup.procs`, "utf8").split("\n")).toContain(`${child.pid}`);
		writeFileSync(`${path}/cgroup.kill`, "1");
		const { signal } = await child.exited;
		// An init, which reports the status, is killed too. Before Linux 6.15 nothing else keeps the status.
		expect(options.init && !has("Linux 6.15") ? ["SIGKILL", null] : ["SIGKILL"]).toContain(signal);
		while (readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
	} finally {
		rmdirSync(path);
	}
});

needs("cgroup v2 in which this user can make groups").test.each<[string, SpawnOptions]>([
	["", {}],
	["with killTree", { killTree: true }],
	["with an init", { namespaces: ["user", "pid"], init: true }],
	["with an init and a cgroup namespace", { namespaces: ["user", "pid", "cgroup"], init: true }],
])("a cgroup with a keeper %s: the keeper clones, and the program ends as any other", async (_, options) => {
	const path = `${cgroupRoot}/nearfar-keeper-${process.pid}`;
	mkdirSync(path);
	const keeper = await Task.clone();
	try {
		using fd = openat2(path, { flags: ["path", "directory"] });
		const cgroup = { fd, keeper };
		const child = await spawn("sh", ["-c", "read line; exit 7"], {
			...options,
			cgroup,
			stdio: ["pipe", "ignore", "ignore"],
		});
		expect(readFileSync(`/proc/${child.pid}/cgroup`, "utf8")).toContain(`nearfar-keeper-${process.pid}\n`);
		const parents = (pid: number): number[] => {
			const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
			return parent === process.pid ? [] : [parent, ...parents(parent)];
		};
		expect(parents(child.pid)).toContain(keeper.pid);
		child.stdin?.end("\n");
		expect(await child.exited).toMatchObject({ code: 7 });
		while (readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
	} finally {
		await keeper[Symbol.asyncDispose]();
		rmdirSync(path);
	}
});

needs("cgroup v2 in which this user can make groups").test("a removed cgroup is told to the object", async () => {
	const path = `${cgroupRoot}/nearfar-removed-${process.pid}`;
	mkdirSync(path);
	using fd = openat2(path, { flags: ["path", "directory"] });
	rmdirSync(path);
	const refused = (cause: Error) => new Error("removed", { cause });
	for (const options of [{}, { killTree: true }]) {
		const error = await reason(() => spawn("true", [], { ...options, cgroup: { fd, refused }, stdio: "ignore" }));
		expect(error).toMatchObject({ message: "removed", cause: { code: "ENOENT", syscall: "clone3" } });
	}
});

needs("cgroup v2 in which this user can make groups").test(
	"a keeper that has ended is told to the object",
	async () => {
		const path = `${cgroupRoot}/nearfar-keeper-${process.pid}`;
		mkdirSync(path);
		try {
			using fd = openat2(path, { flags: ["path", "directory"] });
			const keeper = await Task.clone();
			await keeper.exit();
			const refused = (cause: Error) => new Error("removed", { cause });
			for (const options of [{}, { killTree: true }]) {
				const error = await reason(() =>
					spawn("true", [], { ...options, cgroup: { fd, keeper, refused }, stdio: "ignore" }),
				);
				expect(error).toMatchObject({ message: "removed", cause: { code: "ERR_NEARFAR_TASK_GONE" } });
			}
		} finally {
			rmdirSync(path);
		}
	},
);

needs("cgroup v2 in which this user can make groups").test(
	"killTree ends what a frozen cgroup has in it: the helper is not in there",
	async () => {
		const path = `${cgroupRoot}/nearfar-frozen-${process.pid}`;
		mkdirSync(path);
		try {
			using cgroup = openat2(path, { flags: ["path", "directory"] });
			const child = await spawn("sleep", ["1000"], { killTree: true, cgroup, stdio: "ignore" });
			expect(readFileSync(`${path}/cgroup.procs`, "utf8")).toBe(`${child.pid}\n`);
			writeFileSync(`${path}/cgroup.freeze`, "1");
			while (!readFileSync(`${path}/cgroup.events`, "utf8").includes("frozen 1")) await setImmediate();
			await child[Symbol.asyncDispose]();
			expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		} finally {
			writeFileSync(`${path}/cgroup.freeze`, "0");
			while (readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
			rmdirSync(path);
		}
	},
);

const givenUp = needs("cgroup v2 in which this user can make groups").test.each<[string, SpawnOptions]>([
	["alone", {}],
	["with killTree", { killTree: true }],
	["with an init", { namespaces: ["user", "pid"], init: true }],
]);

givenUp("a start that is timed out or aborted leaves no process in a frozen cgroup: %s", async (_, options) => {
	await using group = new FrozenGroup();
	using cgroup = openat2(group.path, { flags: ["path", "directory"] });
	const timedOut = spawn("true", [], { ...options, cgroup, stdio: "ignore", timeout: 100 });
	expect(await reason(() => timedOut)).toMatchObject({ code: "ERR_NEARFAR_TIMEOUT" });
	await expect.poll(() => group.pids()).toEqual([]);
	const control = new AbortController();
	const aborted = spawn("true", [], { ...options, cgroup, stdio: "ignore", signal: control.signal });
	await expect.poll(() => group.pids()).not.toEqual([]);
	control.abort();
	expect(await reason(() => aborted)).toMatchObject({ code: "ABORT_ERR" });
	await expect.poll(() => group.pids()).toEqual([]);
});

givenUp("nor does a start that is aborted as its process appears: %s", async (_, options) => {
	await using group = new FrozenGroup();
	using cgroup = openat2(group.path, { flags: ["path", "directory"] });
	for (let round = 0; round < 60; round++) {
		const control = new AbortController();
		const aborted = spawn("true", [], { ...options, cgroup, stdio: "ignore", signal: control.signal });
		group.blockUntilCloned();
		control.abort();
		expect(await reason(() => aborted)).toMatchObject({ code: "ABORT_ERR" });
		await expect.poll(() => group.pids(), { interval: 1 }).toEqual([]);
	}
});

test("a cgroup that is none: the step is clone3", async () => {
	using folder = openat2("/");
	for (const options of [{}, { killTree: true }]) {
		const error = await reason(() => spawn("true", [], { cgroup: folder, ...options }));
		expect(error).toMatchObject({ code: "EBADF", syscall: "clone3" });
	}
	expect(await reason(() => spawn("true", [], { cgroup: "/" as never }))).toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
	});
});

test("options that are refused after the cgroup was given leave no copy of it", async () => {
	using folder = openat2("/");
	using pids = openat2(`${ownProc}/self/ns/pid`);
	const before = descriptorsOf(/./).length;
	const options: SpawnOptions = { killTree: true, cgroup: folder, join: [pids], stdio: "ignore" };
	expect(await reason(() => spawn("true", [], options))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	expect(await descriptorsLeft(/./, before)).toBe(0);
});

test("setTid that is not allowed: the step is clone3", async () => {
	expect(await reason(() => spawn("true", [], { setTid: [process.pid] }))).toMatchObject({ syscall: "clone3" });
	const child = await spawn("sh", ["-c", "echo $$"], {
		namespaces: ["user", "pid"],
		init: true,
		setTid: [77],
		stdio: ["ignore", "pipe", "inherit"],
	});
	let text = "";
	for await (const chunk of child.stdout ?? []) text += chunk;
	expect(text).toBe("77\n");
	await child.exited;
});
