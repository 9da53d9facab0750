import { mkdirSync, rmdirSync } from "node:fs";
import { posix } from "node:path";
import { Location, openat2, pipe, SyscallError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { cgroupRoot, isRoot, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { Cgroup, type CgroupError, type CgroupLimits } from "../src/index.ts";

const mounted = needs("cgroup v2");
const own = needs("a cgroup in which this user can make groups");
const limited = needs("a cgroup with memory and pids in which this user can make groups");

let count = 0;
const newName = () => `nearfar-create-${process.pid}-${++count}`;

/** Finds a directory in which groups without limits can be made. */
const place = () => Cgroup.find({ controllers: [] });
/** Opens the root, in which an ordinary user may make nothing. */
const root = () => Cgroup.open(`${cgroupRoot}`);

mounted.test.each([
	["memory.x", "the kernel takes it (CG-14)"],
	["cgroup.x", "the kernel takes it (CG-14)"],
	["cpu.max", "it would hide a file"],
	["hugetlb.1", "the kernel takes it"],
	["a/b", "two components"],
	["a\nb", "a newline, which files of the kernel do not escape"],
	["a\0", "a NUL byte"],
	[".", "the directory itself"],
	["..", "the directory above"],
	["", "no name"],
])("a directory cannot be named %j: %s", async (name) => {
	await using group = root();
	expect(refusal(() => group.create(name)).code).toBe("ERR_INVALID_ARG_VALUE");
	expect((await reason(() => group.evacuate(name))) as Error).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
});

mounted.test.each<[limits: unknown, code: string]>([
	[{ memory: { max: 4095 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { max: "50M" } }, "ERR_INVALID_ARG_TYPE"],
	[{ memory: { max: "0x1000" } }, "ERR_INVALID_ARG_TYPE"],
	[{ memory: { max: 1e300 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { max: Number.NaN } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { max: 5000.5 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { high: 0 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { low: 1 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { min: "max" } }, "ERR_INVALID_ARG_TYPE"],
	[{ memory: { swapMax: -1 } }, "ERR_OUT_OF_RANGE"],
	[{ memory: { oomGroup: 1 } }, "ERR_INVALID_ARG_TYPE"],
	[{ memory: 4096 }, "ERR_INVALID_ARG_TYPE"],
	[{ memory: { most: 4096 } }, "ERR_INVALID_ARG_VALUE"],
	[{ pids: -1 }, "ERR_OUT_OF_RANGE"],
	[{ pids: 4_194_305 }, "ERR_OUT_OF_RANGE"],
	[{ pids: "10" }, "ERR_INVALID_ARG_TYPE"],
	[{ cpu: { max: 0.009 } }, "ERR_OUT_OF_RANGE"],
	[{ cpu: { max: Number.POSITIVE_INFINITY } }, "ERR_OUT_OF_RANGE"],
	[{ cpu: { weight: 0 } }, "ERR_OUT_OF_RANGE"],
	[{ cpu: { weight: 10_001 } }, "ERR_OUT_OF_RANGE"],
	[{ cpu: { weight: 5, idle: true } }, "ERR_INVALID_ARG_VALUE"],
	[{ cpuset: { cpus: "all" } }, "ERR_INVALID_ARG_VALUE"],
	[{ cpuset: { cpus: "0,\n1" } }, "ERR_INVALID_ARG_VALUE"],
	[{ cpuset: { mems: 0 } }, "ERR_INVALID_ARG_TYPE"],
	[{ io: {} }, "ERR_INVALID_ARG_VALUE"],
])("CG-15: limits %j reach no kernel: %s", async (limits, code) => {
	await using group = root();
	expect(refusal(() => group.create("nearfar-never", { limits: limits as CgroupLimits })).code).toBe(code);
	expect(await reason(() => group.set(limits as CgroupLimits))).toMatchObject({ code });
});

own.test("a directory is made and named, and ends with its object", async () => {
	await using parent = place();
	const name = newName();
	{
		await using group = parent.create(name);
		expect(group).toMatchObject({
			name,
			path: posix.join(parent.path, name),
			type: "domain",
			populated: false,
			frozen: false,
			removed: false,
		});
		expect(group.parent).toBe(parent);
		expect(group.pids).toEqual([]);
		expect(group.limits()).not.toHaveProperty("io");
		await using same = Cgroup.open(group.fd);
		expect([same.id, same.path, same.parent?.id]).toEqual([group.id, group.path, parent.id]);
		expect(`${same}`).toBe(`cgroup ${group.path}`);
	}
	expect(refusal(() => Cgroup.open(new Location(parent.fd, name))).code).toBe("ENOENT");
});

own.test("two Nodes with the same name: the second is refused, and the directory of the first stays", async () => {
	await using parent = place();
	await using first = parent.create(newName());
	expect(refusal(() => parent.create(first.name))).toMatchObject({
		code: "EEXIST",
		syscall: "mkdirat",
		path: first.path,
	});
	const limits = { memory: { max: 1 << 20 } };
	expect(refusal(() => parent.create(first.name, { limits })).code).toMatch(/^(EEXIST|ERR_NEARFAR_CGROUP)$/);
	expect(first.removed).toBe(false);
});

own.test(
	"a directory that somebody else removes is removed for every method, and stays so when another has its name",
	async () => {
		await using parent = place();
		await using group = parent.create(newName());
		rmdirSync(`${cgroupRoot}${group.path}`);
		const uses = [
			() => group.pids,
			() => group.populated && group.type,
			() => group.controllers,
			() => group.enabled,
			() => group.limits(),
			() => group.stat(),
			() => group.read("cgroup.events"),
			() => group.enable(["memory"]),
			() => group.create("below"),
			() => group.evacuate(),
			() => group.set({ pids: 1 }),
			() => group.write("cgroup.freeze", "1"),
			() => Task.clone({ cgroup: group }),
		];
		const all = async () => {
			expect(group.removed).toBe(true);
			for (const use of uses) expect(await reason(use), `${use}`).toMatchObject({ reason: "removed" });
		};
		await all();
		mkdirSync(`${cgroupRoot}${group.path}`);
		try {
			await all();
		} finally {
			rmdirSync(`${cgroupRoot}${group.path}`);
		}
	},
);

own.test("a threaded directory is seen as such, and no group is made in it", async () => {
	await using parent = place();
	await using domain = parent.create(newName());
	await using thread = domain.create("thread");
	await thread.write("cgroup.type", "threaded");
	expect([domain.type, thread.type]).toEqual(["domain threaded", "threaded"]);
	for (const group of [domain, thread]) {
		expect(refusal(() => group.create("below"))).toMatchObject({ reason: "occupied" });
		expect(await reason(() => group.evacuate())).toMatchObject({ reason: "occupied" });
	}
	expect(refusal(() => thread.pids).code).toBe("EOPNOTSUPP");
	expect(refusal(() => Cgroup.open(`${cgroupRoot}${domain.path}/below`)).code).toBe("ENOENT");
});

own.test("a full directory refuses another one", async () => {
	await using parent = place();
	await using group = parent.create(newName());
	await group.write("cgroup.max.descendants", "0");
	expect(refusal(() => group.create("below"))).toMatchObject({ code: "EAGAIN", syscall: "mkdirat" });
});

own.test("a mount, a link or a file of another name is not reached through a directory", async () => {
	await using parent = place();
	await using group = parent.create(newName());
	for (const file of ["..", "../cgroup.procs", "", ".", "a\0b"]) {
		expect(refusal(() => group.read(file)).code).toBe("ERR_INVALID_ARG_VALUE");
		expect(await reason(() => group.write(file, "1"))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	}
	expect(refusal(() => group.read("no.such")).code).toBe("ENOENT");
	expect(await reason(() => group.write("cgroup.max.depth", "deep"))).toMatchObject({
		code: "EINVAL",
		path: `${group.path}/cgroup.max.depth`,
	});
	expect(await reason(() => group.write("cgroup.max.depth", 1 as never))).toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
	});
});

own.test("every method runs near, whichever task is current, and a batch refuses them", async () => {
	await using parent = place();
	await using group = parent.create(newName());
	await using task = await Task.clone({ cgroup: group });
	expect(task.run(() => group.pids)).toEqual([task.pid]);
	await using here = Cgroup.current();
	await using same = task.run(() => Cgroup.current());
	expect(same.id).toBe(here.id);
	expect(await reason(() => task.batch(() => group.pids))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(await reason(() => task.batch(() => Cgroup.find()))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	for (const process of [task.process, task.pid]) {
		await using there = Cgroup.current(process);
		expect([there.path, there.id]).toEqual([group.path, group.id]);
	}
});

test("current is refused for what is no process, and open for what is no cgroup", async () => {
	expect(refusal(() => Cgroup.current(0)).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => Cgroup.current("self" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Cgroup.current(2 ** 22 + 1)).code).toBe("ESRCH");
	expect(refusal(() => Cgroup.open("/")) as CgroupError).toMatchObject({ reason: "not-cgroup2" });
	expect(refusal(() => Cgroup.open("/no/such/directory")).code).toBe("ENOENT");
	using file = openat2("/proc/self/status");
	expect(refusal(() => Cgroup.open(file)).code).toBe("ENOTDIR");
});

limited.test("the limits of a directory are what the kernel says", async () => {
	await using parent = Cgroup.find();
	const limits: CgroupLimits = { memory: { max: 64 << 20, oomGroup: true, low: 4096 }, pids: 20 };
	await using group = parent.create(newName(), { limits });
	expect(parent.enabled).toEqual(expect.arrayContaining(["memory", "pids"]));
	expect(group.limits()).toMatchObject({
		memory: { max: 64 << 20, high: "max", low: 4096, min: 0, oomGroup: true },
		pids: 20,
	});
	const { swapMax } = group.limits().memory ?? {};
	expect([0, undefined]).toContain(swapMax); // without swap there is no file
	await group.set({ memory: { max: "max" }, pids: "max" });
	expect(group.limits()).toMatchObject({ memory: { max: "max", oomGroup: true }, pids: "max" });
	const { memory, pids, cpu } = group.stat();
	expect(memory).toMatchObject({ current: expect.any(Number), events: { oomKill: 0 } });
	expect([pids?.current, pids?.max]).toEqual([0, 0]);
	expect(cpu.usage).toBeGreaterThanOrEqual(0);
});

limited.test("a limit that is refused half-way: the directory is removed, and the error names the file", async () => {
	await using parent = Cgroup.find({ controllers: ["memory", "cpuset"] });
	const name = newName();
	const limits = { memory: { max: 1 << 20 }, cpuset: { cpus: "4095" } };
	const error = refusal(() => parent.create(name, { limits }));
	expect(error).toBeInstanceOf(SyscallError);
	expect(error.path).toMatch(new RegExp(`${name}/cpuset.cpus$`));
	expect(refusal(() => Cgroup.open(new Location(parent.fd, name))).code).toBe("ENOENT");
});

limited.test("a limit that set refuses: those before it stay, and the error names the file", async () => {
	await using parent = Cgroup.find({ controllers: ["memory", "pids", "cpuset"] });
	await using group = parent.create(newName(), { limits: { pids: 5, cpuset: { cpus: "0" } } });
	const error = (await reason(() => group.set({ pids: 6, cpuset: { cpus: "4095" } }))) as NodeJS.ErrnoException;
	expect(error.path).toBe(`${group.path}/cpuset.cpus`);
	expect(group.limits()).toMatchObject({ pids: 6, cpuset: { cpus: "0" } });
	await group.set({ cpuset: { cpus: "" } });
	expect(group.limits().cpuset?.cpus).toBe("");
});

limited.test("a controller that is not enabled is named by set", async () => {
	await using parent = Cgroup.find();
	await using group = parent.create(newName(), { limits: { pids: 5 } });
	await using below = group.create("below");
	expect(below.limits()).toEqual({});
	expect(await reason(() => below.set({ pids: 3 }))).toMatchObject({ reason: "controller", missing: ["pids"] });
});

limited.test("a full group is EAGAIN at clone, and counts it", async () => {
	await using parent = Cgroup.find();
	await using group = parent.create(newName(), { limits: { pids: 0 } });
	expect(await reason(() => Task.clone({ cgroup: group }))).toMatchObject({ code: "EAGAIN" });
	expect(group.stat().pids).toMatchObject({ current: 0, max: 1 });
});

limited.test("the limits of the processors", async () => {
	await using parent = Cgroup.find({ controllers: ["cpu"] });
	await using group = parent.create(newName(), { limits: { cpu: { max: 0.015, weight: 50 } } });
	expect(group.limits().cpu).toMatchObject({ max: 0.015, weight: 50 });
	await group.set({ cpu: { idle: true } });
	expect(group.limits().cpu).toMatchObject({ max: 0.015, idle: true });
	expect(group.limits().cpu).not.toHaveProperty("weight");
	await group.set({ cpu: { idle: false, weight: 7, max: "max" } });
	expect(group.limits().cpu).toMatchObject({ max: "max", idle: false, weight: 7 });
	expect(group.stat().cpu).toMatchObject({ throttled: 0 });
});

limited.test("memory below what is used: the kernel has killed when set resolves", async () => {
	await using parent = Cgroup.find();
	await using group = parent.create(newName(), { limits: { memory: { max: 128 << 20 } } });
	const [read, write] = pipe();
	await using task = await Task.clone({ cgroup: group });
	const stdout = task.put(write);
	task.run(() => stdout.dupTo(1, { closeOnExec: false }));
	const script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo ready; while :; do sleep 1000; done";
	const child = task.exec("sh", ["sh", "-c", script]);
	write.close();
	expect(`${read.read(10)}`).toBe("ready\n");
	read.close();
	await group.set({ memory: { max: 4 << 20 } });
	expect(group.stat().memory?.events.oomKill).toBeGreaterThan(0);
	expect((await child.exited).signal).toBe("SIGKILL");
});

needs("a cgroup with memory and pids in which this user can make groups", "an ordinary user").test(
	"the files of the delegated directory itself are root's",
	async () => {
		await using parent = Cgroup.find();
		expect(await reason(() => parent.set({ pids: 100 }))).toMatchObject({
			code: "EACCES",
			path: `${parent.path}/pids.max`,
		});
		expect(isRoot).toBe(false);
	},
);
