import { readFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { isRoot, needs } from "../../../test/needs.ts";
import { getgroups, getresgid, getresuid, setgroups, setresgid, setresuid } from "../src/index.ts";

const [uid = -1, gid = -1] = [process.geteuid?.(), process.getegid?.()];
const calls = { setresuid, setresgid };

/** Makes a task with every capability over a user namespace that maps the task's own ids and no others. */
function alone() {
	return Task.clone({ namespaces: ["user"] });
}

test.each(Object.entries(calls))("%s: EINVAL for what is not mapped", async (syscall, call) => {
	await using task = await alone();
	for (const [real, others] of [
		[7, 7],
		[7, uid],
		[4294967294, uid],
	] as const) {
		expect(() => task.run(() => call(real, others, others))).toThrow(
			expect.objectContaining({ code: "EINVAL", syscall }),
		);
	}
});

test.each(Object.entries(calls))("CRE-01 CRE-02 %s: EPERM without the capability", async (syscall, call) => {
	await using task = await Task.clone();
	// Afterwards the task belongs to an ordinary user.
	task.run(() => setresgid(isRoot ? 1 : gid, gid, gid));
	if (isRoot) task.run(() => [setresgid(1, 1, 1), setresuid(1, 1, 1)]);
	const refused = expect.objectContaining({ code: "EPERM", syscall });
	expect(() => task.run(() => call(7, 7, 7))).toThrow(refused);
	expect(() => task.run(() => call(0, -1, -1))).toThrow(refused);
	const before = task.run(() => [getresuid(), getresgid()]);
	task.run(() => call(-1, -1, -1));
	expect(task.run(() => [getresuid(), getresgid()])).toEqual(before);
	expect(() => task.run(() => setgroups([]))).toThrow(expect.objectContaining({ code: "EPERM", syscall: "setgroups" }));
});

test.each([
	["setresuid(-2, 0, 0)", () => setresuid(-2, 0, 0), "ERR_OUT_OF_RANGE"],
	["setresuid(0, 4294967295, 0)", () => setresuid(0, 4294967295, 0), "ERR_OUT_OF_RANGE"],
	['setresgid("0", 0, 0)', () => setresgid("0" as never, 0, 0), "ERR_INVALID_ARG_TYPE"],
	["setresgid(0, 0, 0.5)", () => setresgid(0, 0, 0.5), "ERR_OUT_OF_RANGE"],
	["setgroups(7)", () => setgroups(7 as never), "ERR_INVALID_ARG_TYPE"],
	["setgroups([4294967295])", () => setgroups([4294967295]), "ERR_OUT_OF_RANGE"],
	["CRE-02 setgroups of 65537", () => setgroups(new Array(65537).fill(0)), "ERR_OUT_OF_RANGE"],
])("%s is refused before the kernel is asked", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("near, each is refused, and nothing changes", () => {
	const status = () => readFileSync("/proc/self/status", "utf8").match(/^([UG]id|Groups):.*/gm);
	const before = status();
	for (const call of [() => setresuid(uid, uid, uid), () => setresgid(gid, gid, gid), () => setgroups([])]) {
		expect(call).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_MULTITHREADED" }));
	}
	expect(status()).toEqual(before);
});

needs("root").test("CRE-02 setgroups takes 65536 groups, and the kernel refuses one more", async () => {
	await using task = await Task.clone();
	task.run(() => setgroups(Array.from({ length: 65536 }, (_, index) => index)));
	expect(task.run(getgroups)).toHaveLength(65536);
	const SYS_setgroups = process.arch === "arm64" ? 159 : 116;
	const bytes = new Uint8Array(4 * 65537);
	expect(() => task.syscall(SYS_setgroups, 65537, bytes)).toThrow(expect.objectContaining({ code: "EINVAL" }));
});

test("a task may always be who it is", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		setresgid(gid, gid, gid);
		setresuid(uid, uid, uid);
	});
	expect(task.run(() => getresuid())).toMatchObject({ real: uid, effective: uid, saved: uid });
});

needs("root").test("a task of root becomes somebody else, in one message", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		setgroups([5, 4]);
		setresgid(1, 2, 3);
		setresuid(11, 12, 13);
	});
	expect(task.run(() => [getresuid(), getresgid()])).toMatchObject([
		{ real: 11, effective: 12, saved: 13 },
		{ real: 1, effective: 2, saved: 3 },
	]);
	expect(task.run(() => getgroups())).toEqual([4, 5]); // the kernel sorts them
	const status = readFileSync(`/proc/${task.pid}/status`, "utf8");
	expect(status).toMatch(/^Uid:\t11\t12\t13\t12$/m);
	expect(status).toMatch(/^Groups:\t4 5 $/m);
});
