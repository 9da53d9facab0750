// Before Linux 6.13 the pid of a pidfd is read in /proc. A filter answers the main thread of this
// process as such a kernel does. The filter stays, and so this file has no other tests.
import { Task } from "@nearfar/core";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { forbid } from "../../../test/seccomp.ts";
import { PidFd } from "../src/index.ts";

const IOCTL = process.arch === "arm64" ? 29 : 16;
const PIDFD_GET_INFO = 0xc040_ff0b;
const ENOTTY = 25;
const { test } = needs("/proc", "no_new_privs that is not set");

// Before the hooks run, which look at the descriptors of this process.
forbid(Task.near, IOCTL, ENOTTY, PIDFD_GET_INFO, 1);

test("a child of a task is found through /proc, and its end is told to each wait", async () => {
	const child = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	using pidfd = PidFd.open(child.pid);
	const ends = Promise.all([pidfd.exited(), pidfd.exited(), child.exited]);
	pidfd.sendSignal("SIGKILL");
	expect((await ends).map((end) => end?.signal)).toEqual(Array(3).fill("SIGKILL"));
});

test("the end of a child is told whose parent has ended before, and its status is known or null", async () => {
	const parent = await Task.clone();
	const child = await parent.clone();
	parent.process.kill("SIGKILL");
	await parent.process.exited;
	child.process.kill("SIGKILL");
	const { code, signal } = await child.process.exited;
	expect(code).toBeNull();
	expect([null, "SIGKILL"]).toContain(signal);
});
