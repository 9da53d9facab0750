import { existsSync, symlinkSync } from "node:fs";
import { Location, openat2, Task } from "@nearfar/core";
import { mount, moveMount, openTree, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { mountAt, sandbox } from "./sandbox.ts";

test("NMA-09 what moveMount refuses", async () => {
	await using box = await sandbox();
	const [place, syscall] = [box.folder("place"), "move_mount"];
	box.task.run(() => {
		mount("label", place, "tmpfs");
		const refused = (...args: Parameters<typeof moveMount>) => refusal(() => moveMount(...args));
		neverOpen((fd) => {
			expect(refused(fd, place)).toMatchObject({ code: "EBADF", syscall, dest: place });
			expect(refused(place, fd)).toMatchObject({ code: "EBADF", syscall, path: place });
		});
		const missing = box.inside("missing");
		expect(refused(missing, place)).toMatchObject({ code: "ENOENT", syscall, path: missing });
		expect(refused(place, missing)).toMatchObject({ code: "ENOENT", syscall, dest: missing });
		expect(refused(place, box.inside(), { flags: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(box.folder("plain"), place)).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(box.inside(), place)).toMatchObject({ code: "ELOOP", syscall });
	});
	await using task = await Task.clone({ namespaces: ["user"] });
	expect(task.run(() => refusal(() => moveMount("/proc", "/tmp")))).toMatchObject({ code: "EPERM", syscall });
});

test("NMA-10 a directory goes on a directory and a file on a file; a link is not followed unless a Location says so", async () => {
	await using box = await sandbox();
	const [folder, file, target] = [box.folder("folder"), box.file("file", "content"), box.file("target")];
	symlinkSync("target", box.outside("link"));
	const copy = (path: string) => openTree(path, { flags: ["clone"] });
	box.task.run(() => {
		using folderCopy = copy(folder);
		using fileCopy = copy(file);
		using secondCopy = copy(file);
		const refused = (...args: Parameters<typeof moveMount>) => refusal(() => moveMount(...args)).code;
		expect(refused(folderCopy, target)).toBe("EINVAL");
		expect(refused(fileCopy, folder)).toBe("EINVAL");
		expect(refused(folderCopy, box.inside("link"))).toBe("EINVAL");
		moveMount(fileCopy, new Location(undefined, box.inside("link")));
		expect(mountAt(box.task, target)).toBeDefined();
		moveMount(secondCopy, box.inside("link"));
		expect(mountAt(box.task, box.inside("link"))).toBeDefined();
	});
});

test("a link at the end of the path moved from is followed only for a Location", async () => {
	await using box = await sandbox();
	const [place, to] = [box.folder("place"), box.folder("to")];
	symlinkSync("place", box.outside("link"));
	box.task.run(() => {
		mount("label", place, "tmpfs");
		expect(refusal(() => moveMount(box.inside("link"), to)).code).toBe("EINVAL");
		const unfollowed = new Location(undefined, box.inside("link"), { symlinks: false });
		expect(refusal(() => moveMount(unfollowed, to)).code).toBe("EINVAL");
		using folder = openat2(box.inside(), { flags: ["path"] });
		moveMount(new Location(folder, "link"), new Location(folder, "to"));
	});
	expect(mountAt(box.task, to)).toMatchObject({ source: "label" });
});

needs("Linux 6.5").test("NMA-14 beneath: hidden until what is above is unmounted", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	box.task.run(() => {
		mount("upper", place, "tmpfs");
		box.file("place/upper");
		mount("lower", plain, "tmpfs");
		box.file("plain/lower");
		using tree = openTree(plain, { flags: ["clone"] });
		umount(plain);
		const beneath = { flags: ["beneath"] } as const;
		expect(refusal(() => moveMount(tree, plain, beneath))).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
		moveMount(tree, place, beneath);
		using other = openTree(box.folder("other"), { flags: ["clone"] });
		// Linux 7.1 allows the move.
		expect(["EINVAL", undefined]).toContain(refusal(() => moveMount(other, "/", beneath)).code);
	});
	expect(existsSync(box.outside("place/upper"))).toBe(true);
	box.task.run(() => umount(place));
	expect(existsSync(box.outside("place/lower"))).toBe(true);
});

test("setGroup copies the peers of another mount", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.task.run(() => {
		mount("label", source, "tmpfs");
		mount(source, place, null, { flags: ["bind"] });
		mount(null, source, null, { flags: ["shared"] });
		moveMount(source, place, { flags: ["setGroup"] });
	});
	expect(mountAt(box.task, place)?.propagation).toEqual(["shared"]);
});
