import { readFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { isRoot, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { statusNumbers } from "../../../test/status.ts";
import {
	getgroups,
	getresgid,
	getresuid,
	setegid,
	seteuid,
	setfsgid,
	setfsuid,
	setgid,
	setgroups,
	setregid,
	setresgid,
	setresuid,
	setreuid,
	setuid,
} from "../src/index.ts";

const [uid = -1, gid = -1] = [process.geteuid?.(), process.getegid?.()];
// chown, dac_override, dac_read_search, fowner, fsetid, linux_immutable, mknod, mac_override
const FS_CAPABILITIES = [0n, 1n, 2n, 3n, 4n, 9n, 27n, 32n].reduce((set, number) => set | (1n << number), 0n);
const all = { setuid, seteuid, setreuid, setfsuid, setgid, setegid, setregid, setfsgid };
const pairs = { setreuid, setregid };
const effective = { seteuid: "setresuid", setegid: "setresgid" } as Record<string, string>;

function capabilities(task: Task): bigint {
	const [, set] = /^CapEff:\t(.*)$/m.exec(readFileSync(`/proc/${task.pid}/status`, "utf8")) ?? [];
	return BigInt(`0x${set}`);
}

test.each(Object.entries(all))("%s: near it is refused, and nothing changes", (name, call) => {
	const before = [statusNumbers("self", "Uid"), statusNumbers("self", "Gid")];
	const args = name in pairs ? [-1, -1] : [0];
	expect(() => (call as (...ids: number[]) => unknown)(...args)).toThrow(
		expect.objectContaining({ code: "ERR_NEARFAR_MULTITHREADED" }),
	);
	expect([statusNumbers("self", "Uid"), statusNumbers("self", "Gid")]).toEqual(before);
});

test.each(Object.entries(all))("%s refuses what is no id before the kernel is asked", (_, call) => {
	const set = call as (...ids: unknown[]) => unknown;
	expect(() => set("0", "0")).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
	for (const wrong of [-2, 2 ** 32 - 1, 0.5]) {
		expect(() => set(wrong, wrong)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	}
});

test.each([
	["setuid", () => setuid(7)],
	["seteuid", () => seteuid(7)],
	["setreuid", () => setreuid(7, -1)],
	["setgid", () => setgid(7)],
	["setegid", () => setegid(7)],
	["setregid", () => setregid(-1, 7)],
])("%s: EINVAL for what the user namespace does not map, EPERM without the capability", async (name, call) => {
	const syscall = effective[name] ?? name;
	await using inside = await Task.clone({ namespaces: ["user"] });
	expect(() => inside.run(call)).toThrow(expect.objectContaining({ code: "EINVAL", syscall }));
	await using ordinary = await Task.clone();
	if (isRoot) ordinary.run(() => [setgid(1), setuid(1)]);
	expect(() => ordinary.run(call)).toThrow(expect.objectContaining({ code: "EPERM", syscall }));
});

test("a task may always be who it is", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		setegid(gid);
		setregid(gid, -1);
		setgid(gid);
		seteuid(uid);
		setreuid(-1, uid);
		setuid(uid);
	});
	expect(task.run(() => [getresuid(), getresgid()])).toEqual([
		{ real: uid, effective: uid, saved: uid },
		{ real: gid, effective: gid, saved: gid },
	]);
	expect(task.run(() => [setfsuid(-1), setfsuid(uid), setfsgid(-1), setfsgid(gid)])).toEqual([uid, uid, gid, gid]);
	await expect(task.batch(() => setfsuid(uid))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
});

needs("root").test("CRE-05 setuid first, and neither the group nor the groups can follow", async () => {
	await using task = await Task.clone();
	task.run(() => [setgroups([4, 5]), setuid(1000)]);
	expect(statusNumbers(task.pid, "Uid")).toEqual([1000, 1000, 1000, 1000]);
	expect(() => task.run(() => setgid(1000))).toThrow(expect.objectContaining({ code: "EPERM", syscall: "setgid" }));
	expect(() => task.run(() => setgroups([]))).toThrow(expect.objectContaining({ code: "EPERM" }));
	expect(task.run(getgroups)).toEqual([4, 5]);
	expect(statusNumbers(task.pid, "Gid")).toEqual([0, 0, 0, 0]);
});

needs("root").test("CRE-06 a saved id is the way back: all three have to go", async () => {
	await using task = await Task.clone();
	task.run(() => [setresuid(1000, 1000, 0), setresuid(-1, 0, -1)]);
	expect(task.run(getresuid)).toEqual({ real: 1000, effective: 0, saved: 0 });
	task.run(() => [seteuid(1000), seteuid(0), setresuid(1000, 1000, 1000)]);
	expect(() => task.run(() => seteuid(0))).toThrow(expect.objectContaining({ code: "EPERM", syscall: "setresuid" }));
});

needs("root").test("setreuid and setregid set the saved id with them", async () => {
	await using task = await Task.clone();
	task.run(() => [setregid(1, 2), setreuid(11, 12)]);
	expect([statusNumbers(task.pid, "Uid"), statusNumbers(task.pid, "Gid")]).toEqual([
		[11, 12, 12, 12],
		[1, 2, 2, 2],
	]);
});

needs("root").test("CRE-07 setfsuid returns the former id, and takes capabilities over files alone", async () => {
	await using task = await Task.clone();
	const before = capabilities(task);
	expect(task.run(() => [setfsuid(1000), setfsuid(-1), setfsgid(7), setfsgid(-1)])).toEqual([0, 1000, 0, 7]);
	expect([statusNumbers(task.pid, "Uid"), statusNumbers(task.pid, "Gid")]).toEqual([
		[0, 0, 0, 1000],
		[0, 0, 0, 7],
	]);
	expect(capabilities(task)).toBe(before & ~FS_CAPABILITIES);
	expect(task.run(() => setfsuid(0))).toBe(1000);
	expect(capabilities(task)).toBe(before);
});

const fileIds = { setfsuid, setfsgid };

test.each(Object.entries(fileIds))("CRE-07 %s: an id that the kernel leaves as it was is EPERM", async (name, set) => {
	await using task = await Task.clone();
	if (isRoot) task.run(() => [setgroups([]), setresgid(1, 1, 1), setresuid(1, 1, 1)]);
	const own = task.run(() => set(-1));
	for (const id of [0, 4711, 4294967294])
		expect(refusal(() => task.run(() => set(id)))).toMatchObject({ code: "EPERM", syscall: name });
	expect(task.run(() => [set(-1), set(own)])).toEqual([own, own]);
	expect([statusNumbers(task.pid, "Uid")[3], statusNumbers(task.pid, "Gid")[3]]).toContain(own);
});

test.each(Object.entries(fileIds))(
	"CRE-07 %s: an id that the user namespace does not map is EINVAL",
	async (name, set) => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		expect(refusal(() => task.run(() => set(7)))).toMatchObject({ code: "EINVAL", syscall: name });
		expect(task.run(() => [set(-1), set(0)])).toEqual([0, 0]);
	},
);
