import { readdirSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { openat2, Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { arm64, SYS_ioctl } from "./tasks.ts";

const network = { namespaces: ["user", "net"], idMap: "root" } as const;
const SYS_socket = arm64 ? 198 : 41;
const EAFNOSUPPORT = 97;

/** Returns the lines of a file of `/proc/net` that the task sees. */
function linesOf(task: Task, name: string): string[] {
	return task.run(() => {
		using file = openat2(`/proc/thread-self/net/${name}`);
		return file.read(4096).toString().trimEnd().split("\n");
	});
}

/** True when 127.0.0.1 is an address of the task's network namespace. */
function isUp(task: Task): boolean {
	return linesOf(task, "fib_trie").some((line) => line.includes("127.0.0.1"));
}

test("NST-38 systemd #27292: a new network namespace has lo alone, which is down until loopbackUp", async () => {
	await using task = await Task.clone(network);
	expect(linesOf(task, "dev").slice(2)).toEqual([expect.stringMatching(/^\s*lo:/)]);
	expect(isUp(task)).toBe(false);
	task.run(() => loopbackUp());
	expect(isUp(task)).toBe(true);
	expect(linesOf(task, "if_inet6").join()).toMatch(/^0{31}1 .* lo$/);
});

test("systemd #13308: loopbackUp of a device that is up changes nothing", async () => {
	await using task = await Task.clone(network);
	for (let round = 0; round < 3; round++) {
		task.run(() => loopbackUp());
		expect(isUp(task)).toBe(true);
	}
	await task.batch(() => loopbackUp());
	expect(isUp(task)).toBe(true);
});

test("a batch collects loopbackUp", async () => {
	await using task = await Task.clone(network);
	expect(isUp(task)).toBe(false); // the task closes what came with the clone before it makes a call
	const before = readdirSync(`/proc/${task.pid}/fd`).length;
	await task.batch(() => {
		loopbackUp();
		loopbackUp();
	});
	expect(isUp(task)).toBe(true);
	expect(readdirSync(`/proc/${task.pid}/fd`)).toHaveLength(before);
});

test("gvisor #13438: loopbackUp without CAP_NET_ADMIN is EPERM, and leaves no descriptor", async () => {
	await using task = await Task.clone(network);
	task.run(() => dropCapabilities());
	const before = readdirSync(`/proc/${task.pid}/fd`).length;
	expect(task.run(() => refusal(() => loopbackUp()))).toMatchObject({ code: "EPERM", syscall: "ioctl" });
	await expect(task.batch(() => loopbackUp())).rejects.toMatchObject({ code: "EPERM", syscall: "ioctl", step: 1 });
	task.run(() => openat2("/").close());
	expect(readdirSync(`/proc/${task.pid}/fd`)).toHaveLength(before);
	expect(isUp(task)).toBe(false);
});

test("the error of loopbackUp names the call that was refused", async () => {
	await using task = await Task.clone(network);
	forbid(task, SYS_ioctl, 1);
	expect(task.run(() => refusal(() => loopbackUp()))).toMatchObject({ code: "EPERM", syscall: "ioctl" });
	forbid(task, SYS_socket, EAFNOSUPPORT);
	expect(task.run(() => refusal(() => loopbackUp()))).toMatchObject({ code: "EAFNOSUPPORT", syscall: "socket" });
});

needs("an ordinary user").test("near, loopbackUp is about the network of this process", () => {
	const { code, syscall } = refusal(() => loopbackUp());
	expect([undefined, "EPERM"]).toContain(code);
	expect([undefined, "ioctl"]).toContain(syscall);
});
