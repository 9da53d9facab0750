import { existsSync, fstatSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type FileDescriptor, openat2, Task } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { PidFd, type PidFdNamespaceKind } from "../src/index.ts";
import { stateOf } from "./children.ts";

const IOCTL = process.arch === "arm64" ? 29 : 16;
const ENOTTY = 25;
const all = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"];
const kinds = all.filter((kind) => existsSync(`/proc/self/ns/${kind}`));
const own = { namespaces: ["user", "mnt", "net", "uts", "ipc", "cgroup"] } as const;

needs("Linux 6.11").describe("with the ioctl", () => opensNamespaces(false));
needs("/proc").describe("through /proc, as before Linux 6.11", () => opensNamespaces(true));

function opensNamespaces(old: boolean): void {
	/** A task that opens namespaces. Its filter refuses the new calls, as an old kernel would. */
	async function opener(): Promise<Task> {
		const task = await Task.clone();
		if (old) forbid(task, IOCTL, ENOTTY);
		return task;
	}

	test("PFD-30 each kind is the one that /proc shows", async () => {
		await using task = await opener();
		await using child = await Task.clone(own);
		const pidfd = task.run(() => PidFd.open(child.process));
		for (const kind of kinds as PidFdNamespaceKind[]) {
			const far = task.run(() => pidfd.namespace(kind));
			expect(far.table).toBe(task.fdTable);
			using near = task.get(far);
			expect(near.closeOnExec).toBe(true);
			expect(name(kind, near)).toBe(readlinkSync(`/proc/${child.pid}/ns/${kind}`));
		}
		expect(readlinkSync(`/proc/${child.pid}/ns/uts`)).not.toBe(readlinkSync("/proc/self/ns/uts"));
	});

	test("of one that has ended, reaped or not: ESRCH", async () => {
		await using task = await opener();
		await using parent = await Task.clone();
		const zombie = await parent.clone();
		const [of, reaped] = [task.run(() => PidFd.open(zombie.pid)), await Task.clone()];
		const gone = task.run(() => PidFd.open(reaped.process));
		await reaped.exit();
		expect(() => task.run(() => gone.namespace("uts"))).toThrow(refused("ESRCH", "ioctl"));
		parent.process.kill("SIGSTOP"); // the parent would be asked to reap
		zombie.process.kill("SIGKILL");
		while (stateOf(zombie.pid) !== "Z") await setImmediate();
		expect(() => task.run(() => of.namespace("uts"))).toThrow(refused("ESRCH", "ioctl"));
		parent.process.kill("SIGCONT");
		await zombie.process.exited;
	});

	needs("another user as the owner of process 1").test("of another user's process: EACCES", async () => {
		await using task = await opener();
		becomeOrdinary(task);
		task.run(() => {
			using init = PidFd.open(1);
			const code = expect.objectContaining({ code: "EACCES" });
			expect(() => init.namespace("uts")).toThrow(code);
		});
	});

	test("what is no pidfd: ENOTTY", async () => {
		await using task = await opener();
		task.run(() => {
			using file = openat2("/dev/zero");
			const claimed = adoptDescriptor(file.fd, PidFd);
			expect(() => claimed.namespace("uts")).toThrow(refused("ENOTTY", "ioctl"));
			claimed.take();
		});
	});

	test("a pid that is somebody else's by now is not taken for the process", async () => {
		await using inside = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
		if (old) forbid(inside, IOCTL, ENOTTY);
		const first = await inside.clone({ setTid: [42] });
		const pidfd = inside.run(() => PidFd.open(42));
		await first.exit();
		await using second = await inside.clone({ setTid: [42] });
		expect(inside.run(() => PidFd.open(42)).fd).toBeGreaterThan(pidfd.fd);
		expect(() => inside.run(() => pidfd.namespace("uts"))).toThrow(refused("ESRCH", "ioctl"));
		expect(second.state).toBe("live");
	});
}

needs("Linux 6.11").test("in a batch it is opened and used", async () => {
	await using child = await Task.clone(own);
	await using task = await Task.clone();
	const uts = await task.batch(() => PidFd.open(child.process).namespace("uts"));
	using near = task.get(uts);
	expect(name("uts", near)).toBe(readlinkSync(`/proc/${child.pid}/ns/uts`));
});

needs("/proc").test("before Linux 6.11 a batch says that it cannot read /proc, and opens nothing", async () => {
	await using child = await Task.clone(own);
	await using task = await Task.clone();
	forbid(task, IOCTL, ENOTTY);
	const lowest = () => task.run(() => PidFd.self().take());
	const free = lowest();
	const batch = task.batch(() => PidFd.open(child.process).namespace("uts"));
	await expect(batch).rejects.toMatchObject({
		code: "ERR_NEARFAR_BATCH",
	});
	expect(lowest()).toBe(free + 1);
});

test("a kind that is none is refused before the kernel is asked", () => {
	using self = PidFd.self();
	for (const kind of ["mount", "toString", "", 1, undefined]) {
		const value = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
		expect(() => self.namespace(kind as "uts")).toThrow(value);
	}
});

/** Returns a namespace as the links in /proc name it. */
function name(kind: PidFdNamespaceKind, fd: FileDescriptor): string {
	return `${kind.replace("_for_children", "")}:[${fstatSync(fd.fd).ino}]`;
}
