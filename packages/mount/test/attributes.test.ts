import { symlinkSync, writeFileSync } from "node:fs";
import { Location, openat2, Task } from "@nearfar/core";
import { mount, mountSetattr, moveMount, openTree } from "@nearfar/mount";
import { expect, test } from "vitest";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { mountAt, sandbox } from "./sandbox.ts";

const syscall = "mount_setattr";

test("NMA-16 unknown bits and two kinds of propagation are refused, set and clear go together", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const refused = (...args: Parameters<typeof mountSetattr>) => refusal(() => mountSetattr(...args));
		expect(refused(place, { set: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall, path: place });
		expect(refused(place, { set: 2 ** 40 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { clear: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { propagation: 0x14_0000 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { set: ["noatime"] })).toMatchObject({ code: "EINVAL", syscall });
		mountSetattr(place, { set: ["nosuid", "nodev"], clear: ["nosuid", "noexec"], propagation: "shared" });
	});
	expect(mountAt(box.task, place)?.options).toEqual(expect.arrayContaining(["nosuid", "nodev"]));
	expect(mountAt(box.task, place)?.propagation).toEqual(["shared"]);
});

test("what mountSetattr refuses besides", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		neverOpen((fd) => {
			expect(refusal(() => mountSetattr(fd, { set: ["rdonly"] }))).toMatchObject({ code: "EBADF", syscall });
			expect(refusal(() => mountSetattr(fd, {}))).toEqual({});
		});
		const missing = refusal(() => mountSetattr(box.inside("missing"), { set: ["rdonly"] }));
		expect(missing).toMatchObject({ code: "ENOENT", syscall });
		using _writer = openat2(`${place}/file`, { flags: ["creat", "wronly"], mode: 0o600 });
		expect(refusal(() => mountSetattr(place, { set: ["rdonly"] }))).toMatchObject({ code: "EBUSY", syscall });
	});
	await using task = await Task.clone({ namespaces: ["user"] });
	const refused = task.run(() => refusal(() => mountSetattr("/proc", { set: ["rdonly"] })));
	expect(refused).toMatchObject({ code: "EPERM", syscall });
});

test("NMA-20 only a mount of this namespace, or a detached one", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	using near = openat2("/", { flags: ["path", "directory"] });
	using other = box.task.put(near);
	box.task.run(() => {
		const foreign = refusal(() => mountSetattr(other, { set: ["nodev"] }));
		expect(foreign).toMatchObject({ code: "EINVAL", syscall });
		const none = refusal(() => mountSetattr(plain, { set: ["nodev"] }));
		expect(none).toMatchObject({ code: "EINVAL", syscall });
		using tree = openTree(plain, { flags: ["clone"] });
		mountSetattr(tree, { set: ["nodev"] });
		moveMount(tree, place);
	});
	expect(mountAt(box.task, place)?.options).toContain("nodev");
});

test("atime is one choice, whatever it was before", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs"));
	const atimes = { noatime: ["noatime"], strictatime: [], relatime: ["relatime"] };
	for (const atime of ["noatime", "strictatime", "relatime"] as const) {
		box.task.run(() => mountSetattr(place, { atime }));
		expect(mountAt(box.task, place)?.options.filter((option) => option.endsWith("atime"))).toEqual(atimes[atime]);
	}
	box.task.run(() => mountSetattr(place, { atime: "noatime", set: ["nodiratime"] }));
	box.task.run(() => mountSetattr(place, { set: ["nosuid"] }));
	expect(mountAt(box.task, place)?.options).toEqual(["rw", "nosuid", "noatime", "nodiratime"]);
});

test("recursive changes everything below, or nothing", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs"));
	const below = box.folder("place/below");
	box.task.run(() => {
		mount("below", below, "tmpfs");
		mountSetattr(place, { set: ["noexec"], propagation: "unbindable" });
		{
			using _writer = openat2(`${below}/file`, { flags: ["creat", "wronly"], mode: 0o600 });
			const refused = refusal(() => mountSetattr(place, { set: ["rdonly"], recursive: true }));
			expect(refused).toMatchObject({ code: "EBUSY", syscall });
		}
	});
	writeFileSync(box.outside("place/file"), "");
	expect(mountAt(box.task, below)?.options).not.toContain("noexec");
	expect(mountAt(box.task, place)?.propagation).toEqual(["unbindable"]);
	box.task.run(() => mountSetattr(place, { set: ["rdonly"], propagation: "private", recursive: true }));
	expect(mountAt(box.task, place)?.options).toContain("ro");
	expect(mountAt(box.task, below)?.options).toContain("ro");
	expect(mountAt(box.task, place)?.propagation).toEqual([]);
	expect(refusal(() => writeFileSync(box.outside("place/below/file"), ""))).toMatchObject({ code: "EROFS" });
});

test("a Location decides whether a link is followed", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	symlinkSync("place", box.outside("link"));
	const link = box.inside("link");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const unfollowed = new Location(undefined, link, { symlinks: false });
		expect(refusal(() => mountSetattr(unfollowed, { set: ["nodev"] }))).toMatchObject({ code: "EINVAL", syscall });
		mountSetattr(link, { set: ["nodev"] });
	});
	expect(mountAt(box.task, place)?.options).toContain("nodev");
});
