import { existsSync, writeFileSync } from "node:fs";
import { mount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, mountsOf, sandbox } from "./sandbox.ts";

test("MNT-04 a read-only bind takes two calls, and leaves the source writable", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.task.run(() => mount(source, place, null, { flags: ["bind", "rdonly"] }));
	writeFileSync(box.outside("place/first"), "ignored: the bind is writable");
	box.task.run(() => mount(null, place, null, { flags: ["remount", "bind", "rdonly"] }));
	expect(refusal(() => writeFileSync(box.outside("place/second"), ""))).toMatchObject({ code: "EROFS" });
	writeFileSync(box.outside("source/second"), "");
	expect(existsSync(box.outside("place/second"))).toBe(true);
});

test("MNT-07 bind with and without what is mounted below, and of what is unbindable", async () => {
	await using box = await sandbox();
	const [source, flat, deep] = [box.folder("source"), box.folder("flat"), box.folder("deep")];
	const below = [box.folder("source/bindable"), box.folder("source/unbindable")];
	box.task.run(() => {
		for (const place of below) mount("below", place, "tmpfs");
		mount(null, below[1] ?? "", null, { flags: ["unbindable"] });
		mount(source, flat, null, { flags: ["bind"] });
		mount(source, deep, null, { flags: ["bind", "rec"] });
		const refused = refusal(() => mount(below[1] ?? "", flat, null, { flags: ["bind"] }));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount", dest: flat });
	});
	const places = mountsOf(box.task).map(({ at }) => at);
	expect(places.filter((at) => at.startsWith(flat))).toEqual([flat]);
	expect(places.filter((at) => at.startsWith(deep))).toEqual([deep, `${deep}/bindable`]);
});

test("a file can be bound on a file", async () => {
	await using box = await sandbox();
	const [source, place] = [box.file("source", "content"), box.file("place")];
	box.task.run(() => mount(source, place, null, { flags: ["bind"] }));
	expect(mountAt(box.task, place)?.root).toMatch(/source$/);
});

test("MNT-10 a new mount namespace stays a peer of the old one; with a user namespace it becomes a slave", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		mount("label", place, "tmpfs");
		mount(null, place, null, { flags: ["shared"] });
	});
	const late = box.folder("place/late");
	const lower = box.folder("place/lower");
	await using peer = await box.task.clone({ namespaces: ["mnt"] });
	await using slave = await box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	expect(mountAt(peer, place)?.propagation).toEqual(["shared"]);
	expect(mountAt(slave, place)?.propagation).toEqual(["master"]);
	peer.run(() => mount("of the peer", late, "tmpfs"));
	slave.run(() => mount("of the slave", lower, "tmpfs"));
	expect(mountAt(box.task, late)).toBeDefined();
	expect(mountAt(slave, late)).toBeDefined();
	expect(mountAt(box.task, lower)).toBeUndefined();
});
