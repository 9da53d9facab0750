import { writeFileSync } from "node:fs";
import { Location, openat2, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { mount, pivotRoot, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { has } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { arm64, mountsOf, sandbox } from "./sandbox.ts";

const SYS_getcwd = arm64 ? 17 : 79;
const syscall = "pivot_root";

test("MNT-24 what pivotRoot refuses", async () => {
	await using box = await sandbox();
	const [place, plain, outside] = [box.folder("place"), box.folder("plain"), box.folder("outside")];
	const file = box.file("file");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const refused = (...args: Parameters<typeof pivotRoot>) => refusal(() => pivotRoot(...args));
		expect(refused(plain, plain)).toMatchObject({ code: "EINVAL", syscall, path: plain, dest: plain });
		// In a less privileged namespace the kernel checks first that the root is locked.
		expect(refused("/", "/")).toMatchObject({ code: has("root") ? "EBUSY" : "EINVAL", syscall });
		expect(refused(place, outside)).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(file, file)).toMatchObject({ code: "ENOTDIR", syscall });
		expect(refused(box.inside("missing"), place)).toMatchObject({ code: "ENOENT", syscall });
		neverOpen((fd) => expect(refused(fd, place)).toMatchObject({ code: "ENOENT", syscall }));
		mount(null, place, null, { flags: ["shared"] });
		expect(refused(place, place)).toMatchObject({ code: "EINVAL", syscall });
	});
});

test("MNT-24 pivotRoot without privilege is EPERM", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	expect(task.run(() => refusal(() => pivotRoot("/tmp", "/tmp")))).toMatchObject({ code: "EPERM", syscall });
});

test("pivotRoot puts the old root where it is told", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => mount("label", place, "tmpfs"));
	const old = box.folder("place/old");
	box.task.run(() => pivotRoot(place, old));
	const places = mountsOf(box.task).map(({ at }) => at);
	expect(places).toEqual(expect.arrayContaining(["/", "/old", "/old/proc"]));
	box.task.run(() => umount("/old", { flags: ["detach"] }));
	expect(mountsOf(box.task)).toMatchObject([{ at: "/", source: "label" }]);
});

test('MNT-26 pivotRoot(".", ".") and a detach leave nothing of the old root', async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		native().chdir(place);
		pivotRoot(".", ".");
		umount(".", { flags: ["detach"] });
		expect(refusal(() => openat2("/etc"))).toMatchObject({ code: "ENOENT" });
	});
	expect(mountsOf(box.task)).toMatchObject([{ at: "/", source: "label" }]);
});

test("MNT-27 a descriptor of the old root reads it after a pivot, and a working directory there has no path", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const bytes = Buffer.alloc(64);
	const passwd = box.task.run(() => {
		mount("label", place, "tmpfs");
		using old = openat2("/", { flags: ["path", "directory"] });
		native().chdir("/etc");
		pivotRoot(place, place);
		umount("/", { flags: ["detach"] });
		box.task.syscall(SYS_getcwd, bytes, bytes.length);
		using file = openat2(new Location(old, "etc/passwd"));
		return file.read(4).toString();
	});
	expect(passwd).toBe("root");
	expect(bytes.subarray(0, bytes.indexOf(0)).toString()).toBe("(unreachable)/etc");
});

test("MNT-28 a mount over the working directory hides nothing from it until it is entered again", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.file("place/lower");
	box.task.run(() => {
		native().chdir(place);
		mount("label", place, "tmpfs");
	});
	writeFileSync(box.outside("place/upper"), "");
	box.task.run(() => {
		openat2("lower").close();
		expect(refusal(() => openat2("upper"))).toMatchObject({ code: "ENOENT" });
		native().chdir(place);
		openat2("upper").close();
	});
});
