import { closeSync, openSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { openat2, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
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
