// The zygote, tasks and programs of a Node whose threads are changed.
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { hold } from "../../../../test/held.ts";
import { needs } from "../../../../test/needs.ts";
import { pids, read, stat } from "../../../../test/processes.ts";
import { status } from "../../../../test/status.ts";
import { NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import { expectEnd, expectEqualThreads } from "./snapshot.ts";

/** Returns the effective capabilities of each process below a Node that is no zombie, by its pid. */
function below({ pid }: NodeUnderTest): Record<number, bigint> {
	const found: Record<number, bigint> = {};
	for (const each of pids()) {
		if (!isBelow(each, pid)) continue;
		const set = /^CapEff:\t(\w+)$/m.exec(read(`/proc/${each}/status`))?.[1];
		if (set && stat(each)?.state !== "Z") found[Number(each)] = BigInt(`0x${set}`);
	}
	return found;
}

function isBelow(each: string | number, pid: number): boolean {
	const parent = stat(each)?.parent ?? 0;
	return parent === pid || (parent > 1 && isBelow(parent, pid));
}

needsPrivilege().test("the zygote ends first, and what runs already keeps its capabilities", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const [task, program, zygote] = await node.evaluate(async ({ core, native, programs }) => {
		const task = await core.Task.clone();
		const program = await programs.spawn("sleep", ["1000"], { stdio: "ignore" });
		Object.assign(globalThis, { task, program });
		return [task.pid, program.pid, native().zygotePid()];
	});
	const before = below(node);
	expect(Object.keys(before).map(Number)).toEqual(expect.arrayContaining([task, program, zygote]));
	await node.evaluate(({ caps }) => caps.dropCapabilities(["kill"], { process: true }));
	const after = below(node);
	expect(after).toEqual({ [task]: before[task], [program]: before[program] });
	// Tasks and programs from now on have what Node has.
	const [next, spawned] = await node.evaluate(async ({ core, programs }) => {
		const next = await core.Task.clone();
		const spawned = await programs.spawn("sleep", ["1000"], { stdio: "ignore" });
		Object.assign(globalThis, { next, spawned });
		return [next.pid, spawned.pid];
	});
	const { [task]: ofTask, [program]: ofProgram, [next]: _, [spawned]: __, ...others } = below(node);
	expect(BigInt(`0x${status(next, "CapEff")}`)).toBe(0x20n);
	// The zygote of these tasks has no more than Node.
	expect(Object.values(others).filter((set) => (set & ~0x20n) !== 0n)).toEqual([]);
	await node.evaluate(async () => {
		const { task, program, next, spawned } = globalThis as never as Record<string, Closable>;
		for (const each of [task, program, next, spawned]) await each?.[Symbol.asyncDispose]();
	});
	await expectEnd(node);
});

interface Closable {
	[Symbol.asyncDispose](): Promise<void>;
}

needs("root").test("a program that is spawned after the change belongs to the new user", async () => {
	await using node = await NodeUnderTest.start();
	const before = await node.evaluate(async ({ programs }) => (await programs.run("id", ["-u"])).stdout);
	const after = await node.evaluate(async ({ credentials, programs }) => {
		credentials.setgroups([1002], { process: true });
		credentials.setresgid(1001, 1001, 1001, { process: true });
		credentials.setresuid(1000, 1000, 1000, { process: true });
		const { stdout } = await programs.run("sh", ["-c", "id -u; id -g; id -G; grep CapEff /proc/self/status"]);
		return stdout;
	});
	expect([before, after]).toEqual(["0\n", "1000\n1001\n1001 1002\nCapEff:\t0000000000000000\n"]);
	await expectEnd(node);
});

needsPrivilege().test("clones that are under way during the change end, and none keeps a zygote alive", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const outcomes = await node.evaluate(async ({ caps, core }) => {
		const clones: Promise<string>[] = [];
		for (let bit = 0; bit < 30; bit++) {
			for (let i = 0; i < 3; i++) {
				const task = core.Task.clone();
				clones.push(
					task.then(
						(task) => task.exit().then(() => "ended"),
						(error) => `${error.code}`,
					),
				);
			}
			if (bit % 2) await Promise.race([clones.at(-1), new Promise((resolve) => setImmediate(resolve))]);
			caps.bounding.drop([bit], { process: true });
		}
		caps.dropCapabilities([], { process: true });
		return Promise.all(clones);
	});
	expect(outcomes.filter((each) => each !== "ended" && each !== "ERR_NEARFAR_TASK_GONE")).toEqual([]);
	await expect.poll(() => Object.values(below(node)).filter((set) => set !== 0n)).toEqual([]);
	expectEqualThreads(node);
	await node.evaluate(({ core }) => core.Task.clone().then((task) => task.exit().then(() => {})));
	await expectEnd(node);
});

test("tasks that a Worker clones meanwhile are not lost by changes", async () => {
	await using node = await NodeUnderTest.start({ limit: 60_000 });
	const outcomes = await node.evaluate(async ({ programs, sleep, startWorker, workers }) => {
		await Promise.all([startWorker(), startWorker()]);
		const cloning = workers.map((worker) =>
			worker.evaluate(async ({ core }) => {
				const outcomes: string[] = [];
				for (let i = 0; i < 100; i++) {
					const exit = core.Task.clone().then((task) => task.exit());
					outcomes.push(
						await exit.then(
							() => "ended",
							(error) => `${error.code}`,
						),
					);
				}
				return outcomes;
			}),
		);
		const state = { ended: false };
		const outcomes = Promise.all(cloning).finally(() => {
			state.ended = true;
		});
		while (!state.ended) {
			programs.setNoNewPrivs({ process: true });
			await sleep(2);
		}
		return (await outcomes).flat();
	});
	expect(new Set(outcomes)).toEqual(new Set(["ended"]));
	await expectEnd(node);
}, 70_000);

needs("a process that another one may trace").test(
	"a zygote that does not end keeps the change from being made",
	async () => {
		await using node = await NodeUnderTest.start();
		const zygote = await node.evaluate(async ({ core, native }) => {
			await (await core.Task.clone()).exit();
			return native().zygotePid();
		});
		await hold(zygote);
		try {
			const silent = { name: "ThreadsError", code: "ERR_NEARFAR_THREAD_SILENT" };
			for (let i = 0; i < 2; i++) {
				expect(await node.refusal(({ programs }) => programs.setNoNewPrivs({ process: true }))).toMatchObject(silent);
				expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t0");
			}
		} finally {
			// A dead process stays until its tracer has waited for it.
			const [wait4, WALL] = [process.arch === "arm64" ? 260 : 61, 0x40000000];
			Task.near.syscall(wait4, zygote, 0, WALL, 0);
		}
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		await expectEnd(node);
	},
);

needsPrivilege().test("tasks that the change finds go on, with a batch under way", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const pids = await node.evaluate(async ({ caps, core, credentials }) => {
		const task = await core.Task.clone();
		const [read, write] = core.pipe();
		const end = task.put(read);
		const waits = task.batch(() => end.read(1));
		caps.dropCapabilities(["kill"], { process: true });
		write.write("x");
		await waits.catch(() => {});
		const pids = [task.run(credentials.getpid), task.pid];
		await task.exit();
		read.close();
		write.close();
		return pids;
	});
	expect(pids[0]).toBe(pids[1]);
	await expectEnd(node);
});

test("in a task the option changes the task alone (unshare 34, northstar 401)", async () => {
	await using node = await NodeUnderTest.start();
	const before = expectEqualThreads(node);
	const [task, batched] = await node.evaluate(async ({ core, programs }) => {
		const [task, batched] = await Promise.all([core.Task.clone(), core.Task.clone()]);
		Object.assign(globalThis, { task, batched });
		task.run(() => programs.setNoNewPrivs({ process: true }));
		await batched.batch(() => programs.setNoNewPrivs({ process: true }));
		return [task.pid, batched.pid] as const;
	});
	expect(expectEqualThreads(node)).toBe(before);
	expect([status(task, "NoNewPrivs"), status(batched, "NoNewPrivs")]).toEqual(["1", "1"]);
});
