import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { getName, prctl, setNoNewPrivs } from "../../src/index.ts";

const PR_SET_TIMING = 14;
const SECCOMP_MODE_FILTER = 2;
const BAD_ADDRESS = 1;

test.each<[string, string, () => unknown]>([
	["an unknown option", "EINVAL", () => prctl(0x7fff_0000)],
	["no signal", "EINVAL", () => prctl("setPdeathsig", 999)],
	["dumpable 2", "EINVAL", () => prctl("setDumpable", 2)],
	["another way to keep time", "EINVAL", () => prctl(PR_SET_TIMING, 1)],
	["a bad address", "EFAULT", () => prctl("setName", BAD_ADDRESS)],
])("PRC-01 %s: %s", async (_, code, call) => {
	await using task = await Task.clone();
	expect(() => task.run(call)).toThrow(expect.objectContaining({ code, syscall: "prctl", task: `${task}` }));
});

needs("no_new_privs that is not set").test(
	"PRC-06 a seccomp filter without no_new_privs: EACCES; at a bad address: EFAULT",
	async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		const before = task.run(() => prctl("getSeccomp")); // 2 where a container has set a filter
		const program = Buffer.alloc(16); // struct sock_fprog: one instruction, at an address
		program.writeUInt16LE(1, 0);
		program.writeBigUInt64LE(BigInt(BAD_ADDRESS), 8);
		const filter = () => task.run(() => prctl("setSeccomp", SECCOMP_MODE_FILTER, program));
		expect(filter).toThrow(expect.objectContaining({ code: "EACCES", syscall: "prctl" }));
		task.run(setNoNewPrivs);
		expect(filter).toThrow(expect.objectContaining({ code: "EFAULT", syscall: "prctl" }));
		expect(() => task.run(() => prctl("setSeccomp", SECCOMP_MODE_FILTER, BAD_ADDRESS))).toThrow(
			expect.objectContaining({ code: "EFAULT" }),
		);
		expect(task.run(() => prctl("getSeccomp"))).toBe(before);
	},
);

test("near and far it answers, and what the kernel writes is in the bytes", async () => {
	await using task = await Task.clone();
	const name = new Uint8Array(16);
	expect(prctl("getName", name)).toBe(0);
	expect(Buffer.from(name).toString("utf8", 0, name.indexOf(0))).toBe(getName());
	task.run(() => {
		expect(prctl("setName", Buffer.from("raw\0"))).toBe(0);
		expect(prctl(16, name)).toBe(0);
	});
	expect(Buffer.from(name).toString()).toMatch(/^raw\0/);
	task.run(() => prctl("setDumpable", 1));
	expect([prctl("getDumpable"), task.run(() => prctl("getDumpable"))]).toEqual([1, 1]);
	expect(task.run(() => prctl("capbsetRead", 0n))).toBe(prctl("capbsetRead", 0));
});

test("near, an option that may change one thread is refused", async () => {
	const name = getName();
	const noNewPrivs = prctl("getNoNewPrivs");
	const perThread = ["setName", "setPdeathsig", "setKeepcaps", "setNoNewPrivs", "setSeccomp", "capAmbient"] as const;
	for (const option of perThread) expect(() => prctl(option, 1)).toThrow(MultithreadedError);
	expect(() => prctl(0x7fff_0000)).toThrow(MultithreadedError);
	expect(getName()).toBe(name);
	expect(prctl("getNoNewPrivs")).toBe(noNewPrivs);
});

test("a batch has no answer yet", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => prctl("getDumpable"))).rejects.toThrow(BatchError);
});

test.each<[string, () => unknown, string]>([
	["an unknown name", () => prctl("setNope" as "setName"), "ERR_INVALID_ARG_VALUE"],
	["half an option", () => prctl(1.5), "ERR_OUT_OF_RANGE"],
	["five arguments", () => prctl("getDumpable", 1, 2, 3, 4, 5), "ERR_INVALID_ARG_VALUE"],
	["text", () => prctl("setName", "name" as unknown as number), "ERR_INVALID_ARG_TYPE"],
	["an inexact number", () => prctl("getDumpable", 2 ** 53), "ERR_OUT_OF_RANGE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});
