import { type ChildProcess, type FileDescriptor, Process, type ProcessLike, Task } from "@nearfar/core";
import { adoptDescriptor, native, pidOfPidfd, withPidfd } from "@nearfar/core/internal";
import { expect, test } from "vitest";
import { descriptorsOf } from "../../../../test/descriptors.mjs";
import { refusal } from "../../../../test/refusal.ts";

const pidOf = (process: ProcessLike) => withPidfd(process, (pidfd) => pidOfPidfd(pidfd));
const openSelf = (): FileDescriptor => adoptDescriptor(native().pidfdOpen(native().getpid(), 0));

test("each way to name a process reaches that process, near and in a task", async () => {
	await using child = await Task.clone();
	await using other = await Task.clone();
	for (const task of [Task.near, other]) {
		using pidfd = task.run(openSelf);
		const own = task === Task.near ? process.pid : other.pid;
		expect(task.run(() => pidOf(pidfd))).toBe(own);
		expect(task.run(() => pidOf(child))).toBe(child.pid);
		expect(task.run(() => pidOf(child.process))).toBe(child.pid);
		expect(task.run(() => pidOf(new Process(process.ppid)))).toBe(process.ppid);
		expect(task.run(() => pidOf(process.ppid))).toBe(process.ppid);
		expect(task.run(() => pidOf(Task.near))).toBe(process.pid);
	}
});

test("a task in another pid namespace reaches the task that is meant, not the process with its number", async () => {
	await using child = await Task.clone();
	await using inside = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	expect(inside.run(() => pidOf(inside))).toBe(1);
	inside.run(() => expect(pidOf(child)).toBeUndefined()); // it is outside
	expect(refusal(() => inside.run(() => pidOf(new Process(1, Task.near.pidNamespace)))).code).toBe(
		"ERR_NEARFAR_NAMESPACE_MISMATCH",
	);
});

test("a process that was reaped is ESRCH in each way", async () => {
	const task = await Task.clone();
	const { process: child, pid } = task;
	await task.exit();
	for (const gone of [task, child, pid] satisfies ProcessLike[]) {
		expect(refusal(() => pidOf(gone))).toMatchObject({ code: "ESRCH", syscall: "pidfd_open" });
	}
});

test("a batch has the pidfd until its last call, and closes the pidfd then", async () => {
	await using child = await Task.clone();
	await using other = await Task.clone();
	for (const task of [Task.near, other]) {
		const before = descriptorsOf(/./);
		await task.batch(() => {
			for (const each of [child, child.process, child.pid]) {
				withPidfd(each, (pidfd) => native().pidfdSendSignal(pidfd, 0, 0));
			}
		});
		await task.batch(() => withPidfd(child, (pidfd) => native().pidfdSendSignal(pidfd, 99, 0))).catch(() => {});
		if (task === Task.near) expect(descriptorsOf(/./).filter((fd) => !before.includes(fd))).toEqual([]);
		// The task has its channel and the descriptors that it had from the start: a new one gets the same number each time.
		const number = () => task.run(() => withPidfd(child, (pidfd) => pidfd));
		expect(number()).toBe(number());
	}
});

test("a value of another kind, and a number that is no pid, are refused before any call", () => {
	for (const value of [undefined, null, "1", {}, 1n]) {
		expect(refusal(() => pidOf(value as unknown as ChildProcess)).code).toBe("ERR_INVALID_ARG_TYPE");
	}
	expect(refusal(() => pidOf(0)).code).toBe("ERR_OUT_OF_RANGE");
});
