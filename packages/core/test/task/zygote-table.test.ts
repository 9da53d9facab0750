import { readdirSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { read, stat } from "../../../../test/processes.ts";
import { native } from "../../src/addon/native.ts";
import { type ChildProcess, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [PRCTL, PRLIMIT] = x64 ? [157, 302] : [167, 261];
const [SET_TIMERSLACK, RLIMIT_CORE] = [29, 4];

/** The timer slack belongs to a thread, and any thread may set its own. */
const setTimerSlack = (nanoseconds: number) => void Task.near.syscall(PRCTL, SET_TIMERSLACK, nanoseconds, 0, 0, 0);
afterAll(() => setTimerSlack(0)); // the default

/** Clones a task, and returns the pid of the zygote that has cloned it. */
async function cloner(): Promise<number> {
	await (await Task.clone()).exit();
	return native().zygotePid();
}

const spawnerThreads = () => {
	const threads = readdirSync("/proc/self/task");
	return threads.filter((thread) => read(`/proc/self/task/${thread}/comm`) === "nearfar-spawner\n").length;
};

/** Starts programs, each after a change of this thread, and returns how many spawner threads that has added. */
async function addedSpawners(count: number, change: (round: number) => void): Promise<number> {
	const before = spawnerThreads();
	const programs: ChildProcess[] = [];
	for (let round = 0; round < count; round++) {
		change(round);
		const task = await Task.clone();
		programs.push(task.exec("sleep", ["sleep", "1000"]));
	}
	const added = spawnerThreads() - before;
	for (const program of programs) await program[Symbol.asyncDispose]();
	return added;
}

test("two states that alternate have one zygote each", async () => {
	setTimerSlack(60_000);
	const first = await cloner();
	setTimerSlack(70_000);
	const second = await cloner();
	expect(second).not.toBe(first);
	for (let round = 0; round < 3; round++) {
		setTimerSlack(60_000);
		expect(await cloner()).toBe(first);
		setTimerSlack(70_000);
		expect(await cloner()).toBe(second);
	}
});

test("programs of two states that alternate share two spawner threads", async () => {
	expect(await addedSpawners(10, (round) => setTimerSlack(80_000 + (round % 2)))).toBeLessThanOrEqual(2);
});

test("with more states than there is room for, the zygote that was used least recently ends", async () => {
	const zygotes: number[] = [];
	for (let state = 0; state < 18; state++) {
		setTimerSlack(90_000 + state);
		zygotes.push(await cloner());
		setTimerSlack(90_000);
		expect(await cloner()).toBe(zygotes[0]);
	}
	await expect.poll(() => zygotes.slice(1, 3).map(stat)).toEqual([undefined, undefined]);
	expect(zygotes.slice(3).map(stat)).not.toContain(undefined);
});

test("programs of more states than there is room for have one spawner thread each", async () => {
	expect(await addedSpawners(54, (round) => setTimerSlack(100_000 + (round % 18)))).toBeLessThanOrEqual(18);
});

test("a change of a limit ends the zygotes with the former limit, and leaves one spawner thread for each", async () => {
	const limit = new BigUint64Array(2);
	const bytes = new Uint8Array(limit.buffer);
	Task.near.syscall(PRLIMIT, 0, RLIMIT_CORE, 0, bytes);
	const [soft = 0n, hard = 0n] = limit;
	const setLimit = (value: bigint) => {
		limit[0] = value;
		Task.near.syscall(PRLIMIT, 0, RLIMIT_CORE, bytes, 0);
	};
	const lower = soft === 0n ? hard : 0n;
	try {
		const zygote = await cloner();
		setLimit(lower);
		expect(await cloner()).not.toBe(zygote);
		await expect.poll(() => stat(zygote)).toBeUndefined();
		expect(await addedSpawners(10, (round) => setLimit(round % 2 === 0 ? soft : lower))).toBeLessThanOrEqual(2);
	} finally {
		setLimit(soft);
	}
});
