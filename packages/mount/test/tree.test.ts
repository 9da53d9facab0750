import { Location, openat2, Task } from "@nearfar/core";
import { mount, moveMount, openTree } from "@nearfar/mount";
import { expect, test } from "vitest";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { mountAt, mountsOf, sandbox } from "./sandbox.ts";

test("NMA-08 what openTree refuses", async () => {
	await using box = await sandbox();
	const [place, syscall] = [box.folder("place"), "open_tree"];
	box.task.run(() => {
		const refused = (...args: Parameters<typeof openTree>) => refusal(() => openTree(...args));
		neverOpen((fd) => {
			expect(refused(fd)).toMatchObject({ code: "EBADF", syscall });
			expect(refused(new Location(fd, "x"))).toMatchObject({ code: "EBADF", syscall });
		});
		expect(refused(box.inside("missing"))).toMatchObject({ code: "ENOENT", syscall });
		expect(refused("")).toMatchObject({ code: "ENOENT", syscall });
		expect(refused(place, { flags: 0x4000_0000 })).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(place, { flags: ["recursive"] })).toMatchObject({ code: "EINVAL", syscall, path: place });
	});
	await using task = await Task.clone({ namespaces: ["user"] });
	const refused = task.run(() => refusal(() => openTree("/", { flags: ["clone"] })));
	expect(refused).toMatchObject({ code: "EPERM", syscall });
});

test("NMA-12 a copy is of one mount, or with recursive of those below too", async () => {
	await using box = await sandbox();
	const [source, flat, deep] = [box.folder("source"), box.folder("flat"), box.folder("deep")];
	box.task.run(() => {
		mount("outer", source, "tmpfs");
		box.folder("source/below");
		mount("inner", `${source}/below`, "tmpfs");
		using one = openTree(source, { flags: ["clone"] });
		using all = openTree(source, { flags: ["clone", "recursive"] });
		expect(mountAt(box.task, flat)).toBeUndefined();
		moveMount(one, flat);
		moveMount(all, deep);
	});
	const places = mountsOf(box.task).map(({ at }) => at);
	expect(places.filter((at) => at.startsWith(flat))).toEqual([flat]);
	expect(places.filter((at) => at.startsWith(deep))).toEqual([deep, `${deep}/below`]);
});

test("NMA-22 a parent prepares, a child attaches, and it is gone for the parent", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	const tree = box.task.run(() => {
		mount("label", source, "tmpfs");
		return openTree(source, { flags: ["clone"] });
	});
	await using task = await box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	using passed = box.task.get(tree);
	using received = task.put(passed);
	task.run(() => moveMount(received, place));
	expect(mountAt(task, place)).toMatchObject({ source: "label" });
	expect(mountAt(box.task, place)).toBeUndefined();
	const again = box.task.run(() => refusal(() => moveMount(tree, place)));
	expect(again).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
	tree.close();
});

test("NMA-24 a descriptor from another mount namespace cannot be copied from", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	using near = openat2("/", { flags: ["path", "directory"] });
	using old = box.task.put(near);
	box.task.run(() => {
		const tree = refusal(() => openTree(old, { flags: ["clone"] }));
		expect(tree).toMatchObject({ code: "EINVAL", syscall: "open_tree" });
		const bind = refusal(() => mount(old, place, null, { flags: ["bind"] }));
		expect(bind).toMatchObject({ code: "EINVAL", syscall: "mount" });
	});
});

test("NMA-33 a tree is close-on-exec, whatever the flags", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		for (const flags of [undefined, [], 0, 1] as const) {
			using tree = openTree(box.inside(), flags === undefined ? {} : { flags });
			expect(tree.closeOnExec).toBe(true);
		}
	});
});

test("a tree that a batch opens is attached by the same batch", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	await box.task.batch(() => {
		mount("label", source, "tmpfs");
		using tree = openTree(source, { flags: ["clone"] });
		moveMount(tree, place);
	});
	expect(mountAt(box.task, place)).toMatchObject({ source: "label" });
});
