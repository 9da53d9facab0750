import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cgroupRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { type CgroupLike, type FileDescriptor, openat2, type SyscallError, Task } from "../../src/index.ts";

const { describe } = needs("cgroup v2 in which this user can make groups");
const cgroupOf = (pid: number) => /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];

/** Keeps all processors busy until it is disposed of. */
function busyProcessors(): Disposable {
	const busy = Array.from({ length: availableParallelism() + 1 }, () =>
		spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" }),
	);
	return {
		[Symbol.dispose]() {
			for (const child of busy) child.kill("SIGKILL");
		},
	};
}

describe("cgroup", () => {
	const path = `${cgroupRoot}/nearfar-place-${process.pid}`;
	let fd: FileDescriptor;
	beforeEach(() => {
		mkdirSync(path);
		fd = openat2(path, { flags: ["path", "directory"] });
	});
	afterEach(async () => {
		fd.close();
		while (readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
		rmdirSync(path);
	});

	test("an object with a descriptor is a cgroup, and its keeper clones", async () => {
		await using keeper = await Task.clone();
		await using plain = await Task.clone({ cgroup: { fd } });
		await using kept = await Task.clone({ cgroup: { fd, keeper } });
		await using near = await Task.near.clone({ cgroup: { fd, keeper }, namespaces: ["user"] });
		await using other = await plain.clone({ cgroup: { fd, keeper } });
		for (const task of [plain, kept, near, other]) expect(cgroupOf(task.pid)).toContain(path.split("/").at(-1));
		const parent = (task: Task) =>
			Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${task.pid}/status`, "utf8"))?.[1]);
		expect([plain, kept, near, other].map(parent)).toEqual([process.pid, keeper.pid, keeper.pid, plain.pid]);
		expect(await kept.exit(3)).toMatchObject({ code: 3 });
	});

	test("a task that a keeper clones shares nothing, as one of Node", async () => {
		await using keeper = await Task.clone();
		const clone = () => Task.clone({ cgroup: { fd, keeper }, share: ["files"] });
		expect(await reason(clone)).toMatchObject({ name: "TypeError" });
	});

	test("a keeper that has ended is told to the cgroup", async () => {
		let told = 0;
		const refused = (error: Error) => {
			told++;
			return new Error("removed", { cause: error });
		};
		// Where the processors are busy, the clone at times finds that the keeper has closed its channel and has not ended.
		using _ = busyProcessors();
		for (let round = 0; round < 100; round++) {
			const keeper = await Task.clone();
			const clone = () => Task.clone({ cgroup: { fd, keeper, refused } });
			const gone = { code: "ERR_NEARFAR_TASK_GONE", message: `${keeper} was killed by SIGKILL` };
			const removed = { message: "removed", cause: gone };
			process.kill(keeper.pid, "SIGKILL"); // the clone finds that out
			expect(await reason(clone)).toMatchObject(removed);
			await keeper.process.exited;
			expect(await reason(clone)).toMatchObject(removed);
		}
		expect(told).toBe(200);
	});

	test("a refusal says what is in the way: EOPNOTSUPP beside a threaded cgroup", async () => {
		const [threaded, invalid] = [`${path}/threaded`, `${path}/invalid`];
		mkdirSync(threaded);
		mkdirSync(invalid);
		try {
			writeFileSync(`${threaded}/cgroup.type`, "threaded");
			using folder = openat2(invalid, { flags: ["path", "directory"] });
			const error = (await reason(() => Task.clone({ cgroup: folder }))) as SyscallError;
			expect(error).toMatchObject({ code: "EOPNOTSUPP", syscall: "clone3" });
			expect(error.hint).toContain(`${invalid} is "domain invalid"`);
		} finally {
			rmdirSync(threaded);
			rmdirSync(invalid);
		}
	});

	test("a refusal says what is in the way: EBUSY with controllers for children", async () => {
		const [controller] = readFileSync(`${path}/cgroup.controllers`, "utf8").trim().split(" ");
		skipUnless(controller !== undefined && controller !== "", "a controller of cgroup v2");
		writeFileSync(`${path}/cgroup.subtree_control`, `+${controller}`);
		const error = (await reason(() => Task.clone({ cgroup: fd }))) as SyscallError;
		expect(error).toMatchObject({ code: "EBUSY", syscall: "clone3" });
		expect(error.hint).toContain(`cgroup.subtree_control: ${controller}`);
	});

	test("a refusal says what is in the way, and is told to the cgroup: ENOENT", async () => {
		const inner = `${path}/inner`;
		mkdirSync(inner);
		using removed = openat2(inner, { flags: ["path", "directory"] });
		rmdirSync(inner);
		const error = (await reason(() => Task.clone({ cgroup: removed }))) as SyscallError;
		expect(error).toMatchObject({ code: "ENOENT", syscall: "clone3" });
		expect(error.hint).toContain("was removed");
		const refused = (cause: Error) => new Error("removed", { cause });
		const clone = () => Task.clone({ cgroup: { fd: removed, refused } });
		expect(await reason(clone)).toMatchObject({ message: "removed", cause: { code: "ENOENT" } });
	});
});

test.each([
	["a path", "/"],
	["null", null],
	["an object without a descriptor", {}],
	["a number for a descriptor", { fd: 3 }],
])("%s is no cgroup", async (_, cgroup) => {
	expect(await reason(() => Task.clone({ cgroup: cgroup as never }))).toMatchObject({
		name: "TypeError",
		message: expect.stringContaining("options.cgroup"),
	});
});

test("a keeper is a task", async () => {
	using fd = openat2("/", { flags: ["path", "directory"] });
	const cgroup = { fd, keeper: {} } as unknown as CgroupLike;
	expect(await reason(() => Task.clone({ cgroup }))).toMatchObject({ name: "TypeError" });
});

test("a directory that is none of cgroup v2 is EBADF, and says so", async () => {
	using fd = openat2("/", { flags: ["path", "directory"] });
	const error = (await reason(() => Task.clone({ cgroup: { fd } }))) as SyscallError;
	expect(error).toMatchObject({ code: "EBADF", hint: "/ is no directory of cgroup v2" });
});
