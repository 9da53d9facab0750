import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Process, Task } from "@nearfar/core";
import { Namespace, type NamespaceLink, unshare } from "@nearfar/namespaces";
import { PidFd } from "@nearfar/pidfd";
import { getrlimit, setDumpable, setrlimit } from "@nearfar/process";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { dumpable, namespaceOf, SYS_ioctl } from "./tasks.ts";

const ENOTTY = 25;
const links = readdirSync("/proc/self/ns") as NamespaceLink[];

test("each way to name a process opens the namespaces that /proc shows, near, in a task and in a batch", async () => {
	await using home = await dumpable();
	await using guest = await Task.clone();
	for (const task of [Task.near, guest]) {
		using pidfd = task.run(() => PidFd.open(home.process));
		for (const process of [home, home.process, home.pid, new Process(home.pid), pidfd]) {
			for (const link of links) {
				using namespace = task.run(() => Namespace.of(process, link));
				expect(String(namespace)).toBe(namespaceOf(home, link));
				expect(namespace.table).toBe(task.fdTable);
			}
			if (!has("Linux 6.11")) continue; // a batch cannot look for the namespace in /proc
			using net = await task.batch(() => Namespace.of(process, "net"));
			expect(String(net)).toBe(namespaceOf(home, "net"));
			expect(net).toBeInstanceOf(Namespace);
		}
	}
});

test("a task in another pid namespace opens that of the task that is meant", async () => {
	await using home = await Task.clone();
	await using guest = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	// The pid of `home` means no process in the namespace of the guest.
	expect(refusal(() => guest.run(() => Namespace.of(home.pid, "net"))).code).toBe("ESRCH");
	using own = guest.run(() => Namespace.of(guest, "user"));
	expect(String(own)).toBe(namespaceOf(guest, "user"));
	using near = guest.run(() => Namespace.of(guest, "pid"));
	expect(String(near)).toBe(namespaceOf(guest, "pid"));
	// The number is that of another process in the namespace of Node, and is refused.
	expect(refusal(() => guest.run(() => Namespace.of(new Process(1, Task.near.pidNamespace), "net"))).code).toBe(
		"ERR_NEARFAR_NAMESPACE_MISMATCH",
	);
});

test("a process that has ended is ESRCH, as a zombie and when it was reaped", async () => {
	await using parent = await Task.clone();
	const zombie = await parent.clone();
	using pidfd = PidFd.open(zombie.process);
	const { pid } = zombie;
	parent.process.kill("SIGSTOP"); // the parent would be asked to reap
	zombie.process.kill("SIGKILL");
	const state = () => /State:\t(\w)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
	while (state() !== "Z") await setImmediate();
	for (const process of [pid, pidfd]) expect(refusal(() => Namespace.of(process, "net")).code).toBe("ESRCH");
	parent.process.kill("SIGCONT");
	await zombie.process.exited;
	for (const process of [pid, pidfd, zombie, zombie.process]) {
		expect(refusal(() => Namespace.of(process, "net")).code).toBe("ESRCH");
	}
});

test("a process that ends while its namespaces are opened leaves a namespace or ESRCH", async () => {
	const task = await dumpable();
	const shown = namespaceOf(task, "net");
	task.process.kill("SIGKILL");
	for (let ended = false; !ended; await setImmediate()) {
		let net: Namespace | undefined;
		const { code } = refusal(() => {
			net = Namespace.of(task, "net");
		});
		if (net) expect(String(net)).toBe(shown);
		else expect(code).toBe("ESRCH");
		net?.close();
		ended = code !== undefined;
	}
	await task.process.exited;
});

test("podman #8816 the namespace that new children get is opened before the first child, since Linux 6.11", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => setDumpable(true));
	task.run(() => unshare(["pid"]));
	expect(refusal(() => task.run(() => Namespace.current("pid_for_children")))).toMatchObject({
		code: "ENOENT",
		syscall: "openat2",
	});
	if (!has("Linux 6.11")) {
		// Before, every task looks into /proc, where the link has no target yet.
		return void expect(refusal(() => Namespace.of(task, "pid_for_children"))).toMatchObject({ code: "ENOENT" });
	}
	using pids = Namespace.of(task, "pid_for_children");
	expect(pids.kind).toBe("pid");
	using own = Namespace.of(task, "pid");
	expect(own.same(pids)).toBe(false);
});

needs("/proc").test("through /proc, as before Linux 6.11, the same namespaces are opened", async () => {
	await using home = await dumpable();
	await using guest = await Task.clone();
	forbid(guest, SYS_ioctl, ENOTTY);
	using net = guest.run(() => Namespace.of(home, "net"));
	using near = guest.get(net);
	expect(readlinkSync(`/proc/self/fd/${near.fd}`)).toBe(namespaceOf(home, "net"));
	expect(near).toBeInstanceOf(Namespace);
});

test("a table without a free descriptor is EMFILE at each step, and nothing stays open", async () => {
	await using home = await dumpable();
	await using guest = await Task.clone();
	const open = () => readdirSync(`/proc/${guest.pid}/fd`).map(Number);
	const { hard } = guest.run(() => getrlimit("nofile")); // a task that has made a call has only its own descriptors
	const before = open();
	const most = Math.max(...before) + 1;
	for (let free = 0; free < 3; free++) {
		// The lowest numbers are taken up to the highest one of the task.
		guest.run(() => setrlimit("nofile", { soft: most + free, hard }));
		for (const call of [
			() => Namespace.current("net"),
			() => Namespace.of(home, "net"),
			() => Namespace.open("/proc/self/ns/net"),
		]) {
			let made: Namespace | undefined;
			const { code } = refusal(() => {
				made = guest.run(call);
			});
			if (!made) expect(code).toBe("EMFILE");
			made?.close();
			expect(open()).toEqual(before);
		}
	}
});

test("a wrong argument reaches no kernel", () => {
	for (const link of ["newnet", "toString", 1, undefined, ["net"]]) {
		expect(refusal(() => Namespace.of(process.pid, link as never)).code).toBe("ERR_INVALID_ARG_VALUE");
		expect(refusal(() => Namespace.current(link as never)).code).toBe("ERR_INVALID_ARG_VALUE");
	}
	expect(refusal(() => Namespace.of("1" as never, "net")).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Namespace.of(0, "net")).code).toBe("ERR_OUT_OF_RANGE");
	using file = Namespace.current("uts");
	expect(refusal(() => Namespace.of(file, "net")).code).toBe("ENOTTY");
});
