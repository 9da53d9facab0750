import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NamespaceKind, openat2, type SyscallError, Task } from "@nearfar/core";
import { Namespace, setns } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { has, isRoot, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { readPages } from "../src/namespace-list.ts";
import { dumpable, namespaceOf, SYS_ioctl } from "./tasks.ts";

const ENOTTY = 25;

test("NST-36 what the requests of a namespace refuse", async () => {
	await using task = await dumpable();
	using uts = Namespace.of(task, "uts");
	using user = Namespace.of(task, "user");
	expect(refusal(() => uts.parent())).toMatchObject({ code: "EINVAL", syscall: "ioctl" });
	expect(refusal(() => uts.ownerUid())).toMatchObject({ code: "EINVAL", syscall: "ioctl" });
	const ofMounts = has("Linux 6.12") ? "EINVAL" : "ENOTTY"; // a kernel that does not know the request does not look at the kind
	expect(refusal(() => uts.mountInfo())).toMatchObject({ code: ofMounts, syscall: "ioctl" });
	const ofPids = has("Linux 6.11") ? "EINVAL" : "ENOTTY";
	expect(refusal(() => uts.pidInside(1))).toMatchObject({ code: ofPids, syscall: "ioctl" });
	expect(refusal(() => Namespace.open("/"))).toMatchObject({ code: "ENOTTY", syscall: "ioctl", path: "/" });
	expect(task.run(() => Namespace.current("user").owner())).toBeUndefined(); // above the task
	expect(user.ownerUid()).toBe(process.geteuid?.());
});

test("NST-37 the owner of a network namespace, and the parents up to Node's", async () => {
	await using task = await dumpable();
	using net = Namespace.of(task, "net");
	using owner = net.owner();
	using user = Namespace.of(task, "user");
	using own = Namespace.current("user");
	expect(owner?.same(user)).toBe(true);
	expect(owner?.kind).toBe("user");
	using parent = user.parent();
	expect(parent?.same(own)).toBe(true);
	using pids = Namespace.of(task, "pid");
	using outer = pids.parent();
	using ownPids = Namespace.current("pid");
	expect(outer?.same(ownPids)).toBe(true);
});

needs("Linux 6.11").test("a pid is translated into a pid namespace and out of it", async () => {
	await using task = await dumpable();
	using pids = Namespace.of(task, "pid");
	expect(pids.pidInside(task.pid)).toBe(1);
	expect(pids.pidOutside(1)).toBe(task.pid);
	expect(refusal(() => pids.pidOutside(4711)).code).toBe("ESRCH");
	expect(refusal(() => pids.pidInside(process.pid)).code).toBe("ESRCH");
	expect(refusal(() => pids.pidInside(0)).code).toBe("ERR_OUT_OF_RANGE");
});

test("ids and inodes tell namespaces apart, and a kernel without ids has none", async () => {
	await using task = await dumpable();
	using net = Namespace.of(task, "net");
	using own = Namespace.current("net");
	expect(`net:[${net.ino}]`).toBe(namespaceOf(task, "net"));
	expect(net.same(own)).toBe(false);
	using copy = net.dup();
	expect(copy.same(net)).toBe(true);
	expect(copy).toBeInstanceOf(Namespace);
	expect(net.id === undefined || net.id !== own.id).toBe(true);
	await using guest = await Task.clone();
	using far = guest.put(net);
	expect(far).toBeInstanceOf(Namespace);
	expect(far.id).toBe(net.id);
	expect(far.same(net)).toBe(true);
	forbid(guest, SYS_ioctl, ENOTTY);
	expect(far.id).toBeUndefined();
	expect(far.kind).toBe("net"); // remembered with the open file
});

needs("Linux 6.12").test("a mount namespace has an id and a number of mounts", async () => {
	await using task = await dumpable();
	using mounts = Namespace.of(task, "mnt");
	const { id, mounts: count } = mounts.mountInfo();
	expect(id).toBe(mounts.id);
	expect(count).toBeGreaterThan(0);
});

needs("Linux 6.12").test(
	"the next and the previous mount namespace are for the administrator of the machine",
	async () => {
		await using task = await dumpable();
		using mounts = Namespace.of(task, "mnt");
		using put = task.put(mounts);
		for (const step of ["next", "previous"] as const) {
			const error = refusal(() => task.run(() => put[step]())) as unknown as SyscallError;
			expect(error).toMatchObject({ code: "EPERM", syscall: "ioctl", task: String(task) });
			expect(error.hint).toContain("initial");
			using uts = task.run(() => Namespace.current("uts"));
			expect(refusal(() => task.run(() => uts[step]())).code).toBe("EPERM"); // before the kind is looked at
		}
		if (!isRoot) return;
		try {
			using next = mounts.next();
			using back = next?.previous();
			if (next) expect(back?.same(mounts)).toBe(true);
			expect(next?.kind ?? "mnt").toBe("mnt");
		} catch (error) {
			expect((error as SyscallError).code).toBe("EPERM"); // root of a container
		}
	},
);

test("NST-45 a handle opens the namespace again, from another namespace it is stale", async () => {
	using net = Namespace.current("net");
	let handle: Buffer;
	try {
		handle = net.toHandle();
	} catch (error) {
		expect((error as SyscallError).syscall).toBe("name_to_handle_at"); // before Linux 6.18
		return;
	}
	expect(handle.length).toBe(24);
	using again = Namespace.fromHandle(handle);
	expect(again.same(net)).toBe(true);
	expect(again.closeOnExec).toBe(true);
	expect(again.kind).toBe("net");
	await using task = await dumpable();
	const stale = { code: "ESTALE", syscall: "open_by_handle_at" };
	expect(refusal(() => task.run(() => Namespace.fromHandle(handle)))).toMatchObject(stale);
	const gone = await dumpable();
	let old: Buffer;
	{
		using ended = Namespace.of(gone, "net");
		old = ended.toHandle();
	}
	await gone.exit();
	let code: string | undefined;
	while (code === undefined) {
		// The kernel frees a network namespace some time after its last process.
		code = refusal(() => Namespace.fromHandle(old).close()).code;
		await new Promise(setImmediate);
	}
	expect(code).toBe("ESTALE");
	for (const at of [16, 20]) {
		const cleared = Buffer.from(handle);
		cleared.writeUInt32LE(0, at);
		expect(refusal(() => Namespace.fromHandle(cleared))).toMatchObject(stale);
	}
});

test("bytes that are no handle reach no kernel", () => {
	const long = new Uint8Array(24);
	long[0] = 128; // more than there are
	for (const bytes of [new Uint8Array(0), new Uint8Array(24), new Uint8Array(500), long]) {
		expect(refusal(() => Namespace.fromHandle(bytes)).code).toBe("ERR_INVALID_ARG_VALUE");
	}
	expect(refusal(() => Namespace.fromHandle("net" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});

test("NST-47 a kernel without listns says ENOSYS, and one that has it lists the own namespaces", () => {
	const own = Namespace.current("user");
	try {
		const ids = Namespace.list({ kinds: ["user"] });
		expect(ids).toContain(own.id);
	} catch (error) {
		expect(error).toMatchObject({ code: "ENOSYS", syscall: "listns" });
		expect(refusal(() => Namespace.list({ owner: own }))).toMatchObject({ code: "ENOSYS", syscall: "listns" });
	} finally {
		own.close();
	}
	expect(refusal(() => Namespace.list({ kinds: [] })).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => Namespace.list({ kinds: ["newnet" as NamespaceKind] })).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => Namespace.list({ after: -1n })).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => Namespace.list({ after: 1 as never })).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Namespace.list({ owner: "user" as never })).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Namespace.list({ owners: own } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
});

test("a list is read page by page until a page is empty", () => {
	const all = [1n, 2n, 3n, 4n, 5n];
	const after: bigint[] = [];
	const read = (id: bigint) => {
		after.push(id);
		return all.filter((each) => each > id).slice(0, 2);
	};
	expect(readPages(1n, read)).toEqual([2n, 3n, 4n, 5n]);
	expect(after).toEqual([1n, 3n, 5n]);
});

test("skydive 525 a file without a namespace is ENOTTY, and an empty one says what is left over", () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-"));
	try {
		const [empty, full] = [join(folder, "empty"), join(folder, "full")];
		writeFileSync(empty, "");
		writeFileSync(full, "text");
		const error = refusal(() => Namespace.open(empty));
		expect(error).toMatchObject({ code: "ENOTTY", syscall: "ioctl", path: empty });
		expect((error as unknown as SyscallError).hint).toContain("unpin");
		expect(refusal(() => Namespace.open(full))).toMatchObject({ code: "ENOTTY", syscall: "ioctl", path: full });
		expect((refusal(() => Namespace.open(full)) as unknown as SyscallError).hint).toMatch(/no namespace$/);
		expect(refusal(() => Namespace.open(join(folder, "none")))).toMatchObject({ code: "ENOENT", syscall: "openat2" });
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("a file is opened by its path and by a descriptor of it, and another kind is refused", () => {
	using uts = Namespace.open("/proc/self/ns/uts", "uts");
	expect(uts.kind).toBe("uts");
	using path = openat2("/proc/self/ns/uts", { flags: ["path"] });
	using again = Namespace.open(path);
	expect(again.same(uts)).toBe(true);
	expect(refusal(() => Namespace.open("/proc/self/ns/uts", "net"))).toMatchObject({
		code: "EINVAL",
		path: "/proc/self/ns/uts",
	});
	expect(refusal(() => Namespace.open("/proc/self/ns/uts", "newuts" as never)).code).toBe("ERR_INVALID_ARG_VALUE");
});

test("a batch opens a file whose kind is said, and only join finds another kind", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const wrong = task.batch(() => Namespace.open("/proc/self/ns/uts", "net").join());
	await expect(wrong).rejects.toMatchObject({ code: "EINVAL", syscall: "setns" });
	using net = await task.batch(() => {
		const net = Namespace.open("/proc/self/ns/net", "net");
		return net;
	});
	expect(net.kind).toBe("net");
	using said = await task.batch(() => Namespace.open("/proc/self/ns/uts", "net"));
	expect(said.kind).toBe("uts"); // the kernel is asked when that is possible
	await expect(task.batch(() => Namespace.open("/proc/self/ns/uts"))).rejects.toMatchObject({
		code: "ERR_NEARFAR_BATCH",
	});
});

test("what returns a value is refused in a batch", async () => {
	await using task = await Task.clone();
	const far = task.run(() => Namespace.current("mnt"));
	const calls = [
		() => far.id,
		() => far.ino,
		() => far.same(far),
		() => far.owner(),
		() => far.parent(),
		() => far.ownerUid(),
		() => far.pidInside(1),
		() => far.pidOutside(1),
		() => far.mountInfo(),
		() => far.next(),
		() => far.previous(),
		() => far.toHandle(),
		() => Namespace.fromHandle(new Uint8Array(24)),
		() => Namespace.list(),
	];
	for (const call of calls)
		await expect(task.batch<unknown>(call)).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(await task.batch(() => far.kind)).toBe("mnt"); // remembered
});

test("runc 960, util-linux 1510 the user namespace comes first, and the own one again is EINVAL", async () => {
	await using home = await dumpable();
	await using guest = await Task.clone();
	if (!isRoot) {
		expect(refusal(() => guest.run(() => Namespace.of(home, "net").join()))).toMatchObject({
			code: "EPERM",
			syscall: "setns",
		});
	}
	const join = () => {
		for (const kind of ["user", "net"] as const) {
			using namespace = Namespace.of(home, kind);
			namespace.join();
		}
	};
	// A batch cannot look for the namespaces in /proc, where they are found before Linux 6.11.
	if (has("Linux 6.11")) await guest.batch(join);
	else guest.run(join);
	expect(namespaceOf(guest, "net")).toBe(namespaceOf(home, "net"));
	const again = refusal(() => guest.run(() => Namespace.current("user").join()));
	expect(again).toMatchObject({ code: "EINVAL", syscall: "setns" });
	using own = Namespace.current("uts");
	expect(refusal(() => own.join()).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(refusal(() => guest.run(() => own.join())).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
});

test("the text of a namespace never throws", async () => {
	const net = Namespace.current("net");
	const text = String(net);
	net.close();
	expect(String(net)).toBe(text);
	const uts = Namespace.current("uts");
	uts.close();
	expect(String(uts)).toContain("uts");
	const task = await Task.clone();
	const far = task.run(() => Namespace.current("ipc"));
	await task.exit();
	expect(String(far)).toContain("ipc");
	await using other = await Task.clone();
	using made = await other.batch(() => {
		const made = Namespace.current("net");
		expect(String(made)).toContain("net");
		return made;
	});
	expect(String(made)).toBe(namespaceOf(other, "net"));
});

needs("root").test(
	"netns 1, a thread of Node has namespaces of its own, and the current ones are the thread's",
	async () => {
		await using thread = await Task.thread({ namespaces: ["net", "uts"] });
		using own = thread.run(() => Namespace.current("net"));
		using near = Namespace.current("net");
		expect(own.same(near)).toBe(false);
		expect(String(own)).toBe(readlinkSync(`/proc/self/task/${thread.tid}/ns/net`));
		using byThread = Namespace.of(thread, "net");
		expect(byThread.same(own)).toBe(true);
		await using task = await Task.clone();
		using far = task.run(() => Namespace.of(thread, "net"));
		expect(far.table).toBe(task.fdTable);
		expect(far.same(own)).toBe(true);
		await using other = await Task.thread();
		other.run(() => {
			own.join();
			using uts = Namespace.of(thread, "uts");
			setns(uts);
		});
		using joined = Namespace.of(other, "net");
		expect(joined.same(own)).toBe(true);
		using user = other.run(() => Namespace.current("user"));
		expect(refusal(() => other.run(() => user.join())).code).toBe("ERR_NEARFAR_MULTITHREADED");
		await other[Symbol.asyncDispose]();
		expect(refusal(() => Namespace.of(other, "net")).code).toBe("ESRCH");
	},
);
