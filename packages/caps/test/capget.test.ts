import { BatchError, type ChildProcess, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refused } from "../../../test/refusal.ts";
import { type Capabilities, CapabilitySet, capget } from "../src/index.ts";
import { capgetWithoutHeader, capset, prctl, rawCapget, sets } from "./task.ts";

const NOBODY = 2 ** 31 - 1;
const KILL = 1n << 5n;
const SETPCAP = 1n << 8n;
const NET_ADMIN = 1n << 12n;
const PR_CAPBSET_DROP = 24;
const VERSION_3 = 0x2008_0522;

test.each([0x1998_0330, 0x2007_1026, VERSION_3])("CAP-01 version %i is known", async (version) => {
	await using task = await Task.clone();
	const data = new Uint8Array(24).fill(0xff);
	expect(rawCapget(task, version, 0, data)).toBe(version);
	expect(new Uint32Array(data.buffer)[1]).toBe(Number(sets(task.pid).Prm & 0xffff_ffffn));
});

test("CAP-02 a version that is none is EINVAL, or 0 without data; a bad address is EFAULT", async () => {
	await using task = await Task.clone();
	expect(() => rawCapget(task, 0, 0, new Uint8Array(24))).toThrow(refused("EINVAL", "syscall"));
	expect(rawCapget(task, 0, 0, 0)).toBe(VERSION_3);
	expect(() => capgetWithoutHeader(task)).toThrow(refused("EFAULT", "syscall"));
});

test("CAP-02 a pid below 0 is refused here, where the kernel says EINVAL; one that nobody has is ESRCH", async () => {
	await using task = await Task.clone();
	expect(() => capget(-1)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	expect(() => rawCapget(task, VERSION_3, -1, new Uint8Array(24))).toThrow(refused("EINVAL", "syscall"));
	expect(() => capget(NOBODY)).toThrow(refused("ESRCH", "capget"));
	expect(() => task.run(() => capget(NOBODY))).toThrow(refused("ESRCH", "capget"));
});

test("near and far, of the caller and of another, the sets are those of /proc", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	expect(bits(capget())).toEqual(seen("thread-self"));
	expect(bits(capget(task.pid))).toEqual(seen(task.pid));
	capset(task, KILL, KILL | SETPCAP, NET_ADMIN | KILL);
	expect(bits(task.run(capget))).toEqual([KILL, KILL | SETPCAP, NET_ADMIN | KILL]);
	expect(seen(task.pid)).toEqual([KILL, KILL | SETPCAP, NET_ADMIN | KILL]);
	expect(task.run(capget).inheritable.equals(CapabilitySet.from(["kill", "netAdmin"]))).toBe(true);
});

test("CAP-03 nothing is regained: EPERM", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	capset(task, KILL, KILL, 0n);
	const error = refused("EPERM", "syscall");
	expect(() => capset(task, KILL | NET_ADMIN, KILL, 0n)).toThrow(error); // effective, and not permitted
	expect(() => capset(task, KILL, KILL | NET_ADMIN, 0n)).toThrow(error); // permitted again
	expect(() => capset(task, KILL, KILL, NET_ADMIN)).toThrow(error); // inheritable, without CAP_SETPCAP
	expect(bits(task.run(capget))).toEqual([KILL, KILL, 0n]);
});

test("CAP-06 with CAP_SETPCAP what is in the bounding set can become inheritable, and nothing else", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	capset(task, SETPCAP, SETPCAP, 0n);
	capset(task, SETPCAP, SETPCAP, NET_ADMIN);
	expect(task.run(capget).inheritable.has("netAdmin")).toBe(true);
	capset(task, SETPCAP, SETPCAP, 0n);
	prctl(task, PR_CAPBSET_DROP, 12);
	expect(() => capset(task, SETPCAP, SETPCAP, NET_ADMIN)).toThrow(refused("EPERM", "syscall"));
});

test("a batch has no sets to return, and an argument that is no pid is refused", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => capget())).rejects.toThrow(BatchError);
	const child: ChildProcess = task.process;
	expect(() => capget(child as unknown as number)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
});

function bits({ effective, permitted, inheritable }: Capabilities): bigint[] {
	return [effective.bits, permitted.bits, inheritable.bits];
}

function seen(pid: number | "thread-self"): bigint[] {
	const { Eff, Prm, Inh } = sets(pid);
	return [Eff, Prm, Inh];
}
