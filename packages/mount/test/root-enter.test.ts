import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chdir, type FileDescriptor, openat2, readdir, Task } from "@nearfar/core";
import { enterRoot, Mount, mount, mountSetattr, moveMount, openTree } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { mountsOf, ownMounts, sandbox } from "./sandbox.ts";

const mountinfo = (task: Task) => readFileSync(`/proc/${task.pid}/mountinfo`, "utf8");
const workingDirectory = (task: Task) => readlinkSync(`/proc/${task.pid}/cwd`);
const rootOf = (task: Task) => readlinkSync(`/proc/${task.pid}/root`);
/** Returns the numbers of the descriptors of a task. The call before lets the task close what it still has to close. */
function openNumbers(task: Task): string[] {
	task.run(() => openat2("/").close());
	return readdirSync(`/proc/${task.pid}/fd`);
}
const creat = { flags: ["creat", "wronly"], mode: 0o600 } as const;

/** Makes a detached tmpfs with a file in it. */
function labelled(file: string): Mount {
	const made = Mount.create("tmpfs", { source: "new-root", data: { mode: "755" } });
	made.open(file, creat).close();
	return made;
}

/** Expects that a task has the mount of {@link labelled} for its root, and that nothing of the former root is left. */
function expectRoot(task: Task, file: string): void {
	expect(mountsOf(task)).toMatchObject([{ at: "/", type: "tmpfs", source: "new-root" }]);
	expect([workingDirectory(task), rootOf(task)]).toEqual(["/", "/"]);
	task.run(() => {
		openat2(`/${file}`).close();
		openat2(file).close();
		openat2(`/../${file}`).close();
		expect(refusal(() => openat2("/usr"))).toMatchObject({ code: "ENOENT" });
	});
}

test("MNT-26 a detached mount becomes the root, and nothing of the former one is left", async () => {
	await using box = await sandbox();
	const made = box.task.run(() => {
		using root = labelled("file");
		enterRoot(root);
		expect(root.closed).toBe(false);
		return root.dup();
	});
	expectRoot(box.task, "file");
	box.task.run(() => made.open("file").close());
	made.close();
});

test("an attached mount becomes the root", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using root = labelled("file");
		moveMount(root, place);
		enterRoot(root);
	});
	expectRoot(box.task, "file");
});

test("a plain descriptor of the root of a mount is enough, and what is mounted below comes along", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("new-root", place, "tmpfs");
		box.folder("place/below");
		mount("label", `${place}/below`, "tmpfs");
		using root = openat2(place, { flags: ["path"] });
		enterRoot(root);
	});
	expect(mountsOf(box.task)).toMatchObject([
		{ at: "/", source: "new-root" },
		{ at: "/below", source: "label" },
	]);
});

test("a batch makes a mount and enters it", async () => {
	await using box = await sandbox();
	await box.task.batch(() => {
		using root = labelled("file");
		enterRoot(root);
		openat2("/second", creat).close();
	});
	expectRoot(box.task, "second");
});

test("a batch enters a mount that was made before, and executes a program in it", async () => {
	await using box = await sandbox();
	const root = box.task.run(() => openTree("/", { flags: ["clone", "recursive"] }));
	const exited = box.task.batch(() => {
		enterRoot(root);
		return box.task.exec("sh", ["sh", "-c", 'test "$PWD" = / && cd /.. && test -e usr']);
	});
	await exited;
	expect(await box.task.process.exited).toMatchObject({ code: 0 });
});

test("a root is entered twice, one after the other", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		using first = labelled("first");
		enterRoot(first);
		using second = labelled("second");
		enterRoot(second);
	});
	expectRoot(box.task, "second");
});

test.each([1, 2, 7])("%i mounts on the former root go along with it", async (count) => {
	await using box = await sandbox();
	const before = openNumbers(box.task);
	box.task.run(() => {
		for (let made = 0; made < count; made++) mount("on-root", "/", "tmpfs");
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(box.task, "file");
	expect(openNumbers(box.task)).toEqual(before);
});

test("mounts on the former root go along with it in a batch", async () => {
	await using box = await sandbox();
	await box.task.batch(() => {
		mount("on-root", "/", "tmpfs");
		mount("/usr", "/", null, { flags: ["bind", "rec"] });
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(box.task, "file");
});

test("a former root that stays, because too many mounts lie on it, is an error", async () => {
	await using box = await sandbox();
	const before = openNumbers(box.task);
	box.task.run(() => {
		for (let made = 0; made < 8; made++) mount("on-root", "/", "tmpfs");
		using root = labelled("file");
		expect(refusal(() => enterRoot(root))).toMatchObject({ code: "EBUSY", syscall: "umount2" });
	});
	expect(openNumbers(box.task)).toEqual(before);
});

test("where mounts lie on the present root, a refusal leaves all of them", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		mount(null, "/", null, { flags: ["rec", "shared"] });
		mount("on-root", "/", "tmpfs");
		const before = mountinfo(box.task);
		using root = labelled("file");
		expect(refusal(() => enterRoot(root))).toMatchObject({ code: "EINVAL", syscall: "pivot_root" });
		expect(mountinfo(box.task)).toBe(before);
	});
});

test("MNT-27 a descriptor from before still reaches the former root", async () => {
	await using box = await sandbox();
	const before = box.task.run(() => {
		const fd = openat2("/usr", { flags: ["path", "directory"] });
		using root = labelled("file");
		enterRoot(root);
		return fd;
	});
	box.task.run(() => openTree(before).close());
	before.close();
	expectRoot(box.task, "file");
});

test("no /proc is needed", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		mount("cover", "/proc", "tmpfs");
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(box.task, "file");
});

test("a task whose working directory was elsewhere ends in the new root", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		chdir(place);
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(box.task, "file");
});

test("what is no root of a mount, no directory, no descriptor, or of this process is refused, and nothing changes", async () => {
	await using box = await sandbox();
	const [plain, file] = [box.folder("plain"), box.file("file")];
	box.task.run(() => {
		chdir("/usr");
		const before = mountinfo(box.task);
		const refused = (fd: FileDescriptor) => refusal(() => enterRoot(fd));
		using folder = openat2(plain, { flags: ["path"] });
		expect(refused(folder)).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
		using bound = openTree(file, { flags: ["clone"] });
		expect(refused(bound)).toMatchObject({ code: "ENOTDIR" });
		using root = openat2("/", { flags: ["path"] });
		expect(refused(root).code).toMatch(/^(EINVAL|ELOOP)$/);
		expect(refusal(() => enterRoot("/" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
		expect(mountinfo(box.task)).toBe(before);
	});
	expect([workingDirectory(box.task), rootOf(box.task)]).toEqual(["/usr", "/"]);
	using near = openat2("/");
	expect(refusal(() => enterRoot(near)).code).toBe("ERR_NEARFAR_NEAR");
});

test("a task without the privilege is refused with EPERM, and nothing changes", async () => {
	await using box = await sandbox();
	using root = box.task.run(() => labelled("file"));
	using passed = box.task.get(root);
	await using unprivileged = await box.task.clone({ namespaces: ["user"] });
	using received = unprivileged.put(passed);
	const open = openNumbers(unprivileged);
	unprivileged.run(() => {
		expect(refusal(() => enterRoot(received))).toMatchObject({ code: "EPERM", syscall: "move_mount" });
		openat2("/").close();
	});
	expect(openNumbers(unprivileged)).toEqual(open);
});

test("where the present root is shared, the mount does not stay on /, here and among the peers", async () => {
	await using box = await sandbox();
	box.task.run(() => mount(null, "/", null, { flags: ["rec", "shared"] }));
	await using peer = await box.task.clone({ namespaces: ["mnt"] });
	const [outside, inside, open] = [mountinfo(box.task), mountinfo(peer), openNumbers(peer)];
	peer.run(() => {
		chdir("/usr");
		const root = labelled("file");
		expect(refusal(() => enterRoot(root))).toMatchObject({
			code: "EINVAL",
			syscall: "pivot_root",
			hint: expect.any(String),
		});
		root.close();
		openat2("/").close();
	});
	expect(openNumbers(peer)).toEqual(open);
	expect(mountinfo(box.task)).toBe(outside);
	expect(mountinfo(peer)).toBe(inside);
	expect(workingDirectory(peer)).toBe("/usr");
	const rejected = peer.batch(() => {
		using root = labelled("file");
		enterRoot(root);
	});
	await expect(rejected).rejects.toMatchObject({ code: "EINVAL", syscall: "pivot_root" });
	expect(mountinfo(box.task)).toBe(outside);
	expect(mountinfo(peer)).toBe(inside);
	peer.run(() => {
		mount(null, "/", null, { flags: ["rec", "private"] });
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(peer, "file");
	expect(mountinfo(box.task)).toBe(outside);
});

test("a copy of a shared mount has to be private to become the root", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		mount(null, place, null, { flags: ["shared"] });
		const before = mountinfo(box.task);
		using shared = openTree(place, { flags: ["clone"] });
		expect(refusal(() => enterRoot(shared))).toMatchObject({ code: "EINVAL", syscall: "pivot_root" });
		expect(mountinfo(box.task)).toBe(before);
		using copy = openTree(place, { flags: ["clone"] });
		mountSetattr(copy, { propagation: "private" });
		enterRoot(copy);
	});
	expect(mountsOf(box.task)).toMatchObject([{ at: "/", source: "label" }]);
});

test("mounts that peers have below the former root are not unmounted along with it", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("parent", place, "tmpfs");
		mount(null, place, null, { flags: ["shared"] });
		box.folder("place/child");
		mount("child", `${place}/child`, "tmpfs");
	});
	await using peer = await box.task.clone({ namespaces: ["mnt"] });
	const outside = mountinfo(box.task);
	peer.run(() => {
		using root = labelled("file");
		enterRoot(root);
	});
	expectRoot(peer, "file");
	expect(mountinfo(box.task)).toBe(outside);
});

needs("root").test("a task whose root is no mount is refused, and the mount does not stay", async () => {
	await using box = await sandbox();
	const SYS_chroot = process.arch === "arm64" ? 51 : 161;
	const root = box.task.run(() => labelled("file"));
	const before = mountinfo(box.task);
	box.task.syscall(SYS_chroot, Buffer.from("/usr\0"));
	expect(box.task.run(() => refusal(() => enterRoot(root)))).toMatchObject({ code: "EINVAL", syscall: "pivot_root" });
	box.task.run(() => root.close());
	box.task.syscall(SYS_chroot, Buffer.from(".\0"));
	expect(mountinfo(box.task).split("\n").length).toBeLessThanOrEqual(before.split("\n").length);
});

test("a batch of another process is refused near", async () => {
	using near = openat2("/");
	let code: string | undefined;
	await Task.near.batch(() => {
		code = refusal(() => enterRoot(near)).code;
	});
	expect(code).toBe("ERR_NEARFAR_NEAR");
	expect(ownMounts.namespaces).toContain("mnt");
});

test("a task in the mount namespace of Node is refused, and its child with one of its own is not", async () => {
	await using shared = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const refused = shared.run(() => {
		using root = openat2("/", { flags: ["path", "directory"] });
		return refusal(() => enterRoot(root));
	});
	expect(refused.code).toBe("ERR_NEARFAR_NEAR");
	await using own = await shared.clone({ namespaces: ["mnt"] });
	own.run(() => {
		using scratch = Mount.create("tmpfs");
		enterRoot(scratch);
		expect(readdir("/")).toEqual([]);
	});
});
