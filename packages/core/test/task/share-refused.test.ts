import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { closeRange, mkdir, openat2, type SharedPart, statx, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [getpid, mount, setrlimit] = x64 ? [39, 165, 160] : [172, 40, 164];
const RLIMIT_NOFILE = 7;

const shares: [string, SharedPart[]][] = [
	["vm", ["vm"]],
	["files", ["files"]],
	["vm and files", ["vm", "files"]],
];

const traces = (task: Task) => {
	task.syscall(getpid); // the task closes the descriptors of the previous message before this call
	const size = /VmSize:\s+(\d+)/.exec(readFileSync(`/proc/${task.pid}/status`, "utf8"))?.[1];
	return [size, readdirSync(`/proc/${task.pid}/fd`).length];
};

test.each(shares)("a task that shares %s and does not get ready leaves nothing in its creator", async (_, share) => {
	await using creator = await Task.clone({ namespaces: ["user", "mnt"] });
	const text = (value: string) => Buffer.from(`${value}\0`);
	creator.syscall(mount, text("none"), text("/proc"), text("tmpfs"), 0, 0); // no file for its map
	const before = traces(creator);
	for (let round = 0; round < 20; round++) {
		const refused = await reason(() => creator.clone({ share, namespaces: ["user"] }));
		expect(refused).toMatchObject({ code: "ENOENT", syscall: "openat" });
	}
	await expect.poll(() => traces(creator)).toEqual(before);
});

test.each(shares)("a task that shares %s writes its ids into no file outside of a procfs", async (_, share) => {
	await using creator = await Task.clone({ namespaces: ["user", "mnt"] });
	const text = (value: string) => Buffer.from(`${value}\0`);
	creator.syscall(mount, text("none"), text("/proc"), text("tmpfs"), 0, 0);
	creator.run(() => {
		mkdir("/proc/self");
		for (const name of ["setgroups", "gid_map", "uid_map"]) {
			openat2(`/proc/self/${name}`, { flags: ["wronly", "creat"], mode: 0o666 }).close();
		}
	});
	const before = traces(creator);
	const refused = await reason(() => creator.clone({ share, namespaces: ["user"] }));
	expect(refused).toMatchObject({ code: "ENOENT", syscall: "openat", path: "/proc" });
	await expect.poll(() => traces(creator)).toEqual(before);
	// The root of a container could have the task write the ids into any file.
	const written = creator.run(() => statx("/proc/self/uid_map").size);
	expect(written).toBe(0n);
});

test.each(shares)("a table too full for a task that shares %s is EMFILE, and nothing is left", async (_, share) => {
	await using creator = await Task.clone();
	const limit = Buffer.alloc(16);
	limit.writeBigUInt64LE(80n);
	limit.writeBigUInt64LE(80n, 8);
	creator.syscall(setrlimit, RLIMIT_NOFILE, limit);
	const files = creator.run(() => Array.from({ length: 76 }, () => openat2("/dev/null")));
	while (files.length > 68) {
		const before = traces(creator);
		const refused = await reason(async () => (await creator.clone({ share })).exit());
		if (refused !== undefined) expect(refused).toMatchObject({ code: "EMFILE" });
		await expect.poll(() => traces(creator)).toEqual(before);
		files.pop()?.close();
	}
	for (const file of files) file.close();
});

test("a low limit of descriptors is no reason to refuse", async () => {
	await using creator = await Task.clone();
	const limit = Buffer.alloc(16);
	limit.writeBigUInt64LE(32n);
	limit.writeBigUInt64LE(32n, 8);
	creator.syscall(setrlimit, RLIMIT_NOFILE, limit);
	for (const [, share] of shares) {
		const before = traces(creator);
		await using task = await creator.clone({ share });
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(await task.exec("/bin/true").exited).toMatchObject({ code: 0 });
		await expect.poll(() => traces(creator)).toEqual(before);
	}
});

test.each([[[]], [["vm"]], [["files"]]] as [SharedPart[]][])(
	"a batch queued behind a clone that shares %j hangs nobody",
	async (share) => {
		await using creator = await Task.clone();
		for (let round = 0; round < 10; round++) {
			const cloning = creator.clone({ share, namespaces: ["user"] });
			const batch = creator.batch(() => openat2("/dev/null"));
			(await batch).close();
			await (await cloning).exit();
		}
	},
);

test("nobody closes or replaces the channel of another with the same table", async () => {
	await using creator = await Task.clone();
	await using first = await creator.clone({ share: ["files"] });
	await using second = await first.clone({ share: ["files", "vm"] });
	const tasks = [creator, first, second];
	const serve = () => tasks.map((task) => Number(task.syscall(getpid)) === task.pid);
	using file = openat2("/dev/null");
	using far = first.run(() => openat2("/dev/null"));
	for (const task of tasks) {
		for (const { channelFd: number = -1 } of tasks) {
			const out = { code: "ERR_OUT_OF_RANGE" };
			expect(await reason(() => task.put(file, { number }))).toMatchObject(out);
			expect(await reason(() => task.run(() => far.dupTo(number)))).toMatchObject(out);
		}
	}
	for (const task of tasks) {
		task.run(() => closeRange(3, 2 ** 32 - 1));
		expect(serve()).toEqual([true, true, true]);
	}
});

test("a creator that has just died takes no part in an exec of another with the same table", async () => {
	const creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	await using other = await creator.clone({ share: ["files"] });
	creator.process.kill("SIGKILL"); // no event about this death has arrived yet
	const program = task.exec("/bin/sleep", ["sleep", "1000"]);
	expect(program.death).toBeUndefined();
	expect(Number(other.syscall(getpid))).toBe(other.pid);
	await program[Symbol.asyncDispose]();
	await creator.process.exited;
});
