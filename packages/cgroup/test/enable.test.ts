import { readFileSync } from "node:fs";
import { type ChildProcess, Task } from "@nearfar/core";
import { expect } from "vitest";
import { cgroupRoot, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { Cgroup } from "../src/index.ts";

const own = needs("a cgroup in which this user can make groups");
const limited = needs("a cgroup with memory and pids in which this user can make groups");

let count = 0;
const newName = () => `nearfar-enable-${process.pid}-${++count}`;
const [rare = ""] =
	cgroupRoot === undefined ? [] : readFileSync(`${cgroupRoot}/cgroup.controllers`, "utf8").trim().split(" ");

/** Starts a shell in a group. Its script has to end with the group. */
async function shell(group: Cgroup, script: string): Promise<ChildProcess> {
	const task = await Task.clone({ cgroup: group });
	return task.exec("sh", ["sh", "-c", script]);
}

needs("a cgroup in which this user can make groups", "a controller in cgroup v2").test(
	"a controller is enabled once, and one that is not here is named with what to do",
	async () => {
		await using parent = Cgroup.find({ controllers: [] });
		parent.enable([rare]);
		parent.enable([rare, rare]);
		expect(parent.enabled).toContain(rare);
		await using group = parent.create(newName());
		expect(group.controllers).toContain(rare);
		expect(group.enabled).toEqual([]);
		const error = refusal(() => group.enable([rare, "nosuch"]));
		expect(error).toMatchObject({
			reason: "controller",
			missing: ["nosuch"],
			hint: expect.stringContaining("+nosuch"),
		});
		expect(group.enabled).toEqual([]);
		expect(refusal(() => group.enable("pids" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	},
);

own.test("CG-11: a directory with processes is refused before anything is written", async () => {
	await using parent = Cgroup.find({ controllers: [] });
	parent.enable([rare].filter(Boolean));
	await using group = parent.create(newName());
	await using task = await Task.clone({ cgroup: group });
	expect(refusal(() => group.enable(group.controllers))).toMatchObject(
		rare ? { reason: "occupied", pids: [task.pid], hint: expect.stringContaining("evacuate") } : {},
	);
	expect([group.enabled, group.type]).toEqual([[], "domain"]);
});

limited.test(
	"CG-11: cpu and pids too, which the kernel would take; create with limits does not make it threaded",
	async () => {
		await using parent = Cgroup.find({ controllers: ["cpu", "pids"] });
		await using group = parent.create(newName(), { limits: { pids: 10, cpu: { weight: 10 } } });
		await using task = await Task.clone({ cgroup: group });
		for (const controllers of [["cpu"], ["pids"], ["cpu", "pids"]]) {
			expect(refusal(() => group.enable(controllers))).toMatchObject({ reason: "occupied", pids: [task.pid] });
		}
		expect(refusal(() => group.create("below", { limits: { pids: 5 } }))).toMatchObject({ reason: "occupied" });
		expect([group.type, group.enabled]).toEqual(["domain", []]);
		expect(refusal(() => group.read("below/pids.max")).code).toBe("ERR_INVALID_ARG_VALUE");
		await group.evacuate();
		await using below = group.create("below", { limits: { pids: 5 } });
		expect([group.type, below.type, below.limits().pids]).toEqual(["domain", "domain", 5]);
	},
);

own.test("evacuate moves every process, also of a shell that forks meanwhile", async () => {
	await using parent = Cgroup.find({ controllers: [] });
	await using group = parent.create(newName());
	const child = await shell(group, "i=0; while [ $i -lt 300 ]; do (:) & i=$((i + 1)); done; wait; exec sleep 1000");
	await using idle = await Task.clone({ cgroup: group });
	expect(await group.evacuate("inner")).toBe(group);
	expect(group.pids).toEqual([]);
	await using inner = Cgroup.open(`${cgroupRoot}${group.path}/inner`);
	expect(inner.pids).toEqual(expect.arrayContaining([child.pid, idle.pid]));
	expect(await group.evacuate("inner")).toBe(group); // nothing to move: the directory of this name is no obstacle
	child.kill("SIGKILL");
	await child.exited;
});

own.test("evacuate is refused where a directory of the name is there, and moves nothing", async () => {
	await using parent = Cgroup.find({ controllers: [] });
	await using group = parent.create(newName());
	await using main = group.create("main");
	await using task = await Task.clone({ cgroup: group });
	expect(await reason(() => group.evacuate())).toMatchObject({ code: "EEXIST", path: main.path });
	expect([group.pids, main.pids]).toEqual([[task.pid], []]);
});

needs("cgroup v2 in which this user can make groups").test(
	"evacuate leaves the root of all cgroups alone",
	async () => {
		await using parent = Cgroup.open(`${cgroupRoot}`);
		expect(await reason(() => parent.evacuate(newName()))).toMatchObject({ reason: "busy" });
	},
);
