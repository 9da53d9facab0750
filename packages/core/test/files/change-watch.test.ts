import { mkdirSync, rmdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ChangeWatch } from "@nearfar/core/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cgroupRoot, needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { EventFd, type FileDescriptor, openat2, pipe, Task } from "../../src/index.ts";

const mount = process.arch === "x64" ? 165 : 40;

/** Returns what a promise resolves with after a few turns of the event loop. */
async function soFar<T>(promise: Promise<T>): Promise<T | undefined> {
	let value: T | undefined;
	promise.then((found) => (value = found)).catch(() => {});
	for (let turn = 0; turn < 20; turn++) await setImmediate();
	return value;
}

/** Makes a mount in a mount namespace of the task's own. */
function makeMount(task: Task): void {
	const [type, target] = ["tmpfs", "/proc"].map((text) => Buffer.from(`${text}\0`));
	task.syscall(mount, type as Buffer, target as Buffer, type as Buffer, 0, 0);
}

needs("/proc").describe("a file that can always be read", () => {
	let task: Task;
	let mounts: FileDescriptor;
	beforeAll(async () => {
		task = await Task.clone({ namespaces: ["user", "mnt"] });
		mounts = openat2(`${ownProc}/${task.pid}/mounts`);
	});
	afterAll(() => {
		mounts.close();
		return task[Symbol.asyncDispose]();
	});

	test("has changed once it has, and once for each time it is asked", async () => {
		using watch = new ChangeWatch(mounts);
		for (let time = 0; time < 3; time++) {
			const changed = watch.changed();
			expect(await soFar(changed)).toBeUndefined();
			makeMount(task);
			expect(await changed).toBe(true);
		}
	});

	test("several waits end with one change, and a change that nobody waits for is not lost", async () => {
		using watch = new ChangeWatch(mounts);
		const waits = [watch.changed(), watch.changed()];
		makeMount(task);
		expect(await Promise.all(waits)).toEqual([true, true]);
		const aborted = watch.changed(AbortSignal.abort());
		await expect(aborted).rejects.toMatchObject({ code: "ABORT_ERR" });
		const control = new AbortController();
		const given = watch.changed(control.signal);
		control.abort("why");
		await expect(given).rejects.toMatchObject({ code: "ABORT_ERR", cause: "why" });
		makeMount(task);
		await soFar(Promise.resolve());
		expect(await watch.changed()).toBe(true);
	});

	test("ends when it is told, and when its descriptor is closed", async () => {
		const told = new ChangeWatch(mounts);
		const changed = told.changed();
		told[Symbol.dispose]();
		told[Symbol.dispose]();
		expect(await changed).toBe(false);
		expect(await told.changed()).toBe(false);
		const fd = mounts.dup();
		using watch = new ChangeWatch(fd);
		using other = new ChangeWatch(fd);
		const waits = [watch.changed(), other.changed()];
		fd.close();
		const closed = { code: "ERR_NEARFAR_CLOSED" };
		for (const wait of waits) await expect(wait).rejects.toMatchObject(closed);
		await expect(watch.changed()).rejects.toMatchObject(closed);
	});

	test("1000 watches see one change each", async () => {
		const files = Array.from({ length: 1000 }, () => openat2(`${ownProc}/${task.pid}/mounts`));
		const watches = files.map((file) => new ChangeWatch(file));
		const changed = watches.map((watch) => watch.changed());
		makeMount(task);
		expect((await Promise.all(changed)).every(Boolean)).toBe(true);
		for (const watch of watches) watch[Symbol.dispose]();
		for (const file of files) file.close();
	});
});

test("what can be read has not changed", async () => {
	using counter = EventFd.create({ initial: 1 });
	using watch = new ChangeWatch(counter);
	const changed = watch.changed();
	expect(await soFar(changed)).toBeUndefined();
	expect(await counter.readAsync()).toBe(1n); // the end of its own watch leaves this one
	expect(await soFar(changed)).toBeUndefined();
});

test("refusals", async () => {
	using folder = openat2("/", { flags: ["directory"] });
	expect(() => new ChangeWatch(folder)).toThrow(expect.objectContaining({ code: "EPERM", syscall: "epoll_ctl" }));
	const [read, write] = pipe();
	read.close();
	write.close();
	expect(() => new ChangeWatch(read)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" }));
	await using task = await Task.clone();
	using far = task.run(() => openat2("/"));
	expect(() => new ChangeWatch(far)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" }));
});

// CG-12
needs("cgroup v2 in which this user can make groups").test(
	"a file of cgroup v2 stays changed until it is read",
	async () => {
		const path = `${cgroupRoot}/nearfar-watch-${process.pid}`;
		mkdirSync(path);
		try {
			using folder = openat2(path, { flags: ["path", "directory"] });
			using events = openat2(`${path}/cgroup.events`);
			const read = () => `${events.read(4096, { position: 0 })}`;
			expect(read()).toContain("populated 0");
			using watch = new ChangeWatch(events);
			expect(await soFar(watch.changed())).toBeUndefined();
			const task = await Task.clone({ cgroup: folder });
			expect(await watch.changed()).toBe(true);
			expect(await watch.changed()).toBe(true);
			expect(read()).toContain("populated 1");
			const ended = watch.changed();
			expect(await soFar(ended)).toBeUndefined();
			await task[Symbol.asyncDispose]();
			expect(await ended).toBe(true);
			expect(read()).toContain("populated 0");
		} finally {
			rmdirSync(path);
		}
	},
);
