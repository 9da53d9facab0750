import { readlinkSync } from "node:fs";
import { chdir, openat2, Process, Task } from "@nearfar/core";
import { native, prctlOptions } from "@nearfar/core/internal";
import { setns, unshare } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { has } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { capable, put } from "./tasks.ts";

test("NST-17 the init of a pid namespace is out of reach from inside, and for SIGTERM; SIGKILL from outside ends all", async () => {
	await using init = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	await using other = await init.clone();
	expect(init.run(() => native().getpid())).toBe(1);
	for (const signal of ["SIGTERM", "SIGKILL"] as const) {
		other.run(() => new Process(1).kill(signal));
		expect(init.run(() => native().getpid())).toBe(1);
	}
	init.process.kill("SIGTERM");
	expect(init.run(() => native().getpid())).toBe(1);
	init.process.kill("SIGKILL");
	expect(await init.process.exited).toMatchObject({ signal: "SIGKILL" });
	const { signal } = await other.process.exited;
	// Before Linux 6.15 the status of a child that another process reaps is not always known.
	expect(has("Linux 6.15") ? ["SIGKILL"] : ["SIGKILL", null]).toContain(signal);
});

test("children have another PidNamespace after success, and only then", async () => {
	await using task = await Task.clone(capable);
	await using before = await task.clone();
	expect(before.pidNamespace).toBe(task.pidNamespace);
	expect(task.run(() => refusal(() => unshare(2 ** 32 - 1))).code).toBe("EINVAL");
	await using still = await task.clone();
	expect(still.pidNamespace).toBe(task.pidNamespace);
	task.run(() => unshare(["pid"]));
	await using after = await task.clone();
	expect(after.pidNamespace).not.toBe(task.pidNamespace);
	expect(after.run(() => native().getpid())).toBe(1);
	const stranger = new Process(task.pid, task.pidNamespace);
	expect(after.run(() => refusal(() => stranger.kill(0))).code).toBe("ERR_NEARFAR_NAMESPACE_MISMATCH");
});

test("a batch changes the tokens of what has succeeded in it, and no others", async () => {
	await using task = await Task.clone(capable);
	const failing = task.batch(() => {
		unshare(["uts"]);
		unshare(1);
		unshare(["ipc"]);
	});
	await expect(failing).rejects.toMatchObject({ code: "EINVAL", syscall: "unshare", step: 1 });
	expect(String(task)).toMatch(/uts\)$/);
	const batch = task.batch(() => unshare(["pid", "net"]));
	expect(String(task)).not.toContain("net");
	await batch;
	expect(String(task)).toContain("net");
	await using child = await task.clone();
	expect(child.pidNamespace).not.toBe(task.pidNamespace);
});

test("a batch may open a namespace, enter it and close it, without saying which kind", async () => {
	await using home = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	// The task opens a link of `home` from inside of the user namespace, where even root may look only into dumpable tasks.
	home.run(() => native().setPrctl(prctlOptions.setDumpable, [1]));
	await using task = await Task.clone();
	using user = put(task, `/proc/${home.pid}/ns/user`);
	await task.batch(() => {
		setns(user);
		using pid = openat2(`/proc/${home.pid}/ns/pid`);
		setns(pid);
	});
	expect(String(task)).toContain("user");
	await using child = await task.clone();
	expect(child.pidNamespace).not.toBe(task.pidNamespace);
	expect(child.run(() => native().getpid())).toBe(2);
});

test("who is cloned while a batch enters another pid namespace is known to be in that", async () => {
	await using task = await Task.clone(capable);
	const entering = task.batch(() => unshare(["pid"]));
	const thrown = () => {
		unshare(["uts"]);
		throw new RangeError("no");
	};
	await expect(task.batch(thrown)).rejects.toThrow(RangeError);
	const cloning = task.clone();
	task.run(() => chdir("/usr")); // runs after the clone, in the order of the calls
	await using child = await cloning;
	await entering;
	expect(readlinkSync(`/proc/${child.pid}/cwd`)).not.toBe("/usr");
	expect(child.run(() => native().getpid())).toBe(1);
	expect(child.pidNamespace).not.toBe(task.pidNamespace);
	const stranger = new Process(task.pid, task.pidNamespace);
	expect(child.run(() => refusal(() => stranger.kill(0))).code).toBe("ERR_NEARFAR_NAMESPACE_MISMATCH");
});

test("who is cloned while a batch is under way that fails to enter one is where its parent is", async () => {
	await using task = await Task.clone(capable);
	const failing = task.batch(() => {
		unshare(1);
		unshare(["pid"]);
	});
	const cloning = task.clone();
	await expect(failing).rejects.toMatchObject({ code: "EINVAL" });
	await using child = await cloning;
	expect(child.pidNamespace).toBe(task.pidNamespace);
});

test("near, a batch that would change one thread is refused whole", async () => {
	const file = openat2("/dev/zero");
	const batch = Task.near.batch(() => {
		file.close();
		unshare(["uts"]);
	});
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_MULTITHREADED" });
	expect([file.closed, file.read(1).length]).toEqual([false, 1]);
	file.close();
});
