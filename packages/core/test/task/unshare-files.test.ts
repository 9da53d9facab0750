import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeRange, openat2, Task } from "../../src/index.ts";

const LAST = 2 ** 32 - 1;
const getpid = process.arch === "x64" ? 39 : 172;
const mismatch = expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
const descriptors = (task: Task) => {
	task.syscall(getpid); // the task closes the descriptors of the previous message before this call
	return readdirSync(`/proc/${task.pid}/fd`).map(Number);
};

test("FDX-02 UNSHARE gives the task a table of its own, and the other keeps its descriptors", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	using file = creator.run(() => openat2("/dev/zero"));
	const { fdTable } = creator;
	task.run(() => closeRange(3, LAST, { unshare: true }));
	expect(creator.fdTable).toBe(fdTable);
	expect(task.fdTable).not.toBe(fdTable);
	expect(task.fdTable.creatorPid).toBe(task.pid);
	expect(file.closed).toBe(false);
	expect(creator.run(() => file.read(1)).length).toBe(1);
	expect(() => task.run(() => file.read(1))).toThrow(mismatch);
	expect(descriptors(task).filter((fd) => fd > 2)).toEqual([task.channelFd]);
	expect(descriptors(creator).filter((fd) => fd > 2)).toEqual([creator.channelFd ?? -1, file.fd].sort((a, b) => a - b));
	// Each task may use the same numbers as the other one now.
	using own = task.run(() => openat2("/dev/null"));
	expect(own.table).toBe(task.fdTable);
	creator.run(() => closeRange(own.fd, own.fd));
	expect(task.run(() => own.closeOnExec)).toBe(true);
});

test("FDX-02 UNSHARE of a creator: who was cloned has the table, and its handles, alone", async () => {
	await using creator = await Task.clone();
	const task = await creator.clone({ share: ["files"] });
	const file = creator.run(() => openat2("/dev/zero"));
	const second = creator.run(() => openat2("/dev/zero"));
	creator.run(() => closeRange(100, LAST, { unshare: true }));
	expect(() => creator.run(() => file.read(1))).toThrow(mismatch);
	expect(task.run(() => file.read(1)).length).toBe(1);
	const { fd } = file;
	creator.run(() => file.close());
	expect(descriptors(task)).not.toContain(fd);
	expect(descriptors(creator)).toContain(fd); // the copy
	await task.exit();
	const copy = second.fd;
	second.close(); // no task uses the shared table any more; the creator has a copy of its own
	expect(descriptors(creator)).toContain(copy);
});

test("after UNSHARE each can execute, and the end of the other's channel is its own", async () => {
	await using creator = await Task.clone();
	const task = await creator.clone({ share: ["files"] });
	const third = await creator.clone({ share: ["files"] });
	task.run(() => closeRange(2 ** 31, LAST, { unshare: true }));
	expect(await third.exec("/bin/sh", ["sh", "-c", "exit 3"]).exited).toMatchObject({ code: 3 });
	expect(await creator.exec("/bin/sh", ["sh", "-c", "exit 4"]).exited).toMatchObject({ code: 4 });
	expect(await task.exec("/bin/sh", ["sh", "-c", "exit 5"]).exited).toMatchObject({ code: 5 });
});

test("a program that cannot begin leaves nobody else's channel in the table it was to have", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	expect(() => task.exec("/nope")).toThrow(expect.objectContaining({ code: "ENOENT" }));
	expect(descriptors(task).filter((fd) => fd > 2)).toEqual([task.channelFd]);
	expect(await creator.exec("/bin/sh", ["sh", "-c", "exit 4"]).exited).toMatchObject({ code: 4 });
});

test("nor what came with the message that cloned it, however slow the creator is to close that", async () => {
	await using creator = await Task.clone();
	creator.process.setpriority(19);
	const spinning = ["sh", "-c", "while :; do :; done"];
	await using first = (await Task.clone()).exec("/bin/sh", spinning);
	await using second = (await Task.clone()).exec("/bin/sh", spinning);
	for (let count = 0; count < 40; count++) {
		await using task = await creator.clone({ share: ["files"] });
		expect(() => task.exec("/nope")).toThrow(expect.objectContaining({ code: "ENOENT" }));
		expect(descriptors(task).filter((fd) => fd > 2)).toEqual([task.channelFd]);
	}
	expect([first.death, second.death]).toEqual([undefined, undefined]);
});

test("nobody else has the table: it stays what it is", async () => {
	await using task = await Task.clone();
	const { fdTable } = task;
	const file = task.run(() => openat2("/dev/null"));
	task.run(() => closeRange(3, LAST, { unshare: true, closeOnExec: true }));
	expect([task.fdTable === fdTable, file.closed]).toEqual([true, false]);
	task.run(() => closeRange(3, LAST, { unshare: true }));
	expect([task.fdTable === fdTable, file.closed]).toEqual([true, true]);
});

test("closing a shared table spares every channel in it", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	const channels = [creator.channelFd ?? -1, task.channelFd ?? -1];
	task.run(() => closeRange(3, LAST));
	expect(descriptors(task).filter((fd) => fd > 2)).toEqual(channels.sort((a, b) => a - b));
	task.run(() => {
		using zero = openat2("/dev/zero");
		for (const channel of channels) {
			expect(() => zero.dupTo(channel)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
		}
	});
});

test("a busy task with the same table is not waited for", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-unshare-"));
	const fifo = join(folder, "fifo");
	execFileSync("mkfifo", [fifo]);
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	const waits = creator.batch(() => openat2(fifo)); // until the test writes
	task.run(() => {
		using zero = openat2("/dev/zero");
		zero.dupTo(150).close();
		closeRange(100, LAST);
	});
	closeSync(openSync(fifo, "w"));
	(await waits).close();
	rmSync(folder, { recursive: true });
});

test.each([
	["UNSHARE", (task: Task) => task.run(() => closeRange(3, LAST, { unshare: true }))],
	["exec", (task: Task) => task.exec("/bin/true")],
])("%s, when one of the others has died and nobody has heard of it yet", async (_, leave) => {
	await using creator = await Task.clone();
	const first = await creator.clone({ share: ["files"] });
	await using task = await creator.clone({ share: ["files"] });
	await using third = await creator.clone({ share: ["files"] });
	for (const one of [creator, first]) {
		one.process.kill("SIGKILL");
		while (isAlive(one.pid)); // no turn of the event loop
	}
	const channel = task.channelFd ?? -1;
	expect([creator.state, first.state]).toEqual(["live", "live"]);
	leave(task);
	expect(task.fdTable).not.toBe(third.fdTable);
	expect(descriptors(third)).not.toContain(channel);
	if (task.state === "exec") await task.process.exited;
	else expect(Number(task.syscall(getpid))).toBe(task.pid);
	await Promise.all([creator.process.exited, first.process.exited]);
});

test("what UNSHARE refuses changes nothing", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	expect(() => closeRange(3, LAST, { unshare: true })).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_NEAR" }));
	const batch = task.batch(() => closeRange(3, LAST, { unshare: true }));
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	const refused = expect.objectContaining({ code: "EINVAL", syscall: "close_range" });
	expect(() => task.run(() => closeRange(5, 4, { unshare: true }))).toThrow(refused);
	const wrong = expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" });
	expect(() => task.run(() => closeRange(3, LAST, { unshare: 1 as never }))).toThrow(wrong);
	expect(task.fdTable).toBe(creator.fdTable);
});

function isAlive(pid: number): boolean {
	try {
		return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
	} catch {
		return false;
	}
}
