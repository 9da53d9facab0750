import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { chdir, openat2, type SharedPart, Task, ThreadProcess } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-share-"));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

const x64 = process.arch === "x64";
const [getpid, kill, mmap, munmap] = x64 ? [39, 62, 9, 11] : [172, 129, 222, 215];

const mappings = (task: Task) => readFileSync(`/proc/${task.pid}/maps`, "utf8").split("\n").length;
const descriptors = (task: Task) => {
	task.syscall(getpid); // the task closes the descriptors of the previous message before this call
	return readdirSync(`/proc/${task.pid}/fd`).sort();
};
const gone = { code: "ERR_NEARFAR_TASK_GONE" };
const all: [string, SharedPart[]][] = [
	["vm", ["vm"]],
	["files", ["files"]],
	["fs", ["fs"]],
	["vm and files", ["vm", "files"]],
	["everything", ["vm", "files", "fs"]],
];

describe.each(all)("sharing %s", (_, share) => {
	test("identities are those of the creator, where they are shared", async () => {
		await using creator = await Task.clone();
		await using task = await creator.clone({ share });
		expect(task.process instanceof ThreadProcess).toBe(share.includes("vm"));
		expect(task.addressSpace === creator.addressSpace).toBe(share.includes("vm"));
		expect(task.fdTable === creator.fdTable).toBe(share.includes("files"));
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(Number(creator.syscall(getpid))).toBe(creator.pid);
	});

	test.each([
		["exec", (task: Task) => task.exec("/bin/sh", ["sh", "-c", "exit 4"]).exited, { code: 4 }],
		["exec in a batch", async (task: Task) => (await task.batch(() => task.exec("/bin/true"))).exited, { code: 0 }],
		["exit", (task: Task) => task.exit(5), { code: 5 }],
		["death", kills, { signal: "SIGKILL" }],
		["dispose", disposes, { signal: "SIGKILL" }],
	] as const)("%s gives back memory and descriptors once, and the creator serves on", async (_, end, status) => {
		await using creator = await Task.clone();
		const before = [descriptors(creator), mappings(creator)];
		const task = await creator.clone({ share });
		expect(mappings(creator) > (before[1] as number)).toBe(share.includes("vm"));
		expect(await end(task)).toMatchObject(status);
		await expect.poll(() => [descriptors(creator), mappings(creator)]).toEqual(before);
		// If a block was unmapped twice, the second call could unmap memory that another part of the task uses by then.
		const base = creator.syscall(mmap, 0, 2 ** 18, 3, 0x22, -1, 0) as bigint;
		await (await creator.clone({ share })).exit();
		expect(isMapped(creator, base)).toBe(true);
		creator.syscall(munmap, base, 2 ** 18);
	});

	test("a task that dies in a call, or in a batch, is gone and hangs nobody", async () => {
		await using creator = await Task.clone();
		const task = await creator.clone({ share });
		expect(await reason(() => task.syscall(kill, task.pid, 9))).toMatchObject(gone);
		expect(await task.process.exited).toMatchObject({ signal: "SIGKILL" });
		const other = await creator.clone({ share });
		const waits = reason(() => other.batch(() => openat2(fifo))); // no process ever writes: the task waits in the kernel
		other.process.kill("SIGKILL");
		expect(await waits).toMatchObject(gone);
		expect(await reason(() => other.syscall(getpid))).toMatchObject(gone);
		expect(Number(creator.syscall(getpid))).toBe(creator.pid);
	});

	test("a creator that ends first leaves the other as usable as before", async () => {
		const creator = await Task.clone();
		await using task = await creator.clone({ share });
		await creator.exit();
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(await task.exec("/bin/sh", ["sh", "-c", "exit 6"]).exited).toMatchObject({ code: 6 });
	});

	test("a creator that execs leaves the other as usable as before", async () => {
		const creator = await Task.clone();
		await using task = await creator.clone({ share });
		await creator.exec("/bin/true").check();
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(await task.exec("/bin/sh", ["sh", "-c", "exit 6"]).exited).toMatchObject({ code: 6 });
	});

	test("three generations", async () => {
		await using creator = await Task.clone();
		const before = [descriptors(creator), mappings(creator)];
		const child = await creator.clone({ share });
		const grandchild = await child.clone({ share });
		expect(grandchild.fdTable === creator.fdTable).toBe(share.includes("files"));
		await child.exit();
		expect(Number(grandchild.syscall(getpid))).toBe(grandchild.pid);
		await grandchild.exit();
		await expect.poll(() => [descriptors(creator), mappings(creator)]).toEqual(before);
	});

	test("a program that cannot begin leaves the task usable", async () => {
		await using creator = await Task.clone();
		await using task = await creator.clone({ share });
		using file = task.run(() => openat2("/dev/null"));
		expect(await reason(() => task.exec("/nope", [], { fds: [file] }))).toMatchObject({ code: "ENOENT" });
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(await task.exec("/bin/true").exited).toMatchObject({ code: 0 });
	});
});

test("memory written by one is read by the other", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["vm"] });
	const base = task.syscall(mmap, 0, 4096, 3, 0x22, -1, 0) as bigint;
	using zero = task.run(() => openat2(`${ownProc}/self/comm`));
	const read = x64 ? 0 : 63;
	const length = task.syscall(read, zero, base, 4096);
	using memory = openat2(`${ownProc}/${creator.pid}/mem`);
	expect(memory.read(Number(length), { position: base })).toEqual(memory.read(Number(length), { position: base }));
	expect(memory.read(Number(length), { position: base }).length).toBeGreaterThan(1);
});

test("a descriptor of one is the other's, and closed for both", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["files"] });
	const file = task.run(() => openat2("/dev/zero"));
	expect(creator.run(() => file.read(2))).toEqual(Buffer.alloc(2));
	creator.run(() => file.close());
	expect(await reason(() => task.run(() => file.read(1)))).toMatchObject({ code: "ERR_NEARFAR_CLOSED" });
	const other = creator.run(() => openat2("/dev/zero"));
	await task.exit();
	expect(creator.run(() => other.read(1)).length).toBe(1);
	other.close();
});

test("a working directory of one is the other's", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["fs"] });
	task.run(() => chdir("/usr"));
	expect(readlinkSync(`/proc/${creator.pid}/cwd`)).toBe("/usr");
});

test("nothing is shared with Node, and CL3-03 what the kernel does not share together is EINVAL", async () => {
	expect(await reason(() => Task.clone({ share: ["vm"] }))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	expect(await reason(() => Task.near.clone({ share: ["fs"] }))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	await using creator = await Task.clone();
	const before = [descriptors(creator), mappings(creator)];
	expect(await reason(() => creator.clone({ share: ["sighand" as "vm"] }))).toMatchObject({
		code: "ERR_INVALID_ARG_VALUE",
	});
	for (const share of [["fs"], ["fs", "vm"], ["fs", "files", "vm"]] as SharedPart[][]) {
		const refused = await reason(() => creator.clone({ share, namespaces: ["user", "mnt"] }));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "clone3" });
	}
	await expect.poll(() => [descriptors(creator), mappings(creator)]).toEqual(before);
});

test("in new namespaces with its creator's memory", async () => {
	await using creator = await Task.clone();
	await using task = await creator.clone({ share: ["vm"], namespaces: ["user", "uts"] });
	const uts = ({ pid }: Task) => readlinkSync(`/proc/${pid}/ns/uts`);
	expect(uts(task)).not.toBe(uts(creator));
	expect(readFileSync(`/proc/${task.pid}/uid_map`, "utf8").trim().split(/\s+/)[2]).toBe("1");
});

function isMapped({ pid }: Task, address: bigint): boolean {
	const ranges = readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(/^(\w+)-(\w+) rw/gm);
	return [...ranges].some(([, begin, end]) => BigInt(`0x${begin}`) <= address && address < BigInt(`0x${end}`));
}

async function kills(task: Task) {
	task.process.kill("SIGKILL");
	return task.process.exited;
}

async function disposes(task: Task) {
	await task[Symbol.asyncDispose]();
	return task.process.exited;
}
