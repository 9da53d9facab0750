import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { isAlive } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { chdir, openat2, pipe, SyscallError, Task } from "../../src/index.ts";
import { readAll } from "../output.ts";

test("a batch puts descriptors, changes what it likes and ends in a program", async () => {
	await using task = await Task.clone();
	const [read, write] = pipe();
	using _ = read;
	const child = await task.batch(() => {
		chdir("/usr");
		task.put(write, { number: 1, closeOnExec: false });
		return task.exec("/bin/sh", ["sh", "-c", "pwd; exit 3"], { env: {} });
	});
	write.close();
	expect([child === task.process, task.state]).toEqual([true, "exec"]);
	expect(child.command).toEqual({ path: "/bin/sh", argv: ["sh", "-c", "pwd; exit 3"] });
	expect(readAll(read)).toBe("/usr\n");
	expect(await child.exited).toMatchObject({ code: 3 });
	expect(() => task.run(() => {})).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_TASK_GONE" }));
});

test("descriptors made in the batch are kept by number, and all others are not there", async () => {
	await using task = await Task.clone();
	const [read, write] = pipe();
	using _ = read;
	const child = await task.batch(() => {
		const kept = task.put(write, { number: 7 });
		const out = task.put(write, { number: 1 });
		task.put(write);
		openat2("/dev/null");
		return task.exec("/bin/ls", ["ls", `${ownProc}/self/fd`], { fds: [kept, out] });
	});
	write.close();
	expect(readAll(read)).toBe("0\n1\n2\n3\n7\n"); // ls itself opens 3 for the folder
	await child.check();
});

test("a descriptor of the batch can be what is executed", async () => {
	await using task = await Task.clone();
	const child = await task.batch(() => task.exec(openat2("/bin/true"), ["true"], { env: {} }));
	expect(await child.exited).toMatchObject({ code: 0 });
});

test("a step that fails names itself; the task is as usable as before, and nothing that was made is left", async () => {
	await using task = await Task.clone();
	const [read, write] = pipe();
	using _read = read;
	using _write = write;
	const failed = await reason(() =>
		task.batch(() => {
			task.put(write, { number: 40 });
			chdir("/nope");
			task.exec("/bin/true");
		}),
	);
	expect(failed).toBeInstanceOf(SyscallError);
	expect(failed).toMatchObject({ code: "ENOENT", syscall: "chdir", path: "/nope", step: 1 });
	task.syscall(process.arch === "x64" ? 39 : 172); // getpid: the task closes what came with the batch before this call
	expect([task.state, readdirSync(`/proc/${task.pid}/fd`)]).toEqual(["live", ["0", "1", "2", `${task.channelFd}`]]);
	const child = await task.batch(() => task.exec("/bin/true"));
	await child.check();
});

test.each([
	["ENOENT", "/nope/program"],
	["EACCES", "/etc/passwd"],
	["EACCES", "/usr"],
])("a program that cannot begin is %s at its step, and the batch can be tried again", async (code, path) => {
	await using task = await Task.clone();
	const failed = await reason(() =>
		task.batch(() => {
			chdir("/");
			chdir("/usr");
			task.exec(path);
		}),
	);
	expect(failed).toMatchObject({ code, syscall: "execve", path, step: 2 });
	expect(task.state).toBe("live");
	expect(task.process.command).toBeUndefined();
	await (await task.batch(() => task.exec("/bin/true"))).check();
});

test("nothing can follow a program", async () => {
	await using task = await Task.clone();
	for (const more of [() => chdir("/"), () => task.exec("/bin/true"), () => openat2("/")]) {
		const batch = () => {
			task.exec("/bin/true");
			more();
		};
		expect(await reason(() => task.batch(batch))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		expect(task.state).toBe("live");
	}
});

test("a task that is gone before its batch cannot execute", async () => {
	const task = await Task.clone();
	task.process.kill("SIGKILL");
	expect(await reason(() => task.batch(() => task.exec("/bin/true")))).toMatchObject({
		code: "ERR_NEARFAR_TASK_GONE",
	});
	expect(await task.process.exited).toMatchObject({ signal: "SIGKILL" });
});

test("until it is known whether the program runs, others are told what the task executes", async () => {
	const task = await Task.clone();
	const executing = task.batch(() => task.exec("/bin/sleep", ["sleep", "1000"]));
	const gone = {
		code: "ERR_NEARFAR_TASK_GONE",
		message: `${task} executes /bin/sleep`,
		command: { path: "/bin/sleep" },
	};
	expect(await reason(() => task.run(() => openat2("/")))).toMatchObject(gone);
	const exits = task.exit(5);
	await using child = await executing;
	expect([await reason(() => exits), task.state]).toMatchObject([gone, "exec"]);
	expect(child.death).toBeUndefined();
});

test("an exit in between counts where the program cannot begin", async () => {
	const task = await Task.clone();
	const executing = reason(() => task.batch(() => task.exec("/nope")));
	expect(await task.exit(5)).toMatchObject({ code: 5 });
	expect(await executing).toMatchObject({ code: "ENOENT" });
});

test("an exit in between resolves with the end that the task has come to", async () => {
	const task = await Task.clone();
	// A task that is killed right before execve(2) counts as one that has executed, and this one is not to get that far.
	task.process.kill("SIGSTOP");
	const executing = reason(() => task.batch(() => task.exec("/nope")));
	const exits = task.exit(5);
	await task[Symbol.asyncDispose]();
	expect(await exits).toMatchObject({ signal: "SIGKILL" });
	await executing;
});

test("a batch that was never sent does not make the one under way forgotten", async () => {
	const task = await Task.clone();
	task.process.kill("SIGSTOP");
	const executing = task.batch(() => task.exec("/bin/sh", ["sh", "-c", "exit 9"]));
	const thrown = () => {
		task.exec("/bin/true");
		throw new RangeError("no");
	};
	expect(await reason(() => task.batch(thrown))).toBeInstanceOf(RangeError);
	const exits = reason(() => task.exit(3));
	task.process.kill("SIGCONT");
	expect(await exits).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", command: { path: "/bin/sh" } });
	expect(await (await executing).exited).toMatchObject({ code: 9 });
});

test("a task that is killed before it executes is not said to", async () => {
	const task = await Task.clone();
	task.process.kill("SIGSTOP");
	const executing = reason(() => task.batch(() => task.exec("/bin/true")));
	task.process.kill("SIGKILL");
	while (isAlive(task.pid)); // what is asked next comes before the event of the end
	const gone = { code: "ERR_NEARFAR_TASK_GONE", message: expect.stringContaining("was killed by SIGKILL") };
	expect([await reason(() => task.run(() => openat2("/"))), await executing]).toMatchObject([gone, gone]);
});

test("a task that is disposed of in between ends, whatever it executes by then", async () => {
	const task = await Task.clone();
	const executing = reason(() => task.batch(() => task.exec("/bin/sleep", ["sleep", "1000"])));
	await task[Symbol.asyncDispose]();
	expect(await task.process.exited).toMatchObject({ signal: "SIGKILL" });
	const outcome = await executing;
	if (outcome) expect(outcome).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
});

test("more descriptors than a message carries are refused, and fewer arrive", async () => {
	await using task = await Task.clone();
	using zero = openat2("/dev/zero");
	const put = (count: number) => task.batch(() => Array.from({ length: count }, () => task.put(zero)));
	expect(await reason(() => put(63))).toMatchObject({ code: "ETOOMANYREFS" });
	const made = await put(62);
	expect(new Set(made.map((fd) => fd.fd)).size).toBe(62);
	for (const fd of made) fd.close();
});

test("put to the number of the task's channel, and to one over the limit, is refused", async () => {
	await using task = await Task.clone();
	using zero = openat2("/dev/zero");
	expect(() => task.put(zero, { number: task.channelFd as number })).toThrow(RangeError);
	expect(() => task.put(zero, { number: 2 ** 30 })).toThrow(expect.objectContaining({ code: "EBADF" }));
	using there = task.put(zero, { number: 9 });
	expect(there.fd).toBe(9);
});

test("putting into another task from within a batch is not collected", async () => {
	await using task = await Task.clone();
	await using other = await Task.clone();
	using zero = openat2("/dev/zero");
	const made = await task.batch(() => other.put(zero));
	expect([made.table, made.fd >= 3]).toEqual([other.fdTable, true]);
	made.close();
});
