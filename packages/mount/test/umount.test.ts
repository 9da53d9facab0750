import { symlinkSync } from "node:fs";
import { Location, openat2, Task } from "@nearfar/core";
import { mount, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, sandbox } from "./sandbox.ts";

const syscall = "umount2";

test("MNT-11 what umount refuses", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	symlinkSync("place", box.outside("link"));
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const refused = (...args: Parameters<typeof umount>) => refusal(() => umount(...args));
		expect(refused(plain)).toMatchObject({ code: "EINVAL", syscall, path: plain });
		expect(refused(box.inside("missing"))).toMatchObject({ code: "ENOENT", syscall });
		expect(refused(box.inside("n".repeat(256)))).toMatchObject({ code: "ENAMETOOLONG", syscall });
		expect(refused(box.inside("link"), { flags: ["nofollow"] })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { flags: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { flags: ["expire", "detach"] })).toMatchObject({ code: "EINVAL", syscall });
		const link = new Location(undefined, box.inside("link"), { symlinks: false });
		expect(refused(link)).toMatchObject({ code: "EINVAL", syscall });
	});
	expect(mountAt(box.task, place)).toBeDefined();
	box.task.run(() => umount(new Location(undefined, box.inside("link"))));
	expect(mountAt(box.task, place)).toBeUndefined();
});

test("MNT-11 a busy mount is only detached, and lives on in what is open", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		using file = openat2(`${place}/file`, { flags: ["creat", "rdwr"], mode: 0o600 });
		expect(refusal(() => umount(place))).toMatchObject({ code: "EBUSY", syscall });
		umount(place, { flags: ["detach"] });
		expect(mountAt(box.task, place)).toBeUndefined();
		file.write("still there");
		expect(file.read(64, { position: 0 }).toString()).toBe("still there");
	});
});

test("MNT-11 umount without privilege is EPERM", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	expect(task.run(() => refusal(() => umount("/proc")))).toMatchObject({ code: "EPERM", syscall, path: "/proc" });
});

test("expire marks first", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		expect(refusal(() => umount(place, { flags: ["expire"] }))).toMatchObject({ code: "EAGAIN", syscall });
		umount(place, { flags: ["expire"] });
	});
	expect(mountAt(box.task, place)).toBeUndefined();
});

test("what umount takes away is the topmost; a descriptor as target keeps it busy", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("lower", place, "tmpfs");
		mount("upper", place, "tmpfs");
		using root = openat2(place, { flags: ["path"] });
		expect(refusal(() => umount(root))).toMatchObject({ code: "EBUSY", syscall });
		umount(root, { flags: ["detach"] });
	});
	expect(mountAt(box.task, place)).toMatchObject({ source: "lower" });
});
