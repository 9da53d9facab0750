import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { childrenOf } from "../../../../test/children.mjs";
import { has, needs } from "../../../../test/needs.ts";
import { read, stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { native } from "../../src/addon/native.ts";
import { type CloneOptions, chdir, type FileDescriptor, openat2, pipe, Task } from "../../src/index.ts";
import { readAll } from "../output.ts";
import { makePlace } from "../place.ts";

const place = makePlace();

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const ranges = { uids: [{ inside: 0, outside: uid, count: 1 }], gids: [{ inside: 0, outside: gid, count: 1 }] };

/** Every way to make a task. Only the first one sends the first batch along with the clone. */
const ways: [string, CloneOptions, nested?: true][] = [
	["alone", {}],
	["in a user namespace", { namespaces: ["user", "pid"] }],
	["with ids mapped from outside", { namespaces: ["user"], idMap: has("root") ? ranges : "none" }],
	["from a task", {}, true],
	["with the descriptors of a task", { share: ["files", "vm"] }, true],
];

/** Counts the children of a process that wait in openat2(2). */
function opening(parent: number): number {
	return childrenOf(parent).filter((pid) => read(`/proc/${pid}/syscall`).startsWith("437 ")).length;
}

function clone(options: CloneOptions, nested?: true): Promise<Task> {
	return nested ? place.task.clone(options) : Task.clone(options);
}

describe.each(ways)("%s", (_, options, nested) => {
	test("its calls have run when clone resolves, and what they made is open", async () => {
		let made: FileDescriptor | undefined;
		const begin = () => {
			chdir("/usr");
			made = openat2("/dev/null");
		};
		await using task = await clone({ ...options, begin }, nested);
		expect(readlinkSync(`/proc/${task.pid}/cwd`)).toBe("/usr");
		expect(readlinkSync(`/proc/${task.pid}/fd/${made?.fd}`)).toBe("/dev/null");
		expect([made?.table === task.fdTable, task.state]).toEqual([true, "live"]);
		task.run(() => made?.close());
	});

	test("it can end in a program, of which clone tells", async () => {
		const [read, write] = pipe();
		using _ = read;
		let child: unknown;
		const begin = (task: Task) => {
			task.put(write, { number: 1, closeOnExec: false });
			child = task.exec("/bin/sh", ["sh", "-c", "echo here; exit 3"], { env: {} });
		};
		const task = await clone({ ...options, begin }, nested);
		write.close();
		expect([child === task.process, task.state, task.process.command?.path]).toEqual([true, "exec", "/bin/sh"]);
		expect(readAll(read)).toBe("here\n");
		expect(await task.process.exited).toMatchObject({ code: 3 });
	});

	test("a call that fails is named, and nothing is left", async () => {
		const begin = (task: Task) => {
			openat2("/dev/null");
			chdir("/nope");
			task.exec("/bin/true");
		};
		expect(await reason(() => clone({ ...options, begin }, nested))).toMatchObject({
			code: "ENOENT",
			syscall: "chdir",
			path: "/nope",
			step: 1,
			task: expect.stringMatching(/^task [1-9]\d*/),
		});
	});

	test.each(["throws", "returns a promise"])("a function that %s fails the clone, and nothing is left", async (how) => {
		const begin = () => {
			if (how === "throws") throw new RangeError("no");
			return Promise.reject(new Error("too late"));
		};
		expect(await reason(() => clone({ ...options, begin }, nested))).toBeInstanceOf(
			how === "throws" ? RangeError : TypeError,
		);
	});

	needs("the running system call in /proc").test(
		"an abort ends it in the middle of a call that never ends",
		async () => {
			const fifo = join(place.folder, `fifo-${ways.findIndex(([, other]) => other === options)}`);
			execFileSync("mkfifo", [fifo]);
			const abort = new AbortController();
			let begun: Task | undefined;
			const begin = (task: Task) => {
				begun = task;
				openat2(fifo); // no process ever writes
				task.exec("/bin/true");
			};
			const cloning = clone({ ...options, begin, signal: abort.signal }, nested);
			// A batch that was sent along has no result before it ends.
			await expect.poll(() => opening(process.pid) + opening(place.task.pid)).toBe(1);
			abort.abort(new Error("enough"));
			expect(await reason(() => cloning)).toMatchObject({ code: "ABORT_ERR" });
			expect(begun?.state).toBe("exited");
		},
	);

	test("an abort at any moment leaves nothing", async () => {
		for (let turns = 0; turns < 25; turns++) {
			const abort = new AbortController();
			const begin = (task: Task) => task.exec("/bin/sleep", ["sleep", "1000"]) && undefined;
			const cloning = clone({ ...options, begin, signal: abort.signal }, nested).then(
				(task) => task.process,
				(error) => error,
			);
			for (let turn = 0; turn < turns; turn++) await setImmediate();
			abort.abort();
			const outcome = await cloning;
			if (outcome instanceof Error) expect(outcome).toMatchObject({ name: "AbortError" });
			else await outcome[Symbol.asyncDispose]();
		}
	});
});

test("fifty at once, of which most wait for the zygote, each have their own", async () => {
	const programs = await Promise.all(
		Array.from({ length: 50 }, async (_, code) => {
			const begin = (task: Task) => void task.exec("/bin/sh", ["sh", "-c", `exit ${code}`]);
			const { process } = await Task.clone({ begin });
			return process.exited;
		}),
	);
	expect(programs.map(({ code }) => code)).toEqual(Array.from({ length: 50 }, (_, code) => code));
});

test("before it is cloned it has no pid, and nothing can be asked about its process", async () => {
	let seen: { pid: number; refused: Promise<unknown[]> } | undefined;
	await using task = await Task.clone({
		begin(task) {
			const { process } = task;
			const questions = [
				() => process.kill(),
				() => process.fd,
				() => process.poll(),
				() => process.wait(),
				() => process.getpgid(),
				() => process.setpgid(),
				() => place.task.supervise(process),
				() => task.exit(),
				() => task[Symbol.asyncDispose](),
				() => process[Symbol.asyncDispose](),
			];
			seen = { pid: task.pid, refused: Promise.all(questions.map((question) => reason(question))) };
		},
	});
	expect(seen?.pid).toBe(0);
	const refused = (await seen?.refused) ?? [];
	expect(refused).toHaveLength(10);
	for (const error of refused) {
		expect(error).toMatchObject({ name: "BatchError", message: expect.stringContaining("still being cloned") });
	}
	expect(task.pid).toBeGreaterThan(0);
	expect(task.fdTable.creatorPid).toBe(task.pid);
});

test("a clone that is refused says why, and whoever waits for the process hears that it is no more", async () => {
	let exited: Promise<unknown> | undefined;
	const refused = Task.clone({
		setTid: [1], // the pid is in use
		begin(task) {
			exited = task.process.exited;
			task.exec("/bin/true");
		},
	});
	expect(await reason(() => refused)).toMatchObject({
		code: expect.stringMatching(/^(EEXIST|EPERM)$/),
		syscall: "clone3",
	});
	expect(await exited).toEqual({ code: null, signal: null, dumped: false });
});

test("what is no function is refused", async () => {
	const begin = "exec" as unknown as () => void;
	expect(await reason(() => Task.clone({ begin }))).toMatchObject({ name: "TypeError" });
});

test("a task can clone another one before it is there itself", async () => {
	let second: Promise<Task> | undefined;
	await using first = await Task.clone({
		begin(task) {
			second = task.clone();
		},
	});
	await using child = await (second as Promise<Task>);
	expect(stat(child.pid)?.parent).toBe(first.pid);
});

test("when the zygote is killed meanwhile, a first batch runs once or not at all", async () => {
	let collected = 0;
	for (let round = 0; round < 40; round++) {
		const cloning = Task.clone({
			begin(task) {
				collected++;
				task.exec("/bin/sh", ["sh", "-c", "exit 4"]);
			},
		});
		await reason(() => process.kill(native().zygotePid(), "SIGKILL")); // perhaps the zygote of the last round, which is gone
		const outcome = await cloning.then(
			async (task) => (await task.process.exited).code,
			(error) => error.code,
		);
		expect([4, "ERR_NEARFAR_TASK_GONE"]).toContain(outcome);
	}
	expect(collected).toBe(40);
	await (await Task.clone()).exit();
});
