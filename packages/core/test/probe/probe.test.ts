import { readdirSync } from "node:fs";
import { type Feature, probe, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { childrenOf } from "../../../../test/children.mjs";
import { whileUninspected } from "../../../../test/inspectable.ts";
import { cgroupRoot, has, needs } from "../../../../test/needs.ts";
import { children } from "../../../../test/processes.ts";

const features: Feature[] = [
	...(["task", "userCapabilities", "mount", "proc", "sysfs", "overlay", "loopback", "idMapRanges"] as const),
	...(["newuidmap", "newgidmap", "subordinateIds", "thread", "memfdExec", "clone3", "openat2"] as const),
	...(["closeRange", "pidfdOpen", "pidfdGetFd", "statmount", "listmount", "listns", "openTreeAttr"] as const),
	...(["mountSetattr", "pidfdThread", "pidfdInfo", "pidfdNamespaces", "pidfdSelf", "mountApi"] as const),
	...(["namespaceId", "namespaceHandle", "cgroup", "landlock", "seccomp", "pidfdExit"] as const),
];

test("the report has a line for each answer, then each obstacle with its fix", async () => {
	const found = await probe();
	const lines = `${found}`.split("\n");
	expect(Object.keys(found.features).sort()).toEqual([...features].sort());
	for (const feature of features) expect(lines.filter((line) => line.startsWith(`${feature} `))).toHaveLength(1);
	for (const kind of Object.keys(found.namespaces)) {
		expect(lines.filter((line) => line.startsWith(`namespace ${kind} `))).toHaveLength(1);
	}
	for (const { name, fix, sentence } of found.obstacles) {
		expect(lines.some((line) => line.includes(name) && line.includes(sentence))).toBe(true);
		expect(lines.some((line) => line.includes(fix[0] ?? "?"))).toBe(true);
	}
});

test("everything that does not work has a reason, and every reason is an obstacle", async () => {
	const { features, namespaces, obstacles } = await probe();
	const answers = [
		...Object.values(features),
		...Object.values(namespaces).flatMap(({ direct, withUser }) => [direct, withUser]),
	];
	const names = new Set(obstacles.map(({ name }) => name));
	for (const answer of answers.filter(({ works }) => !works)) {
		expect(answer.because, JSON.stringify(answer)).not.toBe(undefined);
		for (const name of answer.because ?? []) expect(names).toContain(name);
	}
	for (const answer of answers.filter(({ works }) => works)) expect(answer.because).toBe(undefined);
	for (const { sentence, fix } of obstacles) {
		expect(sentence).toMatch(/^\S.*\.$/s);
		expect(fix.length).toBeGreaterThan(0);
	}
});

test("the answers agree with calls that are made outside of the probe", async () => {
	const { features, namespaces, kernel, uid, capabilities } = await probe();
	expect(kernel).toBe(process.getBuiltinModule("node:os").release());
	expect(uid).toBe(process.geteuid?.());
	expect(features.task.works).toBe(true);
	expect(namespaces.net.direct.works === true).toBe((capabilities >> 21n) % 2n === 1n);
	const inside = await Task.clone({ namespaces: ["user"] }).catch(() => undefined);
	expect(namespaces.user.direct.works).toBe(inside !== undefined);
	await inside?.[Symbol.asyncDispose]();
});

const { test: withProc } = needs("a /proc of this pid namespace");

/** Returns the children of this process but the zygotes, one of which may replace another that the kernel holds. */
const others = () => children(process.pid).filter((name) => name !== "zygote");

withProc("no task and no cgroup is left, also when the promise rejects", async () => {
	await (await Task.clone()).exit(); // a zygote is there
	const before = others();
	await probe();
	expect(others()).toEqual(before);
	expect(groups()).toEqual([]);
	for (const delay of [0, 1, 5, 20]) {
		const controller = new AbortController();
		const probing = probe({ signal: controller.signal });
		if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
		controller.abort("enough");
		const outcome = await probing.catch((error) => error);
		if (outcome instanceof Error)
			expect(outcome).toMatchObject({ name: "AbortError", code: "ABORT_ERR", cause: "enough" });
		expect(others()).toEqual(before);
		expect(groups()).toEqual([]);
	}
});

withProc("tasks that are stopped while they are probed with end when the signal is aborted", async () => {
	await (await Task.clone()).exit();
	const before = childrenOf();
	const controller = new AbortController();
	// A call into a stopped task blocks the thread, and an inspected task gets such a call after its clone.
	const probing = whileUninspected(() => probe({ signal: controller.signal }).catch((error) => error));
	for (let rounds = 0; rounds < 200; rounds++) {
		for (const pid of childrenOf().filter((pid) => !before.includes(pid))) {
			try {
				process.kill(pid, "SIGSTOP");
			} catch {
				// the task has ended meanwhile
			}
		}
		await new Promise((resolve) => setImmediate(resolve));
	}
	controller.abort();
	const outcome = await probing;
	if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "ABORT_ERR" });
	// Another zygote may have taken the place of the first.
	await expect.poll(() => new Set(children(process.pid))).toEqual(new Set(["zygote"]));
});

withProc("tasks that are killed while they are probed with are replaced, or the answer says which signal", async () => {
	await (await Task.clone()).exit();
	const before = childrenOf();
	let probing = true;
	const probed = probe().finally(() => {
		probing = false;
	});
	for (let kills = 0; probing; ) {
		for (const pid of childrenOf().filter((pid) => !before.includes(pid))) {
			if (kills++ >= 3) break;
			try {
				process.kill(pid, "SIGKILL");
			} catch {
				// the task has ended meanwhile
			}
		}
		await new Promise((resolve) => setImmediate(resolve));
	}
	const { features } = await probed;
	expect(Object.keys(features)).toHaveLength(34);
	// Another zygote may have taken the place of the first, and one that was killed ends a moment later.
	await expect.poll(() => new Set(children(process.pid))).toEqual(new Set(["zygote"]));
});

test("a probe that is begun in a task is about this process", async () => {
	await using task = await Task.clone();
	let probing: ReturnType<typeof probe> | undefined;
	task.run(() => {
		probing = probe();
	});
	const [here, there] = [await probe(), await probing];
	expect(there?.features).toEqual(here.features);
});

test("a signal that is aborted already, and options that are wrong, are refused", async () => {
	await expect(probe({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORT_ERR" });
	// @ts-expect-error no signal
	await expect(probe({ signal: 1 })).rejects.toThrow(TypeError);
	// @ts-expect-error no such option
	await expect(probe({ timeout: 1 })).rejects.toThrow(TypeError);
});

/** Returns the cgroups that a probe of this process has left. */
function groups(): string[] {
	if (cgroupRoot === undefined || !has("/proc")) return [];
	const own = /^0::(.*)$/m.exec(process.getBuiltinModule("node:fs").readFileSync("/proc/self/cgroup", "utf8"))?.[1];
	return readdirSync(`${cgroupRoot}${own ?? ""}`).filter((name) => name.startsWith(`nearfar-probe-${process.pid}-`));
}
