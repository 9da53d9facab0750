import { readFileSync } from "node:fs";
import { BatchError, ChildDeadError, NamespaceMismatchError, Process, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { getrlimit, prlimit, type Resource, setrlimit } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;
const names: Record<Resource, string> = {
	cpu: "Max cpu time",
	fsize: "Max file size",
	data: "Max data size",
	stack: "Max stack size",
	core: "Max core file size",
	rss: "Max resident set",
	nproc: "Max processes",
	nofile: "Max open files",
	memlock: "Max locked memory",
	as: "Max address space",
	locks: "Max file locks",
	sigpending: "Max pending signals",
	msgqueue: "Max msgqueue size",
	nice: "Max nice priority",
	rtprio: "Max realtime priority",
	rttime: "Max realtime timeout",
};

/** Returns the soft and the hard limit that /proc/<pid>/limits shows. */
function seen(pid: number | "self", resource: Resource): (number | bigint)[] {
	const line = readFileSync(`/proc/${pid}/limits`, "utf8").match(
		new RegExp(`^${names[resource]} +(\\S+) +(\\S+)`, "m"),
	);
	return [line?.[1], line?.[2]].map((text) => (text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text)));
}

test.each(Object.keys(names) as Resource[])("%s near and far are those of /proc", async (resource) => {
	await using task = await Task.clone();
	const { soft, hard } = getrlimit(resource);
	expect([soft, hard].map(Number)).toEqual(seen("self", resource));
	expect(task.run(() => getrlimit(resource))).toEqual({ soft, hard });
	expect(prlimit(resource, undefined, task.process)).toEqual({ soft, hard });
	const lower = { soft: 0, hard: typeof hard === "number" && hard !== Number.POSITIVE_INFINITY ? hard : 2n ** 60n };
	expect(prlimit(resource, lower, task.process)).toEqual({ soft, hard });
	expect(seen(task.pid, resource)).toEqual([0, Number(lower.hard)]);
	expect(prlimit(resource, undefined, task.pid)).toEqual(lower);
});

test("setrlimit is collected, and what the task executes is held to it", async () => {
	await using task = await Task.clone();
	const { hard } = getrlimit("nofile");
	await task.batch(() => {
		setrlimit("nofile", { soft: 64, hard });
		setrlimit("core", 0);
	});
	expect([seen(task.pid, "nofile"), seen(task.pid, "core")]).toEqual([
		[64, hard],
		[0, 0],
	]);
	await task.exec("sh", ["sh", "-c", "test $(ulimit -Sn) = 64"]).check();
});

test("in a batch nothing can be asked for", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => prlimit("core", 0))).rejects.toThrow(BatchError);
	await expect(task.batch(() => getrlimit("core"))).rejects.toThrow(BatchError);
});

test("in this process the limit is Node's, and of all its threads", () => {
	const before = getrlimit("core");
	setrlimit("core", { soft: 0, hard: before.hard });
	expect(seen("self", "core")).toEqual([0, Number(before.hard)]);
	expect(prlimit("core", before)).toEqual({ soft: 0, hard: before.hard });
	expect(getrlimit("core")).toEqual(before);
});

const withoutLimit = (Object.keys(names) as Resource[]).find(
	(name) => getrlimit(name).hard === Number.POSITIVE_INFINITY,
);
const free = withoutLimit ?? "locks";
const unlimited = needs(...(withoutLimit ? [] : (["a resource without a limit"] as const)));

unlimited.test.each([["infinity"], [Number.POSITIVE_INFINITY], [2n ** 64n - 1n]] as const)(
	"%s is no limit",
	async (limit) => {
		await using task = await Task.clone();
		task.run(() => setrlimit(free, limit));
		expect(task.run(() => getrlimit(free))).toEqual({
			soft: Number.POSITIVE_INFINITY,
			hard: Number.POSITIVE_INFINITY,
		});
	},
);

unlimited.test("a limit beyond what a number holds exactly is a bigint", async () => {
	await using task = await Task.clone();
	const limit = 2n ** 53n + 1n;
	task.run(() => setrlimit(free, limit));
	expect(task.run(() => prlimit(free, 7))).toEqual({ soft: limit, hard: limit });
	expect(task.run(() => getrlimit(free))).toEqual({ soft: 7, hard: 7 });
});

test("EINVAL: the soft limit is above the hard one", async () => {
	await using task = await Task.clone();
	const limits = { soft: 2, hard: 1 };
	expect(() => task.run(() => setrlimit("core", limits))).toThrow(
		expect.objectContaining({ code: "EINVAL", syscall: "setrlimit" }),
	);
	expect(() => prlimit("core", limits, task.process)).toThrow(
		expect.objectContaining({ code: "EINVAL", syscall: "prlimit" }),
	);
});

test("EPERM: raising a hard limit, or more descriptors than the kernel has", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: has("root") ? "identity" : "root" });
	task.run(() => setrlimit("nofile", 40));
	// CAP_SYS_RESOURCE in a user namespace does not count for the initial one.
	expect(() => task.run(() => setrlimit("nofile", 41))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "setrlimit" }),
	);
	expect(() => task.run(() => prlimit("nofile", 2n ** 40n))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "prlimit" }),
	);
});

needs("another user as the owner of process 1").test("EPERM: another user's process", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	expect(() => task.run(() => prlimit("core", undefined, 1))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "prlimit" }),
	);
});

test("ESRCH: nobody has the pid; what has died has none", async () => {
	expect(() => prlimit("core", undefined, NOBODY)).toThrow(
		expect.objectContaining({ code: "ESRCH", syscall: "prlimit" }),
	);
	const task = await Task.clone();
	await task.exit();
	expect(() => prlimit("core", undefined, task.process)).toThrow(ChildDeadError);
});

test("a process of another pid namespace is refused", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"] });
	const self = new Process(process.pid);
	expect(() => task.run(() => prlimit("core", undefined, self))).toThrow(NamespaceMismatchError);
	expect(task.run(() => prlimit("core", undefined, 1))).toEqual(getrlimit("core"));
});

test.each<[string, () => unknown, string]>([
	["an unknown resource", () => setrlimit("files" as "nofile", 1), "ERR_INVALID_ARG_VALUE"],
	["a negative limit", () => setrlimit("core", -1), "ERR_OUT_OF_RANGE"],
	["a negative bigint", () => setrlimit("core", -1n), "ERR_OUT_OF_RANGE"],
	["more than 64 bits", () => setrlimit("core", 2n ** 64n), "ERR_OUT_OF_RANGE"],
	["an inexact number", () => setrlimit("core", 2 ** 53), "ERR_OUT_OF_RANGE"],
	["no limit", () => setrlimit("core", undefined as unknown as number), "ERR_INVALID_ARG_TYPE"],
	["half of one", () => setrlimit("core", { soft: 1 } as { soft: 1; hard: 1 }), "ERR_INVALID_ARG_TYPE"],
	["another word", () => setrlimit("core", "none" as "infinity"), "ERR_INVALID_ARG_VALUE"],
	["a negative pid", () => prlimit("core", undefined, -1), "ERR_OUT_OF_RANGE"],
	["a pid as text", () => prlimit("core", undefined, "1" as unknown as number), "ERR_INVALID_ARG_TYPE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});
