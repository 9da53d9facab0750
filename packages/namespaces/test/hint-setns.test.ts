import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FileDescriptor, openat2, type SyscallError, Task } from "@nearfar/core";
import { Namespace, setns, setTimeOffsets, unshare } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { cloneUninspected } from "../../../test/inspectable.ts";
import { has, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { hintOf } from "./hint-of.ts";
import { powerless } from "./tasks.ts";

/** Opens a namespace of a task. Returns the descriptor of another task. */
function namespaceFor(guest: Task, of: Task, kind: string): FileDescriptor {
	using far = of.run(() => openat2(`/proc/self/ns/${kind}`));
	using near = of.get(far);
	return guest.put(near);
}

needs("/proc").test("runc #960 EINVAL of setns says that the task is in its user namespace already", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	using own = namespaceFor(task, task, "user");
	expect(await hintOf("EINVAL", "setns", () => task.run(() => setns(own, ["user"])))).toContain("already");
	expect(await hintOf("EINVAL", "setns", () => task.run(() => setns(own, ["net"])))).toContain('"user"');
});

needs("/proc", "pid namespaces").test("EINVAL of setns says that a pid namespace is no descendant", async () => {
	await using home = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	await using guest = await home.clone({ namespaces: ["pid"] });
	using outer = namespaceFor(guest, home, "pid");
	expect(await hintOf("EINVAL", "setns", () => guest.run(() => setns(outer, ["pid"])))).toContain("descendant");
});

needs("/proc", "net namespaces").test("util-linux #1510 EPERM of setns says: join user first", async () => {
	await using home = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	await using guest = await powerless();
	using net = namespaceFor(guest, home, "net");
	expect(await hintOf("EPERM", "setns", () => guest.run(() => setns(net, ["net"])))).toContain('join "user" first');
});

needs("/proc", "net namespaces").test(
	"EPERM of setns says that the owner is no user namespace below the task's",
	async () => {
		await using home = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
		await using guest = await Task.clone({ namespaces: ["user"], idMap: "root" });
		using net = namespaceFor(guest, home, "net");
		expect(await hintOf("EPERM", "setns", () => guest.run(() => setns(net, ["net"])))).toContain("not below");
		using user = namespaceFor(guest, home, "user");
		expect(await hintOf("EPERM", "setns", () => guest.run(() => setns(user, ["user"])))).toContain("no child");
	},
);

needs("/proc", "time namespaces").test(
	"ERANGE of time offsets names the smallest ones, which are allowed",
	async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => unshare(["time"]));
		const set = (offsets: { monotonicNs: bigint; boottimeNs?: bigint }) => task.run(() => setTimeOffsets(offsets));
		const hint = await hintOf("ERANGE", "write", () => set({ monotonicNs: -(10n ** 18n) }));
		const [, monotonicNs = "0", boottimeNs = "0"] =
			/monotonicNs .* (-\d+)n, and boottimeNs .* (-\d+)n/.exec(hint) ?? [];
		expect(monotonicNs).not.toBe("0");
		set({ monotonicNs: BigInt(monotonicNs), boottimeNs: BigInt(boottimeNs) });
	},
);

needs("/proc", "time namespaces").test("EACCES of time offsets says: before the first child", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => unshare(["time"]));
	await using _child = await task.clone();
	const set = () => setTimeOffsets({ monotonicNs: 1n });
	expect(await hintOf("EACCES", "write", () => task.run(set))).toContain("before the first child");
	expect(await hintOf("EACCES", "write", () => task.batch(set))).toContain("before the first child");
});

needs("/proc").test("EACCES of Namespace.of names the process, and says whether it is not dumpable", async () => {
	await using reader = await powerless();
	await using task = await cloneUninspected({ namespaces: ["user"], idMap: "root" });
	const syscall = has("Linux 6.11") ? "ioctl" : "openat2"; // before, the namespace is opened in /proc
	const ofTask = (await reason(() => reader.run(() => Namespace.of(task, "user")))) as SyscallError;
	expect(ofTask).toMatchObject({
		code: "EACCES",
		syscall,
		hint: expect.stringContaining("setDumpable(true)"),
	});
	expect(ofTask.message).toContain(`${task}`);
	const { pid } = task;
	const hint = await hintOf("EACCES", syscall, () => reader.run(() => Namespace.of(pid, "user")));
	expect(hint).toContain("PTRACE_MODE_READ");
});

needs("/proc").test("EPERM of time offsets in a task that has made no time namespace says: unshare first", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const hint = await hintOf("EPERM", "write", () => task.run(() => setTimeOffsets({ boottimeNs: 1 })));
	expect(hint).toContain('unshare(["time"])');
});

needs("/proc", "time namespaces").test(
	"another unshare after the first child makes offsets possible again",
	async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => unshare(["time"]));
		await using _child = await task.clone();
		const set = () => task.run(() => setTimeOffsets({ monotonicNs: 1n }));
		expect(await hintOf("EACCES", "write", set)).toContain('another unshare(["time"])');
		task.run(() => unshare(["time"]));
		set();
	},
);

test.each(["", "text"])("a file with the text '%s' is no namespace, and the hint says so", async (content) => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-leftover-"));
	try {
		const path = join(folder, "blue");
		writeFileSync(path, content);
		const says = expect.stringMatching(content === "" ? /no namespace.*may be left over/ : /no namespace$/);
		using file = openat2(path);
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		using far = task.put(file);
		expect(await hintOf("EINVAL", "setns", () => task.run(() => setns(far)))).toEqual(says);
		expect(await hintOf("EINVAL", "setns", () => task.batch(() => setns(far)))).toEqual(says);
		expect(await hintOf("ENOTTY", "ioctl", () => Task.thread({ join: [file] }))).toEqual(says);
		expect(await hintOf("ENOTTY", "ioctl", () => Namespace.open(path))).toEqual(says);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("a refusal that nothing explains has no hint", async () => {
	await using task = await Task.clone();
	const error = await reason(() => task.run(() => unshare(2 ** 32 - 1)));
	expect(error).toMatchObject({ code: "EINVAL", syscall: "unshare" });
	expect(error).not.toHaveProperty("hint");
});
