import { closeSync, openSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type FileDescriptor, openat2, Task } from "@nearfar/core";
import { type MountData, MountFlags, mount, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, sandbox } from "./sandbox.ts";

test("MNT-01 what mount refuses", async () => {
	await using box = await sandbox();
	const [place, file] = [box.folder("place"), box.file("file")];
	const refused = (...args: Parameters<typeof mount>) => box.task.run(() => refusal(() => mount(...args)));
	const syscall = "mount";
	expect(refused("none", place, "nosuchfs")).toMatchObject({ code: "ENODEV", syscall, path: "none", dest: place });
	expect(refused("none", place, null)).toMatchObject({ code: "EINVAL", syscall });
	expect(refused("none", box.inside("missing"), "tmpfs")).toMatchObject({ code: "ENOENT", syscall });
	expect(refused("none", `${file}/below`, "tmpfs")).toMatchObject({ code: "ENOTDIR", syscall });
	expect(refused("none", file, "tmpfs")).toMatchObject({ code: "ENOTDIR", syscall });
	expect(refused("none", box.inside("n".repeat(256)), "tmpfs")).toMatchObject({ code: "ENAMETOOLONG", syscall });
	expect(refused(box.inside("missing"), place, null, { flags: ["bind"] })).toMatchObject({ code: "ENOENT", syscall });
	expect(refused(null, place, null, { flags: ["bind"] })).toMatchObject({ code: "EINVAL", syscall, path: place });
	expect(box.task.state).toBe("live");
});

needs("root", "the file system ext4").test("MNT-01 a character device is no source", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		expect(refusal(() => mount("/dev/null", place, "ext4"))).toMatchObject({ code: "ENOTBLK", syscall: "mount" });
	});
});

test("mount without privilege is EPERM", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	const refused = task.run(() => refusal(() => mount("none", "/tmp", "tmpfs")));
	expect(refused).toMatchObject({ code: "EPERM", syscall: "mount", path: "none", dest: "/tmp", task: String(task) });
});

needs("an ordinary user").test("mount near is this process's own", () => {
	const refused = refusal(() => mount("none", "/tmp", "tmpfs"));
	expect(refused).toMatchObject({ code: "EPERM", syscall: "mount" });
	expect(refused).not.toHaveProperty("task");
});

test("mount near works where this process may: Node as root of its own mounts", async () => {
	await using box = await sandbox();
	const fixture = fixturePath("mount/near");
	const child = box.task.exec(process.execPath, [process.execPath, fixture, box.folder("place")]);
	await child.check();
});

test("a mount is there, as asked for, and nowhere else", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs", { flags: ["nosuid", "noexec"], data: "size=1m,mode=711" }));
	const made = mountAt(box.task, place);
	expect(made).toMatchObject({ type: "tmpfs", source: "label", root: "/" });
	expect(made?.options).toEqual(expect.arrayContaining(["nosuid", "noexec"]));
	expect(made?.data).toContain("size=1024k");
	expect(statSync(box.outside("place")).mode & 0o7777).toBe(0o711);
	expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(place);
});

test("mount takes no source, numbers for flags, bytes and descriptors for paths", async () => {
	await using box = await sandbox();
	const [bytes, number, descriptor] = [box.folder("bytes"), box.folder("number"), box.folder("descriptor")];
	box.task.run(() => {
		mount(undefined, Buffer.from(bytes), "tmpfs");
		mount("label", number, "tmpfs", { flags: 0x1 });
		using place = openat2(descriptor, { flags: ["path"] });
		mount("label", place, "tmpfs");
	});
	expect(mountAt(box.task, bytes)).toMatchObject({ source: "none" });
	expect(mountAt(box.task, number)?.options).toContain("ro");
	expect(mountAt(box.task, descriptor)).toMatchObject({ type: "tmpfs" });
});

test("mounts of a batch are made in one message, up to the first that is refused", async () => {
	await using box = await sandbox();
	const [a, b, c] = [box.folder("a"), box.folder("b"), box.folder("c")];
	await box.task.batch(() => {
		mount("one", a, "tmpfs");
		mount(a, b, null, { flags: ["bind"] });
	});
	expect(mountAt(box.task, b)).toMatchObject({ source: "one" });
	const batch = box.task.batch(() => {
		mount("two", c, "tmpfs");
		mount("three", box.inside("missing"), "tmpfs");
		mount("four", c, "tmpfs");
	});
	await expect(batch).rejects.toMatchObject({ code: "ENOENT", syscall: "mount", step: 1 });
	expect(mountAt(box.task, c)).toMatchObject({ source: "two" });
});

test("MNT-14 nosymfollow: a link is read, not followed", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs", { flags: ["nosymfollow"] }));
	box.file("place/file", "content");
	symlinkSync("file", box.outside("place/link"));
	expect(readlinkSync(box.outside("place/link"))).toBe("file");
	expect(box.task.run(() => refusal(() => openat2(`${place}/link`)))).toMatchObject({ code: "ELOOP" });
	box.task.run(() => openat2(`${place}/file`).close());
});

test("MNT-15 options of tmpfs", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const tmpfs = (data: string) => box.task.run(() => mount("label", place, "tmpfs", { data }));
	for (const data of ["bogus=1", "size=-1"]) {
		expect(refusal(() => tmpfs(data))).toMatchObject({ code: "EINVAL", syscall: "mount" });
	}
	tmpfs("size=64k,mode=0701");
	expect(statSync(box.outside("place")).mode & 0o7777).toBe(0o701);
	writeFileSync(box.outside("place/full"), Buffer.alloc(65536));
	const more = openSync(box.outside("place/more"), "w");
	expect(refusal(() => writeFileSync(more, "x"))).toMatchObject({ code: "ENOSPC" });
	closeSync(more);
	const shrink = () => box.task.run(() => mount(null, place, null, { flags: ["remount"], data: "size=4k" }));
	expect(refusal(shrink)).toMatchObject({ code: "EINVAL", syscall: "mount" });
	tmpfs("size=0");
	writeFileSync(box.outside("place/large"), Buffer.alloc(1 << 20));
});

test("MNT-15 options of tmpfs as text, as a list and as an object", async () => {
	await using box = await sandbox();
	const forms: MountData[] = [
		"size=64k,mode=0701,inode64",
		["size=64k", "mode=0701", "inode64"],
		{ size: 65536, mode: "0701", inode64: true, huge: undefined, inode32: false },
		MountFlags.split("noauto,size=1m,mode=0701,inode64,size=64k").data,
	];
	for (const [index, data] of forms.entries()) {
		const place = box.folder(`place${index}`);
		box.task.run(() => mount("label", place, "tmpfs", { data }));
		expect(statSync(box.outside(`place${index}`)).mode & 0o7777).toBe(0o701);
		expect(mountAt(box.task, place)?.data.split(",")).toEqual(expect.arrayContaining(["size=64k", "mode=701"]));
	}
	const place = box.folder("place");
	for (const data of [["bogus=1"], { size: -1 }, { mode: "999" }, { size: "" }]) {
		const refused = box.task.run(() => refusal(() => mount("label", place, "tmpfs", { data })));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount" });
	}
	expect(mountAt(box.task, place)).toBeUndefined();
});

test("MNT-16 a number that is not whole is refused before any call", async () => {
	await using box = await sandbox();
	for (const size of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -0]) {
		const refused = box.task.run(() =>
			refusal(() => mount("label", box.inside("missing"), "tmpfs", { data: { size } })),
		);
		expect(refused).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	}
});

test("flags can be a MountFlags, with its bits that have no name", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const { flags, data } = MountFlags.split("rw,noexec,size=1m,mode=700", ["nosuid", "rdonly"]);
	const kernelIgnores = 2 ** 30; // SB_BORN, a bit that the kernel masks
	box.task.run(() => mount("label", place, "tmpfs", { flags: MountFlags.from(flags.bits + kernelIgnores), data }));
	expect(mountAt(box.task, place)?.options).toEqual(["rw", "nosuid", "noexec", "relatime"]);
});

test("options of 4095 bytes reach the kernel whole, options of 4096 bytes are refused", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const tmpfs = (data: MountData) => box.task.run(() => mount("label", place, "tmpfs", { data }));
	const options = (digits: number) => [...Array<string>(510).fill("size=1m"), `mode=${"701".padStart(digits, "0")}`];
	for (const form of [(list: string[]) => list, (list: string[]) => list.join(",")]) {
		expect(refusal(() => tmpfs(form(options(11))))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(mountAt(box.task, place)).toBeUndefined();
		tmpfs(form(options(10)));
		expect(statSync(box.outside("place")).mode & 0o7777).toBe(0o701);
		box.task.run(() => umount(place));
	}
});

needs("the file system overlay").test("moby #40939 text for overlay keeps its own escapes", async () => {
	await using box = await sandbox();
	const [lower, upper, work, place] = [
		box.folder("lo:w,er"),
		box.folder("up,per"),
		box.folder("work"),
		box.folder("place"),
	];
	box.file("lo:w,er/file", "content");
	const escaped = (path: string) => path.replace(/[\\:,]/g, "\\$&");
	const overlay = (data: MountData) => box.task.run(() => mount("overlay", place, "overlay", { data }));
	for (const data of [[`lowerdir=${escaped(lower)}`], { lowerdir: escaped(lower), upperdir: upper, workdir: work }]) {
		expect(refusal(() => overlay(data))).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	}
	overlay(`lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${work},userxattr`);
	expect(readFileSync(box.outside("place/file"), "utf8")).toBe("content");
	writeFileSync(box.outside("place/new"), "");
	expect(statSync(box.outside("up,per/new")).isFile()).toBe(true);
});

test("a descriptor in the options has to be one of the task, and open before the batch", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const fuse = (fd: FileDescriptor) =>
		mount("label", place, "fuse", { data: { fd, rootmode: "40000", user_id: 0, group_id: 0 } });
	using near = openat2("/", { flags: ["path"] });
	expect(box.task.run(() => refusal(() => fuse(near)))).toMatchObject({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
	const batch = box.task.batch(() => {
		mount("label", place, "tmpfs");
		fuse(openat2("/", { flags: ["path"] }));
	});
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(mountAt(box.task, place)).toBeUndefined();
	// The kernel gets the number, and refuses the open file, which is no /dev/fuse.
	const refused = box.task.run(() => {
		using fd = openat2("/", { flags: ["path"] });
		return refusal(() => fuse(fd));
	});
	expect(refused).toMatchObject({ syscall: "mount" });
});

needs("the program mount").test("options of fstab make the mount that mount(8) makes of them", async () => {
	await using box = await sandbox();
	const lists = [
		"defaults,size=1m",
		"ro,nosuid,nodev,noexec,size=1m,mode=700",
		"rw,suid,nosuid,dev,exec,noexec,exec,size=1m,size=2m",
		"sync,dirsync,lazytime,nosymfollow,mode=711",
		"noatime,nodiratime,noauto,nofail,_netdev,comment=a,x-systemd.automount,X-a,size=3m",
		"strictatime,nolazytime,silent,loud,async,size=1m",
		"noatime,atime,relatime,nodiratime,diratime,nr_inodes=77",
	];
	for (const [index, options] of lists.entries()) {
		const [ours, theirs] = [box.folder(`ours${index}`), box.folder(`theirs${index}`)];
		const { flags, data } = MountFlags.split(options);
		box.task.run(() => mount("label", ours, "tmpfs", { flags, data }));
		await using child = await box.task.clone();
		await child.exec("mount", ["mount", "-n", "-i", "-t", "tmpfs", "-o", options, "label", theirs]).check();
		expect({ ...mountAt(box.task, ours), at: "" }).toEqual({ ...mountAt(box.task, theirs), at: "" });
	}
});
